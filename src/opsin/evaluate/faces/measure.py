"""How well faces are told apart: the whole way from a picture to its numbers, on sets like LFW."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from opsin.defaults import DETECTOR, RECOGNIZER
from opsin.errors import WrongCallError
from opsin.evaluate.faces import find as finding
from opsin.evaluate.faces import group, identify, pairs
from opsin.evaluate.faces.look import look
from opsin.evaluate.report import Report, provenance
from opsin.evaluate.seen import check
from opsin.faces.detectors import detector_of
from opsin.faces.recognize import engine_of
from opsin.files import shown
from opsin.models.store import find
from opsin.sets.sources import Paths, listed
from opsin.sets.splits import beside, split_of

PROTOCOLS: Final = ("pairs", "identify", "group", "find")


def evaluate(
    data: Paths,
    *,
    model: str | Sequence[str] = RECOGNIZER,
    protocol: str = "pairs",
    seen: Sequence[str] = ("color",),
    detector: str | Sequence[str] | None = None,
    limit: int | None = None,
    on_picture: Callable[[Any], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> Report:
    """The report on recognizers over the set `data`, a folder or a tar of PERSON/PERSON_0001.jpg.

    `protocol` is "pairs", for which the set has a pairs.txt, "identify", for which it has a
    splits.json, or "group". `model` are names, `seen` ways of `opsin.evaluate.seen.SEEN`. A row is
    a model, or a model and a way. `limit` is how many pairs are taken, spread over all folds, or
    test pictures, or people.

    With the protocol "find" detectors are measured instead, those that `detector` names; None is
    the default one. See `opsin.evaluate.faces.find`.
    """
    check(seen)
    if protocol not in PROTOCOLS:
        raise WrongCallError(f"'{shown(protocol)}' is none of {', '.join(PROTOCOLS)}.")
    if protocol == "find":
        names = [detector] if isinstance(detector, str) else list(detector or [DETECTOR])
        cards = [detector_of(name, threads=1, device="cpu").card for name in names]
        report = finding.measured(
            _one(data), names, seen, limit=limit, on_picture=on_picture, on_skip=on_skip
        )
        about = provenance(cards, data=[str(_one(data))], protocol=protocol, seen=list(seen))
        return replace(report, provenance=about)
    if detector is not None:
        raise WrongCallError("detectors are compared by --protocol find only.")
    models = [model] if isinstance(model, str) else list(model)
    engines = {name: engine_of(name, threads=1) for name in models}
    path = _one(data)

    def seen_of(wanted: set[str], *, needs_all: bool = True) -> Any:
        return look(
            path, wanted, engines, seen, needs_all=needs_all, on_picture=on_picture, on_skip=on_skip
        )

    if protocol == "pairs":
        text = beside(path, pairs.PAIRS).decode("utf-8", "replace")
        chosen = pairs.some(pairs.parse_pairs(text, str(path)), limit)
        wanted = {name for pair in chosen for name in (pair.first, pair.second)}
        found = pairs.measured(seen_of(wanted), chosen)
    elif protocol == "group":
        wanted = group.wanted(path, limit)
        least = {name: group.least_of(engine.card) for name, engine in engines.items()}
        found = group.measured(seen_of(wanted, needs_all=False), least)
    else:
        gallery = identify.gallery_of(path, limit)
        found = identify.measured(seen_of({name for part in gallery for name in part}), gallery)
    cards = [find(DETECTOR).card, *(engine.card for engine in engines.values())]
    about = provenance(cards, data=[str(path)], protocol=protocol, seen=list(seen))
    return replace(found, provenance=about)


def _one(data: Paths) -> Path:
    """The set; a `WrongCallError` if there are several, or a split."""
    paths = listed(data)
    if len(paths) != 1 or split_of(paths[0])[1] is not None:
        raise WrongCallError("faces are measured on one set, a folder or a .tar file, as a whole.")
    return Path(paths[0])
