"""Who tells which pixels of a thing's box are the thing, and who finds the things.

A name may stand for several mask networks, with commas: each is asked about the things that it
knows, and the mean of their answers counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from opsin.defaults import OBJECTS, PERSON, SURER_PERSON
from opsin.errors import ModelError, WrongCallError
from opsin.files import shown
from opsin.models.card import Card, Segment
from opsin.models.engine import Engine, load_engine
from opsin.models.store import find, members

HUMAN: Final = "person"


class Masker(NamedTuple):
    """The networks that tell a thing's pixels, the first of which says how sure they must be."""

    engines: tuple[Engine, ...]

    @property
    def cards(self) -> tuple[Card, ...]:
        return tuple(engine.card for engine in self.engines)

    @property
    def name(self) -> str:
        return ",".join(card.name for card in self.cards)

    @property
    def classes(self) -> tuple[str, ...]:
        """The things that any of them knows, each once."""
        known = {name.casefold(): name for card in self.cards for name in table_of(card).classes}
        return tuple(known.values())

    @property
    def threshold(self) -> float:
        """The least share of a pixel that belongs to a thing."""
        return table_of(self.cards[0]).threshold

    def of(self, name: str) -> list[Engine]:
        """Those that know a thing; all, where none does."""
        knowing = [one for one in self.engines if _knows(one.card, name)]
        return knowing or list(self.engines)


def masker_of(model: str, *, threads: int, device: str) -> Masker:
    """The loaded networks of that name, if they tell a thing's pixels; else a `ModelError`."""
    names = members(model)
    for name in names:
        card = find(name).card
        table_of(card)
        if len(names) > 1 and card.detect is not None:
            raise ModelError(f"model '{card.name}' finds what it masks itself. Name it alone.")
    return Masker(tuple(load_engine(one, threads=threads, device=device) for one in names))


def table_of(card: Card) -> Segment:
    """What a model's card says of its masks; one of another task is a `ModelError`."""
    if card.segment is None:
        raise ModelError(f"model '{card.name}' makes no masks: its task is '{card.task}'.")
    return card.segment


class Finder(NamedTuple):
    """What finds things; arguments of `opsin.detect`."""

    model: str | None
    accurate: bool = False

    @property
    def person(self) -> float:
        """The least score of a person who is cut out."""
        return SURER_PERSON if self.accurate else PERSON


def finder_of(model: str, detector: str | None, *, accurate: bool = False) -> Finder:
    """What finds the things whose pixels a model tells: itself, if it can, else a detector, the
    default one if none is named, or two of them together."""
    if accurate and detector is not None:
        raise WrongCallError("accurate asks two detectors together: name no detector beside it.")
    card = find(members(model)[0]).card
    if card.detect is None:
        return Finder(None if accurate else detector or OBJECTS, accurate)
    if accurate or detector is not None:
        raise WrongCallError(f"model '{card.name}' finds things itself. Name no detector.")
    return Finder(model)


def wanted_of(classes: Sequence[str] | None, masker: Masker) -> Sequence[str]:
    """Those of the things whose pixels networks tell that are wanted; None is all of them."""
    if isinstance(classes, str):
        raise WrongCallError(f"classes are a list of names, got the text '{shown(classes)}'.")
    known = {name.casefold() for name in masker.classes}
    if lacking := [name for name in classes or () if name.casefold() not in known]:
        raise WrongCallError(
            f"'{shown(lacking[0])}' is nothing whose pixels '{masker.name}' tells: "
            f"{', '.join(masker.classes)}."
        )
    return classes or masker.classes


def kept_of(classes: Sequence[str] | None, masker: Masker) -> Sequence[str]:
    """As `wanted_of`, of what stays before another background; None is people, or, where networks
    do not know them, all."""
    return wanted_of((HUMAN,) if not classes and HUMAN in masker.classes else classes, masker)


def nobody_of(model: str, classes: Sequence[str] | None) -> str:
    """What is said where none of what is kept was found, as "no dog and no cat" or, where nothing
    was named, "nobody", or "nothing" of a model that does not know people."""
    if classes:
        return f"no {' and no '.join(map(shown, classes))}"
    cards = [find(name).card for name in members(model)]
    return "nobody" if any(HUMAN in table_of(card).classes for card in cards) else "nothing"


def _knows(card: Card, name: str) -> bool:
    return name.casefold() in {one.casefold() for one in table_of(card).classes}
