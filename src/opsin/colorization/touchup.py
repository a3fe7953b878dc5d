"""A photograph being worked on: what is known of its colors is changed, and seen at once.

    work = Touchup("scan.jpg")
    work.change(points=[(120, 300, "#a03020")], vividness=0.6)
    work.picture(1000)                     # as large as it is looked at
    work.save("scan.opsin.json")           # what was asked for; the same picture can be made again
    work.picture().save("scan-color.jpg")  # the full size, at the end

A network's encoder sees the photograph once; of what is asked for only the rest of it hears. A
vividness alone is another reading of the same answer, unless there are points, whose colors depend
on it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from opsin.colorization.palette import Palette, shares_of
from opsin.colorization.pipeline import (
    Colors,
    Kept,
    NetworkOutput,
    colors_of,
    confidence_of,
    paint,
    run_engines,
    shrinker,
    told,
)
from opsin.colorization.points import Point
from opsin.colorization.reference import swatches_of
from opsin.colorization.request import MUST_BE, Request, check_read, checked, plain_points
from opsin.colorization.sight import Sight
from opsin.colorization.suggest import COUNT, Suggestion, check_place, suggested
from opsin.defaults import SIZES
from opsin.drawing.pixels import resized
from opsin.errors import DataError, SaveError
from opsin.files import fingerprint_of, read_regular, shown, write_atomically
from opsin.formats.encode import to_8_bits
from opsin.machine import cores
from opsin.models.engine import MOST_THREADS, load_engine
from opsin.models.store import members
from opsin.photo import Photo
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]

OTHER: Final = "touched up for another file, or for this one before it changed: look at its points"
SUFFIX: Final = ".opsin.json"
MOST_BYTES: Final = 1 << 22  # of such a file
VERSION: Final = 1
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # some editors write one


class Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a file of `Touchup.save` holds."""

    opsin: Annotated[int, Meta(ge=1, le=VERSION)]
    """The version of this form."""
    request: Request
    photograph: Annotated[str, Meta(max_length=1000)] = ""
    """The name of the photograph's file, which lies beside this one."""
    fingerprint: Annotated[str, Meta(max_length=100)] = ""
    """Of the photograph's file, see `opsin.files.fingerprint_of`."""

    def is_of(self, photo: Photo | None, path: Path | None) -> bool:
        """Whether it was saved of this photograph, or does not say of which."""
        own = photo.metadata.origin if photo is not None and path is None else None
        own = fingerprint_of(path) if path is not None else own
        return not self.fingerprint or not own or self.fingerprint == own


class Touchup:
    """A photograph, and what is asked of its colors. `notes` tell what is odd about them."""

    notes: tuple[str, ...] = ()

    def __init__(
        self,
        photo: Any,
        *,
        request: Request | None = None,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        """`photo` is a `Photo` or anything that `opsin.open` takes. `request` is what to begin
        with, by default what `opsin.colorize` does."""
        self.path = Path(photo) if isinstance(photo, str | os.PathLike) else None
        self.photo = photo if isinstance(photo, Photo) else open_photo(photo)
        self.request = request or Request(model="default")
        self._threads, self._device = threads or min(cores(), MOST_THREADS), device
        self._outputs: tuple[Any, tuple[NetworkOutput, ...]] | None = None
        self._shrunk = shrinker(self.photo)
        self._kept: Kept = {}
        self._sight = Sight(self.photo, threads=self._threads, device=device)
        self._small: Photo | None = None

    def change(
        self,
        *,
        model: str | None = None,
        vividness: float | None = None,
        size: int | None = None,
        points: Sequence[Point] | None = None,
        palette: Palette | None = None,
        strength: float | None = None,
        reference: Any = None,
        matching: float | None = None,
        words: str | None = None,
    ) -> None:
        """Asks for something else; what is not given stays. The words are those of
        `opsin.colorize`; no points are `points=()`, no palette is `palette=()`, no reference
        is `reference=""`, and no words are `words=""`.

        What cannot be changes nothing: it is a `ValueError`, a `ModelError` for a model that is
        not there or cannot do what is asked, a `PhotoError` for a palette's photograph or a
        reference.
        """
        given: dict[str, Any] = {"model": model, "vividness": vividness, "size": size}
        given |= {"strength": strength, "matching": matching, "words": words}
        if points is not None:
            given["points"] = plain_points(points)
        if palette is not None:
            given["palette"] = _shares(palette)
        if reference is not None:
            given["reference"] = _swatches(reference, self._threads)
        self.ask(
            msgspec.structs.replace(
                self.request, **{key: value for key, value in given.items() if value is not None}
            )
        )

    def ask(self, request: Request) -> None:
        """Asks for all that a request says, as for one that was asked for before.

        What cannot be changes nothing, as in `change`.
        """
        before = self.request
        try:
            self.request = checked(request)
            self.outputs()
        except Exception:
            self.request = before
            raise

    def outputs(self) -> tuple[NetworkOutput, ...]:
        """What the networks give for what is asked; kept until that changes."""
        asked = self.request
        vividness = asked.vividness if asked.points else None
        key = (asked.model, asked.size, asked.points, asked.palette, asked.strength, vividness)
        if self._outputs is None or self._outputs[0] != key:
            engines = [
                load_engine(name, threads=self._threads, device=self._device)
                for name in members(asked.model)
            ]
            found = run_engines(
                engines,
                self.photo,
                vividness=asked.vividness,
                size=asked.size,
                points=asked.points,
                palette=asked.palette or None,
                strength=asked.strength,
                shrunk=self._shrunk,
                kept=self._kept,
            )
            self._outputs = key, found
        return told(
            self._outputs[1],
            self._sight,
            reference=asked.reference,
            matching=asked.matching,
            words=asked.words,
        )

    def colors(self) -> Colors:
        """The colors on the network's grid."""
        found = colors_of(self.outputs(), self.request.vividness)
        names = ",".join(card.name for card in found.cards)
        networks = tuple(card.sha256[:16] for card in found.cards)
        asked = msgspec.structs.replace(self.request, model=names, networks=networks)
        return replace(found, request=asked)

    def picture(self, side: int | None = None) -> Photo:
        """The photograph in color: at its full size, with its metadata and how it was made; or to
        be looked at, in 8 bits, its longer side at most `side` pixels."""
        if side is None:
            return paint(self.photo, self.colors(), threads=self._threads)
        return paint(self.original(side), self.colors(), threads=self._threads)

    def confidence(self, side: int | None = None) -> Floats:
        """How sure the colors are, (height, width) in [0, 1], as `opsin.confidence` says it."""
        photo = self.photo if side is None else self.original(side)
        return confidence_of(photo, self.colors())

    def suggest(self, x: float, y: float, *, count: int = COUNT) -> tuple[Suggestion, ...]:
        """The likely colors of a place, in pixels of the full photograph; see `opsin.suggest`."""
        check_place(self.photo, x, y)
        return suggested(self.outputs()[0], x, y, count=count)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes down what is asked for, as NAME.opsin.json beside the photograph is found again.

        An existing file is replaced if it is one of these, else it is a `SaveError`.
        """
        path = Path(path)
        if os.path.lexists(path):
            try:
                read_saved(path)
            except DataError:
                raise SaveError(
                    f"{shown(path)}: already there, and holds something else. Choose another name."
                ) from None
        return write_atomically(path, self.saved())

    def saved(self) -> bytes:
        """The bytes that `save` writes."""
        name, fingerprint = self.photo.metadata.source or "", self.photo.metadata.origin or ""
        if self.path is not None:
            name, fingerprint = self.path.name, fingerprint_of(self.path)
        saved = Saved(VERSION, self.request, name, fingerprint)
        return msgspec.json.format(msgspec.json.encode(saved))

    @classmethod
    def load(cls, path: str | os.PathLike[str], photo: Any = None, **options: Any) -> Self:
        """A photograph as `save` has left it; `photo` is it where it does not lie beside `path`."""
        saved = read_saved(path)
        if photo is None:
            photo = Path(path).parent / Path(saved.photograph).name
            if not saved.photograph or not photo.is_file():
                raise DataError(
                    f"{shown(path)}: its photograph '{shown(saved.photograph)}' does not lie "
                    "beside it. Say where it is."
                )
        work = cls(photo, request=saved.request, **options)
        if not saved.is_of(work.photo, work.path):
            work.notes = (OTHER,)
        return work

    def original(self, side: int) -> Photo:
        """The photograph as it was, to be looked at: in 8 bits, opaque, without metadata, its
        longer side at most `side` pixels; kept for the next one."""
        if not SIZES[0] <= side:
            raise ValueError(f"side must be {SIZES[0]} pixels or more, got {side}.")
        height, width = self.photo.height, self.photo.width
        scale = min(1.0, side / max(height, width))
        wanted = max(1, round(scale * height)), max(1, round(scale * width))
        if self._small is None or (self._small.height, self._small.width) != wanted:
            small = open_photo(to_8_bits(resized(self.photo.pixels, *wanted)))
            there = _scaled(self.photo.metadata.there, wanted[0] / height, wanted[1] / width)
            self._small = replace(small, metadata=replace(small.metadata, there=there))
        return self._small


def _shares(palette: Palette) -> tuple[float, ...]:
    """A palette as a request has it; what is none is a `ValueError`."""
    if isinstance(palette, (list, tuple)) and not palette:
        return ()
    try:
        return tuple(map(float, shares_of(palette)))
    except TypeError:
        kind = type(palette).__name__
        raise ValueError(
            f"a palette must be 313 shares, a list of colors or a photograph, got {kind}."
        ) from None


def _swatches(reference: Any, threads: int) -> str:
    """A reference as a request has it; what is none is a `ValueError`."""
    try:
        return swatches_of(reference, threads=threads)
    except TypeError:
        kind = type(reference).__name__
        raise ValueError(f"reference must be {MUST_BE['reference']}, got {kind}.") from None


def _scaled(
    there: tuple[slice, slice] | None, down: float, across: float
) -> tuple[slice, slice] | None:
    """Where a damaged photograph is there, once it has other sides."""
    if there is None:
        return None
    rows, columns = (
        slice(start := round(part.start * scale), max(start + 1, round(part.stop * scale)))
        for part, scale in zip(there, (down, across), strict=True)
    )
    return rows, columns


def read_saved(path: str | os.PathLike[str]) -> Saved:
    """What a file of `Touchup.save` holds; a `DataError` where it is none."""
    try:
        data = read_regular(path, most=MOST_BYTES)
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise _not_saved(shown(path), error) from error
    return saved_in(data, where=shown(path))


def saved_in(data: bytes, *, where: str) -> Saved:
    """The same of the file's bytes; `where` names it in errors."""
    try:
        found = msgspec.json.decode(data.removeprefix(BYTE_ORDER_MARK), type=Saved)
    except (ValueError, RecursionError) as error:  # msgspec's errors are such
        raise _not_saved(where, error) from error
    try:
        check_read(found.request)
    except ValueError as error:
        raise DataError(f"{where}: its {error}") from None
    return found


def _not_saved(where: str, error: Exception) -> DataError:
    return DataError(f"{where}: is no touched-up photograph's file ({shown(str(error))}).")
