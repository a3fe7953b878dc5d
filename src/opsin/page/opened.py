"""A photograph that is open on the page: its file, its touchup, and what can be undone.

The file has no name on the disk, so it is gone when it is closed, or when the server ends in
whatever way. The decoded pixels are let go when others need the room, and come back from it.
"""

from __future__ import annotations

import asyncio
import io
import secrets
from typing import Annotated, Any, BinaryIO, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from msgspec.structs import replace

from opsin.colorization.palette import shares_of
from opsin.colorization.request import Color, PlainPoint, Request
from opsin.colorization.samples import Sample, samples
from opsin.colorization.touchup import OTHER, Touchup, saved_in
from opsin.colorization.touchup import SUFFIX as SAVED
from opsin.defaults import MATCHING, STRENGTH
from opsin.drawing.pixels import fitted
from opsin.errors import DataError, ModelError, WrongCallError
from opsin.files import shown
from opsin.formats.suffixes import KEPT, SUFFIX, WRITTEN
from opsin.models import store
from opsin.page.limits import MOST_PIXELS, MOST_POINTS, MOST_SIZE, MOST_STEPS
from opsin.page.refusal import RefusedError, gone
from opsin.photo import Photo
from opsin.photo import open as open_photo

THUMBNAIL: Final = 120
LOOKED_AT_QUALITY: Final = 90
ANSWERS: Final = 6  # that are shown to choose from
ANSWER_STRENGTH: Final = 0.5  # on old photographs better than 1, see docs/experiments.md
Share = Annotated[float, Meta(ge=0, le=1)]


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a browser asks for; what is null stays as it is."""

    model: Annotated[str, Meta(max_length=200)] | None = None
    vividness: Share | None = None
    points: Annotated[tuple[PlainPoint, ...], Meta(max_length=MOST_POINTS)] | None = None
    palette: Annotated[tuple[Color, ...], Meta(max_length=32)] | None = None
    """Colors; none of them for no palette."""
    strength: Share | None = None
    matching: Share | None = None
    words: Annotated[str, Meta(max_length=1000)] | None = None
    """Colors of things by their names; "" for none."""
    answer: Annotated[int, Meta(ge=1, le=ANSWERS)] | None = None
    """The number of one of `Opened.answers`, whose palette is taken at `ANSWER_STRENGTH`."""
    gesture: Annotated[str, Meta(max_length=50)] = ""
    """Changes of one gesture, as of a slider that is dragged, are undone together."""


class Step(NamedTuple):
    """What was asked for at a time."""

    request: Request
    palette: dict[str, Any] | None = None
    """Where the request's palette is from, for people: colors, a reference, a file, an answer."""
    notes: tuple[str, ...] = ()
    """What is odd about it."""
    gesture: str = ""


class Made(NamedTuple):
    """A picture at its full size, as it was made."""

    request: Request
    name: str
    file: BinaryIO
    """Without a name on the disk."""
    bytes: int


class Opened:
    """A photograph, from upload to the end of its session."""

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        *,
        bytes: int,
        pixel_limit: int = MOST_PIXELS,
        damaged: bool = False,
    ) -> None:
        """`file` is open for reading and has no name; it is closed by `close`."""
        self.id = secrets.token_urlsafe(12)
        self.name, self.bytes = name, bytes
        self.lock = asyncio.Lock()
        self.thumbnail = b""
        self.made: Made | None = None  # see `job`
        self._file, self._limit, self._damaged = file, pixel_limit, damaged
        self._steps, self._at = [Step(Request(model="default"))], 0
        self._work: Touchup | None = None
        self._facts: dict[str, Any] = {}
        self._answers: tuple[str, tuple[Sample, ...]] = ("", ())

    @property
    def work(self) -> Touchup:
        """The touchup; where its pixels were let go it is made again."""
        if self._file.closed:
            raise gone()
        if self._work is None:
            self._file.seek(0)
            photo = open_photo(
                named(self._file.read(), self.name), pixel_limit=self._limit, damaged=self._damaged
            )
            self._work = Touchup(photo, request=self.request)
            self._facts = {
                "width": photo.width,
                "height": photo.height,
                "depth": photo.depth,
                "format": photo.metadata.format,
                "notes": list(photo.notes),
            }
        return self._work

    @property
    def held(self) -> int:
        """Bytes of its decoded pixels."""
        if self._work is None:
            return 0
        photo = self._work.photo
        return int(photo.pixels.nbytes) + (0 if photo.alpha is None else int(photo.alpha.nbytes))

    def let_go(self) -> None:
        """Drops the pixels; what was asked for stays."""
        self._work = None

    def close(self) -> None:
        """The file is gone."""
        self.let_go()
        self._file.close()

    def change(self, change: Change) -> None:
        """Asks for something else, as one more step; what cannot be changes nothing."""
        if change.model is not None:
            _check_model(change.model)
        words = ("model", "vividness", "points", "palette", "strength", "matching", "words")
        given = {word: getattr(change, word) for word in words}
        palette = self._steps[self._at].palette
        if change.palette is not None:
            given["reference"] = ""  # whose palette it is instead of
            if not (change.palette and palette and "colors" in palette):  # else some of them change
                given["strength"] = STRENGTH if change.strength is None else change.strength
                given["matching"] = MATCHING if change.matching is None else change.matching
            palette = {"colors": list(change.palette)} if change.palette else None
        elif change.answer is not None:
            answer = self._words_of(change.answer)
            given |= {word: value for word, value in answer.items() if given.get(word) is None}
            palette = {"answer": change.answer} if answer["palette"] else None
        self.work.change(**given)
        self._step(palette, change.gesture)

    def take_reference(self, data: bytes, name: str) -> None:
        """The colors of another photograph: its palette, and its places."""
        photo = open_photo(named(data, name), pixel_limit=self._limit)
        self.work.change(palette=shares_of(photo), reference=photo)
        self._step({"reference": shown(name)}, "")

    def take_saved(self, data: bytes, name: str) -> None:
        """All that a NAME.opsin.json asks for; a note where it is another photograph's, until its
        points are changed."""
        try:
            saved = saved_in(data, where=shown(name))
        except DataError as error:
            raise RefusedError(422, "settings", str(error)) from error
        request = saved.request
        _check_model(request.model)
        if len(request.points) > MOST_POINTS or (request.size or 0) > MOST_SIZE:
            raise WrongCallError(
                f"{shown(name)}: more than {MOST_POINTS} points, or a size over {MOST_SIZE}, are "
                "not for the page. Use opsin colorize --touchup."
            )
        self.work.ask(request)
        notes = () if saved.is_of(self.work.photo, None) else (OTHER,)
        lends = request.palette or request.reference
        self._step({"file": shown(name)} if lends else None, "", notes)

    def undo(self, by: int) -> None:
        """Back by a step (-1), or forth again (1); nothing where there is none."""
        to = min(max(self._at + by, 0), len(self._steps) - 1)
        self.work.ask(self._steps[to].request)
        self._at = to

    def look(self, side: int) -> bytes:
        """The picture in color as a JPEG, its longer side at most `side` pixels."""
        picture = self.work.picture(side)
        if not self.thumbnail:
            self.thumbnail = _jpeg(Photo(fitted(picture.pixels, THUMBNAIL)))
        self._facts["notes"] = list(dict.fromkeys([*self.work.photo.notes, *picture.notes]))
        return _jpeg(picture)

    def answers(self) -> list[dict[str, Any]]:
        """Several answers as plain values, see `opsin.samples`: the plain one, then others."""
        found = self._samples()
        return [{"number": number, "share": one.share} for number, one in enumerate(found, 1)]

    def answer(self, number: int, side: int) -> bytes:
        """How the picture would be with one of them, as a JPEG; nothing is changed."""
        before = self.work.request
        self.work.change(**self._words_of(number))
        try:
            return _jpeg(self.work.picture(side))
        finally:
            self.work.ask(before)

    def before(self, side: int) -> bytes:
        """The photograph as it was, the same way."""
        return _jpeg(self.work.original(side))

    def confidence(self, side: int) -> bytes:
        """How sure the colors are, white where they are, the same way."""
        sure = self.work.confidence(side)
        return _jpeg(open_photo((sure * 255 + 0.5).astype(np.uint8)))

    @property
    def request(self) -> Request:
        """What is asked for now."""
        return self._steps[self._at].request

    def asked_like(self, other: Request | None) -> Request:
        """What is asked for, as of another photograph; its points stay its own."""
        return self.request if other is None else replace(other, points=self.request.points)

    def download(self, asked: Request | None = None) -> tuple[str, bytes]:
        """The name and the bytes of the picture at its full size, in the photograph's format if
        that can be kept; `asked` is what is asked for instead of what it is now."""
        work = self.work
        if asked is not None and asked != self.request:
            work = Touchup(work.photo, request=asked)
        picture = work.picture()
        known = picture.metadata.format
        format = known if known in KEPT else "png"
        return f"{_stem(self.name)}-color{self._suffix(format)}", picture.encode(format)

    def saved(self) -> tuple[str, bytes]:
        """The name and the bytes of its NAME.opsin.json."""
        return f"{_stem(self.name)}{SAVED}", self.work.saved()

    def document(self) -> dict[str, Any]:
        """What it is and what is asked for, as plain values; its sides are 0 before it was
        decoded once."""
        request, palette, notes, _ = self._steps[self._at]
        return {
            "id": self.id,
            "name": shown(self.name),
            **{"width": 0, "height": 0},
            **self._facts,
            "notes": [*notes, *self._facts.get("notes", ())],
            "model": request.model,
            "vividness": request.vividness,
            "points": request.points,
            "strength": request.strength,
            "matching": request.matching if request.reference else None,
            "words": request.words,
            "palette": palette,
            "undo": self._at,
            "redo": len(self._steps) - 1 - self._at,
        }

    def _samples(self) -> tuple[Sample, ...]:
        model = self.work.request.model
        if self._answers[0] != model:
            self._answers = model, samples(self.work.photo, ANSWERS, model=model)
        return self._answers[1]

    def _words_of(self, number: int) -> dict[str, Any]:
        """What a touchup is asked for with an answer; the plain one has no palette."""
        palette = self._samples()[number - 1].palette
        strength = ANSWER_STRENGTH if palette else STRENGTH
        return {"palette": palette, "strength": strength, "reference": ""}

    def _step(
        self, palette: dict[str, Any] | None, gesture: str, notes: tuple[str, ...] | None = None
    ) -> None:
        """One more step; without `notes`, those of the step before stay as long as its points."""
        request, now = self.work.request, self._steps[self._at]
        if notes is None:
            notes = now.notes if request.points == now.request.points else ()
        step = Step(request, palette, notes, gesture)
        if step[:3] == now[:3]:
            return
        same = gesture and gesture == now.gesture
        kept = self._steps[: self._at + (0 if same else 1)]
        self._steps = [*kept, step][-MOST_STEPS - 1 :]
        self._at = len(self._steps) - 1

    def _suffix(self, format: str) -> str:
        """The photograph's own if it says this format, as .tiff; else the usual one."""
        dot = self.name.rfind(".")
        own = self.name[dot:] if dot > 0 else ""
        return own if WRITTEN.get(own.lower()) == format else SUFFIX[format]


def named(data: bytes, name: str) -> io.BytesIO:
    """Bytes as a file of that name, for `opsin.open` and its errors."""
    file = io.BytesIO(data)
    file.name = name
    return file


def colorizers() -> list[dict[str, Any]]:
    """The models to choose from, and what each takes."""
    found = []
    for name in store.names():
        try:
            card = store.find(name).card
        except ModelError:  # a broken card of the user's; opsin models list tells of it
            continue
        if card.task == "colorize":
            inputs = card.input_names()
            takes = {"points": "hints" in inputs, "palette": "condition" in inputs}
            found.append({"name": name, **takes})
    return found


def _check_model(model: str) -> None:
    """Only names of models: a path would reach the server's disk."""
    known = {"default", *(one["name"] for one in colorizers())}
    if not {name.strip() for name in model.split(",")} <= known:
        raise ModelError(f"unknown model '{shown(model)}'. Available: {', '.join(sorted(known))}.")


def _stem(name: str) -> str:
    dot = name.rfind(".")
    return name[:dot] if dot > 0 else name


def _jpeg(photo: Photo) -> bytes:
    return photo.encode("jpeg", quality=LOOKED_AT_QUALITY)
