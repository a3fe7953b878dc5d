"""A task in a room of its own, to prove that rooms are all a task needs: is a picture dark?

It lies outside of the package and changes nothing in it; `pyproject.toml` beside this file has
the entry point by which an installed package would be found.
"""

from opsin.tasks import Room

ROOM = Room("toy.task:TASK", "toy.evaluation:evaluate")
