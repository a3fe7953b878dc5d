"""How well faces are told apart: the whole way from a picture to its numbers, on sets like LFW.

Each picture is one of a person whose face is nearest to its middle: it is found, aligned and
embedded. `pairs` is the protocol of Labeled Faces in the Wild (Huang et al. 2007), image
restricted, trained on others' pictures: are two pictures of one person? For each fold the
threshold is the best one of the other folds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.defaults import FINDER, RECOGNIZER
from opsin.errors import DataError, WrongCallError
from opsin.evaluate.report import Metric, Report, Scores, in_order, provenance, summarize
from opsin.evaluate.roc import area, best_threshold, equal_error
from opsin.evaluate.seen import SEEN, check
from opsin.faces.pipeline import Face, find_faces
from opsin.faces.recognize import embed_pixels, engine_of
from opsin.files import few, shown
from opsin.machine import cores
from opsin.models.engine import Engine
from opsin.models.store import find
from opsin.sets.pictures import read
from opsin.sets.sources import Paths, listed
from opsin.sets.splits import beside, split_of

Pixels: TypeAlias = NDArray[np.uint8]

PAIRS: Final = "pairs.txt"
PROTOCOLS: Final = ("pairs",)
WEAK: Final = 0.3
"""Score of a face that is believed where there is no better one, for each picture has a face."""
RATES: Final = (1e-2, 1e-3, 1e-4)
"""False-accept rates whose thresholds are told."""
BINS: Final = 20_000  # of similarity, from -1 to 1
BLOCK: Final = 512  # faces that are compared with all others at a time

ACCURACY: Final = Metric("right", "accuracy", ".2%", "higher", "pairs that are told rightly")
ERROR: Final = Metric("error", "± error", ".2%", "zero", "standard error of it, over the folds")
AUC: Final = Metric("auc", "AUC", ".4f", "higher", "area below the ROC curve")
EER: Final = Metric("eer", "EER", ".2%", "lower", "errors where both kinds are as frequent")
TAR: Final = Metric(
    "tar", "TAR 0.001", ".2%", "higher", "same pairs above the threshold of FAR 0.001"
)
MISSED: Final = Metric("missed", "no face", ".0f", "lower", "pictures on which no face is found")
MILLISECONDS: Final = Metric("milliseconds", "ms", ".1f", "lower", "a picture, on one core")


class Pair(NamedTuple):
    """Two pictures, by their names without a suffix, and whether they are of one person."""

    first: str
    second: str
    same: bool
    fold: int


class Seen(NamedTuple):
    """What was seen of one picture, and how long it took."""

    vector: Floats | None
    """(D,) of length 1; None if no face was found."""
    milliseconds: float


def evaluate(
    data: Paths,
    *,
    model: str | Sequence[str] = RECOGNIZER,
    protocol: str = "pairs",
    seen: Sequence[str] = ("color",),
    limit: int | None = None,
    on_picture: Callable[[Any], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> Report:
    """The report on recognizers over the set `data`, a folder or a tar with a `pairs.txt`.

    `model` are names, `seen` ways of `opsin.evaluate.seen.SEEN`. A row is a model, or a model and
    a way. `limit` is how many pairs are taken, spread over all folds.
    """
    check(seen)
    if protocol not in PROTOCOLS:
        raise WrongCallError(f"'{shown(protocol)}' is none of {', '.join(PROTOCOLS)}.")
    models = [model] if isinstance(model, str) else list(model)
    engines = {name: engine_of(name, threads=1) for name in models}
    path = _one(data)
    pairs = _some(parse_pairs(beside(path, PAIRS).decode("utf-8", "replace"), str(path)), limit)
    wanted = {name for pair in pairs for name in (pair.first, pair.second)}
    rows = look(path, wanted, engines, seen, on_picture=on_picture, on_skip=on_skip)
    cards = [find(FINDER).card, *(engine.card for engine in engines.values())]
    about = provenance(cards, data=[str(path)], protocol=protocol, seen=list(seen))
    return replace(_of_pairs(rows, pairs), provenance=about)


def look(
    path: Path,
    wanted: set[str],
    engines: Mapping[str, Engine],
    ways: Sequence[str],
    *,
    on_picture: Callable[[Any], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> dict[str, dict[str, Seen]]:
    """For each model and way, in one name: what was seen of each wanted picture.

    Pictures that the set lacks are a `DataError`.
    """
    rows = {
        (name, way): f"{name}, {way}" if len(ways) > 1 else name for name in engines for way in ways
    }
    found: dict[str, dict[str, Seen]] = {row: {} for row in rows.values()}

    def work(picture: tuple[str, Pixels]) -> tuple[str, dict[str, Seen]]:
        name, rgb = picture
        shown = {way: SEEN[way](rgb, name) for way in ways}
        return name, {row: seen(shown[way], engines[one]) for (one, way), row in rows.items()}

    pictures = read(path, on_skip=on_skip, only=lambda name: _plain(name) in wanted)
    for name, ones in in_order(work, pictures, cores()):
        for row, one in ones.items():
            found[row][_plain(name)] = one
        if on_picture:
            on_picture(name)
    if missing := sorted(wanted - next(iter(found.values())).keys()):
        raise DataError(f"{shown(path)}: {len(missing)} pictures are not in it{few(missing)}.")
    return found


def seen(rgb: Pixels, engine: Engine) -> Seen:
    """The face nearest to the middle of sRGB pixels (H, W, 3), embedded."""
    began = time.perf_counter()
    face = middle_face(rgb)
    vector = None if face is None else embed_pixels(rgb, [face.landmarks], engine).vectors[0]
    return Seen(vector, 1000 * (time.perf_counter() - began))


def middle_face(rgb: Pixels) -> Face | None:
    """The face nearest to the middle; None if there is none, not even a weak one."""
    for threshold in (None, WEAK):
        if found := list(find_faces(rgb, threshold=threshold, threads=1)):
            middle = np.array([rgb.shape[1], rgb.shape[0]]) / 2
            return min(found, key=lambda face: float(np.hypot(*(_center(face) - middle))))
    return None


def parse_pairs(text: str, path: str) -> list[Pair]:
    """The pairs of an LFW `pairs.txt`; what is wrong with it is a `DataError`.

    Its first line tells how many folds there are and how many pairs of each kind one has. Then
    come, fold by fold, NAME N M for pictures NAME/NAME_000N and NAME/NAME_000M of one person, and
    NAME N OTHER M of two, with tabs between them.

    >>> parse_pairs("1\\t1\\nAda\\t1\\t2\\nAda\\t1\\tBo\\t13", "faces")[1]
    Pair(first='Ada/Ada_0001', second='Bo/Bo_0013', same=False, fold=0)
    """
    head, *lines = [line.split("\t") for line in text.splitlines() if line.strip()] or [[]]
    if len(head) != 2 or not all(one.isdecimal() and int(one) for one in head):
        raise DataError(f"{shown(path)}: the first line of {PAIRS} must be two numbers.")
    folds, each = map(int, head)
    if len(lines) != 2 * folds * each:
        raise DataError(
            f"{shown(path)}: {PAIRS} has {len(lines)} pairs, its first line promises "
            f"{2 * folds * each}."
        )
    return [_pair(line, number, each, path) for number, line in enumerate(lines)]


def thresholds(vectors: Floats, people: Sequence[str], rates: Iterable[float]) -> list[float]:
    """For each false-accept rate the least similarity that no larger share of strangers reaches.

    `vectors` are (N, D) of length 1, `people` whose each is; all pairs of different people count.
    """
    _, owners = np.unique(np.array(people), return_inverse=True)
    counts = np.zeros(BINS, np.int64)
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        alike = vectors[part] @ vectors.T
        strangers = alike[owners[part, None] != owners[None]]
        counts += np.histogram(strangers.clip(-1, 1), BINS, (-1, 1))[0]
    if not counts.any():
        return [float("nan") for _ in rates]
    above = np.append(counts[::-1].cumsum()[::-1], 0) / counts.sum()  # at or above each edge
    edges = np.linspace(-1, 1, BINS + 1)
    return [float(edges[np.argmax(above <= rate)]) for rate in rates]


def _of_pairs(rows: Mapping[str, Mapping[str, Seen]], pairs: Sequence[Pair]) -> Report:
    names = tuple(f"{pair.first} {pair.second}" for pair in pairs)
    told = [ACCURACY]
    found = Report(names, (ACCURACY,), (), unit="pairs")
    figures: dict[Metric, dict[str, float]] = {}
    done = []
    for row, ones in rows.items():
        scores, more = _scored(ones, pairs)
        done.append(summarize(row, scores, told))
        for metric, value in more.items():
            figures.setdefault(metric, {})[row] = value
    found = replace(found, rows=tuple(done))
    for metric, values in figures.items():
        found = found.with_figure(metric, values)
    return found


def _scored(
    ones: Mapping[str, Seen], pairs: Sequence[Pair]
) -> tuple[list[Scores], dict[Metric, float]]:
    """What each pair scored, and the figures that are known of all together."""
    alike = np.array([_similarity(ones[pair.first], ones[pair.second]) for pair in pairs])
    same, folds = np.array([pair.same for pair in pairs]), np.array([pair.fold for pair in pairs])
    right = np.zeros(len(pairs), bool)
    for fold in np.unique(folds):
        own = folds == fold
        right[own] = (alike[own] >= best_threshold(alike[~own], same[~own])) == same[own]
    each = np.array([right[folds == fold].mean() for fold in np.unique(folds)])
    there = {name: one.vector for name, one in ones.items() if one.vector is not None}
    vectors = np.array(list(there.values()), np.float32)
    limits = thresholds(vectors, [name.split("/")[0] for name in there], RATES)
    figures = {
        ERROR: float(each.std(ddof=1) / np.sqrt(len(each))),
        AUC: area(alike, same),
        EER: equal_error(alike, same),
        TAR: float((alike[same] >= limits[RATES.index(1e-3)]).mean()),
        **{_limit(rate): value for rate, value in zip(RATES, limits, strict=True)},
        MISSED: float(len(ones) - len(there)),
        MILLISECONDS: float(np.mean([one.milliseconds for one in ones.values()])),
    }
    columns = zip(right, alike, same, folds, strict=True)
    return [
        {"right": float(r), "similarity": float(s), "same": float(t), "fold": float(f)}
        for r, s, t, f in columns
    ], figures


def _limit(rate: float) -> Metric:
    meaning = f"similarity that {rate:g} of all pairs of strangers reach"
    return Metric(f"at {rate:g}", f"at {rate:g}", ".3f", "zero", meaning)


def _similarity(one: Seen, other: Seen) -> float:
    """0, as strangers', where a face is missing."""
    if one.vector is None or other.vector is None:
        return 0.0
    return float(one.vector @ other.vector)


def _one(data: Paths) -> Path:
    """The set; a `WrongCallError` if there are several, or a split."""
    paths = listed(data)
    if len(paths) != 1 or split_of(paths[0])[1] is not None:
        raise WrongCallError("faces are measured on one set, a folder or a .tar file, as a whole.")
    return Path(paths[0])


def _some(pairs: list[Pair], limit: int | None) -> list[Pair]:
    """At most `limit` pairs, from all folds and of both kinds."""
    some = pairs[:: -(-len(pairs) // limit)] if limit else pairs
    if len({pair.fold for pair in some}) < 2 or len({pair.same for pair in some}) < 2:
        raise DataError("the pairs must be of two folds or more, and of both kinds.")
    return some


def _pair(line: list[str], number: int, each: int, path: str) -> Pair:
    fold, place = divmod(number, 2 * each)
    match line:
        case [name, first, second] if first.isdecimal() and second.isdecimal() and place < each:
            return Pair(_picture(name, first), _picture(name, second), True, fold)
        case [name, first, other, second] if first.isdecimal() and second.isdecimal():
            if place >= each:
                return Pair(_picture(name, first), _picture(other, second), False, fold)
    raise DataError(f"{shown(path)}: line {number + 2} of {PAIRS} is no pair of its kind.")


def _picture(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}"


def _plain(name: str) -> str:
    """A picture's name as pairs have it: its folder and its file's name without the suffix."""
    return "/".join(PurePosixPath(name).with_suffix("").parts[-2:])


def _center(face: Face) -> Floats:
    return np.asarray((face.box[:2] + face.box[2:]) / 2)
