"""A page of people: everybody with their faces, faces to check, and those of nobody known.

One HTML file with small pictures inside. Of many faces of one person the first by date are shown,
and the page says how many it leaves out.
"""

from __future__ import annotations

import bisect
import html
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import numpy as np

from opsin.defaults import CROP_MARGIN, PIXEL_LIMIT
from opsin.drawing.page import check_page, head, picture
from opsin.drawing.pixels import as_rgb, fitted
from opsin.errors import DataError
from opsin.faces.pipeline import turned_by
from opsin.files import shown, write_atomically
from opsin.formats.dates import taken
from opsin.formats.sidecars import read_sidecar, sidecars
from opsin.formats.vips import vips
from opsin.people.file import People
from opsin.people.records import FaceName, PhotoNames, folded
from opsin.photo import Photo
from opsin.photo import open as open_photo
from opsin.work import Made

MAKER: Final = "opsin: people"
SIDE: Final = 104  # pixels of a face on the page: about 4 KB
QUALITY: Final = 80
MOST_EACH: Final = 24
"""Faces of one person."""
MOST_OTHERS: Final = 240
"""Faces to check, and unknown ones."""
MOST_PEOPLE: Final = 1_000
UNDATED: Final = "9999"
CHECK: Final = "<p>Say who they are: opsin people confirm PHOTO NAME --face N, or reject.</p>\n"


class Shown(NamedTuple):
    """A face on the page; they stand by date, then by name of the photograph."""

    date: str
    photo: str
    number: int
    name: str = ""
    state: str = ""
    similarity: float | None = None
    jpeg: bytes = b""


class _Faces:
    """The first of many faces, and how many there are."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.shown: list[Shown] = []
        self.states: Counter[str] = Counter()
        self.dates: set[str] = set()

    def has_room(self, face: Shown) -> bool:
        return len(self.shown) < self.most or face < self.shown[-1]

    def add(self, face: Shown) -> None:
        bisect.insort(self.shown, face)
        del self.shown[self.most :]

    def count(self, face: Shown) -> None:
        self.states[face.state] += 1
        if face.date != UNDATED:
            self.dates.add(face.date)

    def left_out(self) -> str:
        number = self.states.total() - len(self.shown)
        return f"<p>{number:,} more are left out of this page.</p>\n" if number else ""


class PeopleReport:
    """Takes photographs as they come, from several threads, and writes the page when asked to."""

    def __init__(self, path: str | Path, *, pixel_limit: int = PIXEL_LIMIT) -> None:
        """Raises `WrongCallError` or `SaveError` where the page cannot be written."""
        self.path = Path(path)
        self._pixel_limit = pixel_limit
        self._lock = threading.Lock()
        self._people: dict[str, tuple[str, _Faces]] = {}  # by `folded` name
        self._check, self._unknown = _Faces(MOST_OTHERS), _Faces(MOST_OTHERS)
        self._photographs = 0
        check_page(self.path, maker=MAKER, option="-o")

    def add(self, path: Path, names: PhotoNames) -> None:
        """The faces of a photograph; ignored ones are left out."""
        faces = [face for face in names.faces if face.state != "ignored"]
        photo = open_photo(path, pixel_limit=self._pixel_limit, damaged=True) if faces else None
        with self._lock:
            self._photographs += 1
        if photo is None:
            return
        date = taken(photo.metadata, sidecar=_sidecar(path)) or UNDATED
        for face in faces:
            name = face.name or ""
            one = Shown(date, str(path), face.number, name, face.state, face.similarity)
            with self._lock:
                group = self._group(face)
                group.count(one)
                is_shown = group.has_room(one)
            if is_shown:
                one = one._replace(jpeg=_jpeg(photo, face.box, names.turned))
                with self._lock:
                    group.add(one)

    def write(self) -> Path:
        """The path, once the page is there."""
        style = resources.files("opsin.people").joinpath("report.css").read_text("utf-8")
        people = sorted(self._people.values(), key=lambda one: folded(one[0]))
        faces = sum(group.states.total() for _, group in people)
        lead = [
            _number(len(people), "person", "people"),
            _number(faces, "face", "faces"),
            _number(self._photographs, "photograph", "photographs"),
        ]
        parts = [
            head("People", style=style, maker=MAKER),
            f"<main>\n<h1>People</h1>\n<p class=lead>{' · '.join(lead)}</p>\n",
            _contents([name for name, _ in people]),
            self._others("To check", self._check, CHECK),
            *(self._person(at, *one) for at, one in enumerate(people[:MOST_PEOPLE])),
            self._others("Unknown", self._unknown, ""),
            "</main>\n</html>\n",
        ]
        return write_atomically(self.path, "".join(parts).encode())

    def _group(self, face: FaceName) -> _Faces:
        if face.name is None:
            return self._unknown
        if face.state == "maybe":
            return self._check
        return self._people.setdefault(folded(face.name), (face.name, _Faces(MOST_EACH)))[1]

    def _person(self, at: int, name: str, group: _Faces) -> str:
        told = [
            f"{group.states[state]:,} {_words(state)}" for state in STATES if group.states[state]
        ]
        if group.dates:
            first, last = min(group.dates)[:4], max(group.dates)[:4]
            told.append(first if first == last else f"{first} to {last}")
        figures = "".join(self._figure(face) for face in group.shown)
        return (
            f"<h2 id=p{at}>{_text(name)} <small>{' · '.join(told)}</small></h2>\n"
            f"{group.left_out()}<div class=row>\n{figures}</div>\n"
        )

    def _others(self, title: str, group: _Faces, words: str) -> str:
        if not group.shown:
            return ""
        figures = "".join(self._figure(face, beside=self._known(face.name)) for face in group.shown)
        return (
            f"<h2>{title} <small>{group.states.total():,}</small></h2>\n{words}"
            f"{group.left_out()}<div class=row>\n{figures}</div>\n"
        )

    def _known(self, name: str) -> str:
        """A confirmed face of somebody, to compare with."""
        if not name or folded(name) not in self._people:
            return ""
        there = self._people[folded(name)][1].shown
        found = next((face for face in there if face.state == "confirmed"), None)
        return (
            picture(found.jpeg, f"{shown(name)}, confirmed", more="loading=lazy") if found else ""
        )

    def _figure(self, face: Shown, *, beside: str = "") -> str:
        name = shown(face.name) or "unknown"
        place = shown(os.path.basename(face.photo))
        alt = f"{name}, on {place}"
        told = [face.date] if face.date != UNDATED else []
        if face.state == "maybe":
            told.append(f"maybe {name}")
        if face.similarity is not None and face.state in ("named", "maybe"):
            told.append(f"{face.similarity:.2f}")
        words = " · ".join(map(html.escape, told))
        inside = f"{picture(face.jpeg, alt, more='loading=lazy')}{beside}"
        return (
            f'<figure class="{face.state}"><a {self._link(face.photo)}>{inside}</a><figcaption>'
            f"{words}{'<br>' if words else ''}<small>{html.escape(place)}, face {face.number}"
            "</small></figcaption></figure>\n"
        )

    def _link(self, name: str) -> str:
        with suppress(ValueError):  # on another drive
            place = os.path.relpath(name, self.path.resolve().parent)
            return f'href="{html.escape(quote(os.fsencode(Path(place).as_posix())))}"'
        return ""


STATES: Final = ("confirmed", "named")


@dataclass(frozen=True)
class Reporting:
    """Who is on each photograph of many, for the page; see `opsin.work`."""

    people: People
    page: PeopleReport

    def load(self, *, threads: int) -> None:
        self.people.load(threads=threads)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """Makes no file: its part is that of `PhotoNames.document`."""
        names = self.people.name(source, threads=threads)
        self.page.add(Path(os.path.abspath(source)), names)
        return Made(notes=names.notes, part=names.document())


def _contents(names: Sequence[str]) -> str:
    """A line of links, where there is more than a screen of people."""
    if len(names) < 4:
        return ""
    links = " · ".join(
        f"<a href=#p{at}>{_text(name)}</a>" for at, name in enumerate(names[:MOST_PEOPLE])
    )
    more = len(names) - MOST_PEOPLE
    rest = f" and {more:,} more, who are left out of this page" if more > 0 else ""
    return f"<p class=contents>{links}{rest}</p>\n"


def _jpeg(photo: Photo, box: Sequence[float], turned: int) -> bytes:
    """A face with something around it, upright and small."""
    center = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    half = max(box[2] - box[0], box[3] - box[1]) * (0.5 + CROP_MARGIN)
    size = np.array([photo.width, photo.height])
    left, top = np.rint(center - half).clip(0, size - 1).astype(int)
    right, bottom = np.rint(center + half).clip((left + 1, top + 1), size).astype(int)
    pixels = turned_by(as_rgb(photo.pixels[top:bottom, left:right]), turned)
    image = vips().Image.new_from_array(np.ascontiguousarray(fitted(pixels, SIDE)))
    return bytes(image.jpegsave_buffer(Q=QUALITY, keep="none"))


def _sidecar(photo: Path) -> bytes | None:
    with suppress(DataError):
        return next((read_sidecar(path) for path in sidecars(photo)), None)
    return None


def _words(state: str) -> str:
    return "confirmed" if state == "confirmed" else "by likeness"


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _text(text: str) -> str:
    return html.escape(shown(text))
