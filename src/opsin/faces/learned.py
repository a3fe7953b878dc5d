"""`opsin train` for a cascade: windows with faces, windows without, stage after stage.

    pictures with a face in the middle -> cut where the default detector finds it, and mirrored
    all other pictures                 -> windows that the cascade so far takes for a face
                                       -> one more stage (`opsin.faces.boost`) -> the same again

A stage is a step of the recipe. After each the run's folder holds a whole cascade, which is also
all that a stopped run needs to go on: what a stage learns from depends on the seed, its number and
the stages before it. It takes no torch, no epochs and no optimizer, so the loop of `opsin.training`
is not for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.defaults import DETECTOR
from opsin.drawing.pixels import fitted
from opsin.errors import DataError, RecipeError
from opsin.faces import boost, haar, viola_jones
from opsin.faces.detectors import detector_of
from opsin.faces.stages import prepared
from opsin.faces.strongest import strongest
from opsin.files import shown, write_atomically
from opsin.interrupt import Stopped, asked_to_stop
from opsin.machine import cores
from opsin.models import cascade
from opsin.models.card import Line, write_card
from opsin.models.cascade import Cascade
from opsin.models.engine import MOST_THREADS
from opsin.photo import Photo
from opsin.sets.pictures import read
from opsin.sets.splits import split_of
from opsin.training.recipe import PartialShare, Recipe, recipe_of_run, section

Gray: TypeAlias = NDArray[np.uint8]

RECIPE: Final = "recipe.json"
LONGEST: Final = 400  # pixels of a picture's longer side that windows without a face are cut from
MIDDLE: Final = 0.25  # of the sides: so far from the middle a portrait's face may be
EACH: Final = 40  # windows of one picture for a stage: no picture shall be all that it learns from
FEWEST: Final = 20  # windows of a kind, for a stage to mean anything


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[network]` table."""

    kind: Literal["cascade"] = "cascade"
    window: Annotated[int, Meta(ge=12, le=48)] = 24
    """Pixels of a side."""
    grid: Annotated[int, Meta(ge=1, le=8)] = 2
    """Pixels between the places where rectangles of features may begin and end."""
    features: Annotated[int, Meta(ge=10, le=20_000)] = 4000
    """Drawn by lot for each stage, of all that there are."""
    questions: Annotated[int, Meta(ge=1, le=1000)] = 60
    """Of a stage, at most."""


class Objective(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[objective]` table: what each stage must reach on what it learns from."""

    detection: PartialShare = 0.995
    """The share of faces that pass."""
    false_alarms: PartialShare = 0.4
    """The share of other windows that pass."""


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[data]` table."""

    portraits: Annotated[tuple[Line, ...], Meta(max_length=100)] = ("faces.tar",)
    """The names of those sets in which each picture has a face in its middle. In the others windows
    that do not touch a face are the ones without."""
    wider: Annotated[float, Meta(ge=0.5, le=2)] = 1.0
    """The side of a window, in longer sides of the box that the default detector gives."""
    others: Annotated[int, Meta(ge=FEWEST, le=100_000)] = 2500
    """Windows without a face that a stage learns from."""
    pictures: Annotated[int, Meta(ge=1, le=100_000)] = 800
    """Of those without a face, that they are looked for in."""


def train(
    recipe: Recipe,
    data: Sequence[Path],
    out: Path,
    *,
    on_message: Callable[[str], None] = lambda text: None,
    on_step: Callable[[int, str], None] = lambda step, text: None,
) -> Path:
    """Learns a cascade by a recipe from folders and tars; its card's path, NAME.xml beside it.

    A stopped run goes on: call it again with the same arguments. Raises `RecipeError` and
    `DataError` before anything in `out` is changed, and `opsin.interrupt.Stopped` after a stop.
    """
    if recipe.network.get("kind") == "hog":
        from opsin.faces.hog_learned import train as by_gradients

        return by_gradients(recipe, data, out, on_message=on_message, on_step=on_step)
    network = section(recipe.network, Network, "network")
    goal = section(recipe.objective, Objective, "objective")
    settings = section(recipe.data, Data, "data")
    if network.window % network.grid:
        raise RecipeError("network.grid must divide network.window.", key="network.grid")
    found = going_on(recipe, out)
    portraits, others = apart(data, settings.portraits)
    done = len(found.stages) if found else 0
    if done >= recipe.steps or (out / FINISHED).exists():
        on_message(f"{shown(out)}: this run is finished, after {done} stages.")
        return out / f"{recipe.name}.toml"
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / RECIPE, msgspec.json.format(msgspec.json.encode(recipe)))
    faces = face_windows(portraits, network.window, settings.wider)
    pictures = pictures_without(others, settings.pictures, recipe.seed)
    on_message(f"{len(faces)} windows of faces, {len(pictures)} pictures to find others in")
    with asked_to_stop(on_message) as stop:
        while done < recipe.steps:
            if stop():
                raise Stopped(f"{done} stages are in {shown(out)}")
            rng = np.random.default_rng((recipe.seed, done))
            made = one_more(found, faces, pictures, network, goal, settings.others, rng)
            if made is None:
                on_message(f"after {done} stages no window without a face passes: it is finished")
                write_atomically(out / FINISHED, b"")
                break
            found, told = made
            done += 1
            save(found, recipe, data, out, faces.mean(axis=0))
            on_step(done, told)
    return out / f"{recipe.name}.toml"


FINISHED: Final = "finished"


def going_on(recipe: Recipe, out: Path) -> Cascade | None:
    """The cascade that a run has so far; a run of another recipe is a `RecipeError`."""
    check_run(recipe, out)
    file = out / f"{recipe.name}.xml"
    return cascade.parse(file.read_bytes(), str(file)) if file.exists() else None


def check_run(recipe: Recipe, out: Path) -> None:
    """Refuses a folder that holds a run of another recipe, but for its length."""
    try:
        before = recipe_of_run(out / RECIPE)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise DataError(
            f"{shown(out)}: this is a file. Give the name of a folder as --out."
        ) from None
    if msgspec.structs.replace(before, steps=recipe.steps) != recipe:
        raise RecipeError(
            f"{shown(out)}: this folder holds a run of the recipe '{before.name}' with other "
            "values. Nothing was changed. Train into another --out."
        )


def apart(data: Sequence[Path], names: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """The sets with portraits, and the others; a `RecipeError` if there are none of a kind."""
    portraits = [path for path in data if split_of(path)[0].name in names]
    others = [path for path in data if path not in portraits]
    if not portraits or not others:
        raise RecipeError(
            f"data.portraits names {', '.join(names) or 'nothing'}; there must be such a set among "
            "--data, and another one without faces.",
            key="data.portraits",
        )
    return portraits, others


def face_windows(paths: Sequence[Path], side: int, wider: float) -> Gray:
    """(N, side, side): the face in the middle of each picture, as it is and mirrored."""
    found = []
    for _, rgb in read(list(paths), on_skip=lambda told: None):
        box = middle_box(boxes_on(rgb), rgb.shape)
        if box is None:
            continue
        half, center = wider * float((box[2:] - box[:2]).max()) / 2, (box[:2] + box[2:]) / 2
        left, top = np.rint(center - half).astype(int)
        right, bottom = np.rint(center + half).astype(int)
        if left >= 0 and top >= 0 and right <= rgb.shape[1] and bottom <= rgb.shape[0]:
            window = fitted_gray(rgb[top:bottom, left:right], side)
            found += [window, window[:, ::-1]]
    if len(found) < FEWEST:
        raise DataError(
            f"only {len(found)} faces were found in the portraits: {FEWEST} are needed."
        )
    return np.stack(found)


def fitted_gray(rgb: NDArray[np.uint8], side: int) -> Gray:
    """A square part of a picture as a window. It is halved first as often as that leaves enough."""
    gray = viola_jones.luma(rgb)
    while min(gray.shape) >= 2 * side:
        gray = haar.shrunk(gray, gray.shape[0] // 2, gray.shape[1] // 2)
    return haar.shrunk(gray, side, side)


def boxes_on(rgb: NDArray[np.uint8]) -> Floats:
    """(N, 4): the faces that the default detector finds, upright ones only."""
    finds = detector_of(DETECTOR, threads=min(cores(), MOST_THREADS), device="cpu")
    return finds.search(rgb, 15.0, finds.threshold).boxes


def middle_box(boxes: Floats, shape: Sequence[int]) -> Floats | None:
    """The face nearest to a picture's middle, if it is near."""
    if not len(boxes):
        return None
    sides = np.array([shape[1], shape[0]])
    away = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - sides / 2) / sides
    best = int(away.max(axis=1).argmin())
    return boxes[best] if away[best].max() <= MIDDLE else None


def pictures_without(paths: Sequence[Path], most: int, seed: int) -> list[Gray]:
    """Gray pictures on which the default detector finds no face, drawn by lot."""
    every = [rgb for _, rgb in read(list(paths), on_skip=lambda told: None)]
    found: list[Gray] = []
    for index in np.random.default_rng((seed, 1 << 20)).permutation(len(every)):
        if len(found) >= most:
            break
        if not len(boxes_on(every[index])):
            found.append(viola_jones.luma(fitted(every[index], LONGEST)))
    if not found:
        raise DataError("on each picture of the sets without portraits is a face. Add others.")
    return found


def one_more(
    before: Cascade | None,
    faces: Gray,
    pictures: Sequence[Gray],
    network: Network,
    goal: Objective,
    others: int,
    rng: np.random.Generator,
) -> tuple[Cascade, str] | None:
    """The cascade with one more stage, and how good that is; None if nothing is left to learn."""
    side = network.window
    kept = faces[passing(before, faces)] if before else faces
    wrong = hard(before, pictures, side, others, rng)
    if len(wrong) < FEWEST or len(kept) < FEWEST:
        return None
    windows = np.concatenate([kept, wrong])
    pool = boost.every_feature(side, network.grid)
    drawn = rng.permutation(len(pool))[: network.features]
    features = [pool[number] for number in np.sort(drawn)]
    sums, spread = boost.sums_of(windows)
    values = boost.values_of(features, sums, spread, side)
    known = np.arange(len(windows)) < len(kept)
    learned = boost.learned_stage(
        values,
        known,
        detection=goal.detection,
        false_alarms=goal.false_alarms,
        most=network.questions,
    )
    asked = sorted({stump.feature for stump in learned.stumps})
    first = len(before.features) if before else 0
    numbers = {row: first + number for number, row in enumerate(asked)}
    made = Cascade(
        side,
        side,
        (*(before.features if before else ()), *(features[row] for row in asked)),
        (*(before.stages if before else ()), boost.stage_of(learned, numbers)),
    )
    # as it is read from the file: numbers in single precision
    made = cascade.parse(cascade.write(made), "made")
    told = (
        f"{len(learned.stumps)} questions, {learned.detection:.2%} of {len(kept)} faces and "
        f"{learned.false_alarms:.1%} of {len(wrong)} other windows pass"
    )
    return made, told


def passing(found: Cascade, windows: Gray) -> NDArray[np.bool_]:
    """(N,): which windows pass the whole cascade."""
    made = prepared(found)
    sums, spread = boost.sums_of(windows)
    whole = sums.astype(np.int32).reshape(-1, found.width + 1)
    place = np.arange(len(windows)) * (found.width + 1) ** 2
    some = haar.Windows(place, spread, np.arange(len(windows))[:, None])
    for stage in made.stages:
        some = some.only(haar.passes(whole, some, stage))
    kept = np.zeros(len(windows), bool)
    kept[some.boxes[:, 0]] = True
    return kept & (spread > 0)


def hard(
    found: Cascade | None,
    pictures: Sequence[Gray],
    side: int,
    count: int,
    rng: np.random.Generator,
) -> Gray:
    """(N, side, side), at most `count`: windows without a face that pass all stages so far."""
    seen: list[Gray] = []
    for number in rng.permutation(len(pictures)):
        picture = pictures[number]
        if min(picture.shape) < side:
            continue
        boxes = lots(picture, side, rng) if found is None else passed_on(picture, found)
        for x1, y1, x2, y2 in boxes[rng.permutation(len(boxes))[:EACH]]:
            seen.append(haar.shrunk(picture[y1:y2, x1:x2], side, side))
        if len(seen) >= 2 * count:
            break
    windows = np.stack(seen) if seen else np.zeros((0, side, side), np.uint8)
    _, spread = boost.sums_of(windows) if seen else (None, np.zeros(0))
    windows = windows[spread > 0]
    if found is not None and len(windows):  # cut out they look a little different
        windows = windows[passing(found, windows)]
    return windows[:count]


def lots(picture: Gray, side: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(N, 4): squares of all sizes and places."""
    longest = min(picture.shape)
    sizes = np.exp(rng.uniform(np.log(side), np.log(longest + 1), EACH)).astype(int)
    sizes = sizes.clip(side, longest)
    x, y = (rng.integers(0, length - sizes + 1) for length in picture.shape[::-1])
    return np.stack([x, y, x + sizes, y + sizes], axis=1)


def passed_on(picture: Gray, found: Cascade) -> NDArray[np.intp]:
    return haar.windows(picture, prepared(found), step=viola_jones.GROWTH, min_size=found.width)


def save(found: Cascade, recipe: Recipe, data: Sequence[Path], out: Path, mean: Floats) -> None:
    """The cascade, its card and the picture of its strongest features, each whole or not at all.

    The cascade comes last: it says how far the run is.
    """
    made = cascade.write(found, f"Made by opsin train, recipe {recipe.name}.")
    sets = ", ".join(Path(path).name for path in data)
    card = viola_jones.card_of(
        found,
        name=recipe.name,
        sha256=hashlib.sha256(made).hexdigest(),
        license=recipe.license or "not stated: what the pictures that it learned from allow",
        training_data=f"{sets}; {len(found.stages)} stages, seed {recipe.seed}. It finds upright "
        "faces and knows nobody"[:1000],
    )
    picture = Photo(strongest(found, mean))
    write_atomically(out / "features.png", picture.encode("png"))
    write_card(card, out / f"{recipe.name}.toml")
    write_atomically(out / f"{recipe.name}.xml", made)
