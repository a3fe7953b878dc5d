"""What is done with each photograph of many: people are named on it, or taught by it; see
`opsin.work`. Both write into the people file as they go, so a stopped run goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opsin.people.file import People
from opsin.work import Made


@dataclass(frozen=True)
class Naming:
    """Who is on each photograph."""

    people: People
    again: bool = False

    def load(self, *, threads: int) -> None:
        self.people.load(threads=threads)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """Makes no file: its part is that of `PhotoNames.document`."""
        names = self.people.name(source, again=self.again, threads=threads)
        return Made(notes=names.notes, part=names.document())


@dataclass(frozen=True)
class Teaching:
    """Each photograph shows how somebody looks."""

    people: People
    names: Mapping[Path, str] = field(default_factory=dict)
    """Who is on which photograph."""
    face: int | None = None
    largest: bool = False

    def load(self, *, threads: int) -> None:
        self.people.load(threads=threads)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """Makes no file: its part is {"taught": {"number", "name", "box", "source"}}, and it is on
        the disk."""
        taught = self.people.add(
            self.names[source], source, face=self.face, largest=self.largest, threads=threads
        )
        return Made(part={"taught": taught.document()})
