"""What `opsin people` prints: faces with names, people in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opsin.cli.screen import print_table
from opsin.files import shown
from opsin.people.records import Person


def print_names(name: str, part: Mapping[str, Any]) -> None:
    """The faces of a photograph, a line each."""
    print(f"{shown(name)}{'' if part['faces'] else ': no face'}")
    for face in part["faces"]:
        x1, y1, x2, y2 = face["box"]
        where = f"{x1:.0f},{y1:.0f}  {x2 - x1:.0f} x {y2 - y1:.0f}"
        print(f"  {face['number']:2}  {where:22}  {_who(face)}")


def print_taught(name: str, face: Mapping[str, Any]) -> None:
    """That a photograph's face is on the disk; told at once, whatever becomes of the run."""
    print(f"{shown(name)}: face {face['number']} {_is(face)}", flush=True)


def print_face(photo: str, face: Mapping[str, Any]) -> None:
    """Who one face is now."""
    who = f"is {_who(face)}" if "state" in face else _is(face)
    print(f"{shown(photo)}: face {face['number']} {who}")


def print_people(path: Path, people: Sequence[Person]) -> None:
    """A line for each person, and where that is kept."""
    if people:
        rows = [(shown(one.name), one.faces, one.photographs) for one in people]
        print_table(("name", "faces", "photographs"), rows)
    else:
        print("Nobody was introduced yet: opsin people add NAME PHOTO...")
    print(f"Kept in {shown(path)}")


def _is(face: Mapping[str, Any]) -> str:
    """Who a face is from now on, and who it was."""
    before = f"; it was confirmed as {shown(face['before'])}" if "before" in face else ""
    return f"is {shown(face['name'])}{before}"


def _who(face: Mapping[str, Any]) -> str:
    """In words, with how alike where that was compared."""
    words = {
        "confirmed": "{name}, confirmed",
        "named": "{name}",
        "maybe": "maybe {name}",
        "unknown": "unknown",
        "ignored": "ignored",
    }[face["state"]]
    text = words.format(name=shown(face["name"] or ""))
    if face["similarity"] is None or face["state"] == "unknown":
        return text
    text += f"  {face['similarity']:.2f}"
    return text if face["margin"] is None else f"{text}, {face['margin']:+.2f} to the next"
