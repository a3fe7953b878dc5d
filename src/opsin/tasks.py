"""The tasks: which module teaches each of them, and which one judges it, loaded when asked for.

To add a task, add a line to `ROOMS`. A task of another package needs none: it is found by an
entry point of the group "opsin.tasks", the task's name and where its `Room` is:

    [project.entry-points."opsin.tasks"]
    brightness = "brightness:ROOM"
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opsin.defaults import CLASSIFIER, MASKS, OBJECTS, RECOGNIZER
from opsin.errors import OpsinError, RecipeError, WrongCallError, needs_extra
from opsin.files import shown

if TYPE_CHECKING:
    from opsin.training.task import Task

GROUP: Final = "opsin.tasks"


class Room(NamedTuple):
    """Where a task's doors are, each as "module:name"."""

    training: str
    """An `opsin.training.task.Task`; its module may import torch. "" if nothing is trained."""
    evaluation: str
    """What `opsin evaluate TASK` calls: from pictures, and the keywords `model` (names), `limit`
    and `on_picture` (called for each), to an `opsin.evaluate.report.Report`. Imports no torch."""
    default: str = "default"
    """The model that is measured if nobody names one."""
    own: str = ""
    """What is not trained by the loop of `opsin.training` has its own way: from a recipe, sets, the
    run's folder, and the keywords `on_message` and `on_step`, to the path of what it has learned.
    Imports no torch."""
    own_kinds: tuple[str, ...] = ()
    """The kinds of network that go that way; empty: all."""


ROOMS: Final[dict[str, Room]] = {
    "colorize": Room(
        "opsin.colorization.task:TASK", "opsin.evaluate.colorization.measure:evaluate"
    ),
    "classify": Room(
        "opsin.recognition.task:TASK", "opsin.evaluate.recognition:evaluate", CLASSIFIER
    ),
    "faces": Room(
        "", "opsin.evaluate.faces.measure:evaluate", RECOGNIZER, "opsin.faces.learned:train"
    ),
    "detect": Room(
        "opsin.objects.task:TASK",
        "opsin.evaluate.detect:evaluate",
        OBJECTS,
        "opsin.objects.rcnn_learned:train",
        ("rcnn",),
    ),
    "segment": Room("opsin.objects.task:SEGMENT", "opsin.evaluate.segment:evaluate", MASKS),
}


def names() -> list[str]:
    """The tasks, those of other packages last."""
    return [*ROOMS, *sorted({entry.name for entry in entry_points(group=GROUP)} - ROOMS.keys())]


def room_of(name: str) -> Room:
    """The doors of a task; a `WrongCallError` names those that there are."""
    if name in ROOMS:
        return ROOMS[name]
    for entry in entry_points(group=GROUP, name=name):
        room = entry.load()
        if not isinstance(room, Room):
            raise OpsinError(f"the entry point {entry.value} of '{name}' is no opsin.tasks.Room.")
        return room
    raise WrongCallError(f"unknown task '{shown(name)}'. Known: {', '.join(names())}.")


def own_way(name: str, kind: Any) -> Any:
    """How networks of that kind are trained if they have their own way; None if they have none, or
    there is no such task."""
    room = room_of(name) if name in names() else None
    if not room or not room.own or (room.own_kinds and kind not in room.own_kinds):
        return None
    return load(room.own)


def task_of(name: str) -> Task:
    """What a recipe's `task` names, with torch; a `RecipeError` if none of that name is trained."""
    room = room_of(name) if name in names() else None
    if room is None or not room.training:
        known = ", ".join(f'"{one}"' for one in names() if is_trained(one))
        raise RecipeError(f'task = "{shown(name)}", but it must be one of {known}.', key="task")
    with needs_extra("training", "train"):
        task: Task = load(room.training)
    return task


def is_trained(name: str) -> bool:
    """Whether recipes may have that task."""
    return name not in ROOMS or bool(ROOMS[name].training or ROOMS[name].own)


def load(target: str) -> Any:
    """What "module:name" names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
