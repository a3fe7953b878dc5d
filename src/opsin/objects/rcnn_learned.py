"""`opsin train` for R-CNN: features of all regions, then a linear SVM and a regression a class.

    pictures with boxes -> selective search -> each region as a square -> EfficientNet-lite0
    -> features, kept in the run's folder, which is what takes the time
    -> SVMs: the things against regions that hardly touch them; the hardest of those are looked for
       in all pictures, added, and they learn again (Girshick et al. 2014, section 2.3)
    -> a regression from regions near a thing to its box (appendix C)

A step of the recipe is a round of the SVMs. There are no gradients, no epochs and no optimizer, so
the loop of `opsin.training` is not for it. A stopped run goes on with the features that it has.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.errors import DataError, RecipeError, needs_extra
from opsin.files import shown, write_atomically
from opsin.formats import small
from opsin.interrupt import Stopped, asked_to_stop
from opsin.machine import cores
from opsin.models.card import Card, Detect, Input, Output, Text, write_card
from opsin.models.store import staging
from opsin.objects.crops import warped
from opsin.objects.proposals import kept_proposals
from opsin.objects.search import AT_ONCE, CROPS, fitted
from opsin.sets.labeled import Labeled, check_named, names_in, things_on
from opsin.sets.listing import list_pictures
from opsin.sets.sources import Picture, read
from opsin.training.recipe import PartialShare, Recipe, recipe_of_run, section

RECIPE: Final = "recipe.json"
PAPER: Final = "https://arxiv.org/abs/1311.2524"
FIRST: Final = 10  # regions a picture without a thing that the first round learns from
HARDEST: Final = 20  # of a picture, that a round adds at most
BORDER: Final = -1.0  # the distance beyond which an SVM has nothing to learn of what is no thing


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[network]` table."""

    kind: Literal["rcnn"] = "rcnn"
    classes: Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()
    """What it finds; empty: all that is on the training pictures."""
    size: Annotated[int, Meta(ge=64, le=2048)] = 384
    """The longer side of the picture that regions are cut from, in pixels."""
    crop: Annotated[int, Meta(ge=32, le=512, multiple_of=32)] = 96
    """The side of a region's square, in pixels."""
    proposals: Annotated[int, Meta(ge=1, le=2000)] = 200
    """How many regions of a picture are looked at."""
    threshold: Annotated[float, Meta(ge=0.01, le=1)] = 0.5
    """The least score of what is told, as it will stand on the card."""
    overlap: PartialShare = 0.3
    """Of two boxes with one label that share more than this, the better is told."""


class Objective(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[objective]` table."""

    strength: Annotated[float, Meta(ge=1e-9, le=100)] = 1e-4
    """C of the SVMs: what a region on the wrong side costs."""
    on: PartialShare = 1.0
    """A region that shares as much with a thing is one for the SVMs; 1: the thing's box alone."""
    off: PartialShare = 0.3
    """A region that shares less than this with all things of a class is none of them."""
    near: PartialShare = 0.6
    """A region that shares more than this with a thing teaches the regression."""
    ridge: Annotated[float, Meta(ge=0, le=1e9)] = 1000.0
    """How the regression's weights are held down."""


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[data]` table."""

    pictures: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000_000
    """How many are learned from, drawn by lot; all if there are fewer."""


class Seen(NamedTuple):
    """The regions of one picture, a row each; the first are the boxes of its things."""

    regions: Floats
    """(R, 4) in pixels of the picture of `network.size`."""
    features: NDArray[np.float16]
    """(R, 320, k, k): the encoder's last map."""
    shared: Floats
    """(R, C): how much a region shares with a thing of each class, at most."""
    wanted: Floats
    """(R, C, 4): the box of that thing."""


def train(
    recipe: Recipe,
    data: Sequence[Path],
    out: Path,
    *,
    on_message: Callable[[str], None] = lambda text: None,
    on_step: Callable[[int, str], None] = lambda step, text: None,
) -> Path:
    """Learns an R-CNN by a recipe from sets with boxes; its card's path, NAME.onnx beside it.

    A stopped run goes on: call it again with the same arguments. Raises `RecipeError` and
    `DataError` before anything in `out` is changed, and `opsin.interrupt.Stopped` after a stop.
    """
    network = section(recipe.network, Network, "network")
    goal = section(recipe.objective, Objective, "objective")
    settings = section(recipe.data, Data, "data")
    with needs_extra("training an R-CNN", "train"):
        from opsin.objects.networks.rcnn import RCNN
    with needs_extra("training an R-CNN", "learn"):
        import sklearn  # noqa: F401
    card = out / f"{recipe.name}.toml"
    check_run(recipe, out)
    if card.exists():
        on_message(f"{shown(out)}: this run is finished.")
        return card
    listing = list_pictures(data, workers=cores())
    order = np.random.default_rng(recipe.seed).permutation(len(listing.pictures))
    listing = listing.take(np.sort(order[: settings.pictures]))
    check_named(listing)
    classes = network.classes or tuple(names_in(list(data)))
    told = [things_on(picture) for picture in listing.pictures]
    if lacking := [name for name in classes if not any(name in one.names for one in told if one)]:
        raise DataError(f"nothing on the training pictures is called '{lacking[0]}'.")
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / RECIPE, msgspec.json.format(msgspec.json.encode(recipe)))
    made = RCNN(len(classes), crop=network.crop)
    seen = all_features(made, listing.pictures, network, classes, out, on_message)
    even(made, seen)
    rows = [flat(one, made) for one in seen]
    learn_classes(made, seen, rows, goal, recipe, on_step)
    learn_places(made, seen, rows, goal)
    sets = ", ".join(Path(path).name for path in data)
    save(made, network, classes, recipe, f"{sets}; seed {recipe.seed}", out)
    return card


def check_run(recipe: Recipe, out: Path) -> None:
    """Refuses a folder that holds a run of another recipe."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{shown(out)}: this is a file. Give the name of a folder as --out.")
    try:
        before = recipe_of_run(out / RECIPE)
    except FileNotFoundError:
        return
    if before != recipe:
        raise RecipeError(
            f"{shown(out)}: this folder holds a run of the recipe '{before.name}' with other "
            "values. Nothing was changed. Train into another --out."
        )


def all_features(
    made: Any,
    pictures: Sequence[Picture],
    network: Network,
    classes: Sequence[str],
    out: Path,
    on_message: Callable[[str], None],
) -> list[Seen]:
    """What the encoder says of all regions of all pictures; kept in `out`, picture by picture."""
    from opsin.backbones.efficientnet import folded_encoder, imagenet_weights

    made.encoder.load_state_dict(folded_encoder(imagenet_weights(), colors=3))
    made.eval()
    folder = out / "features"
    folder.mkdir(exist_ok=True)
    found: list[Seen] = []
    with asked_to_stop(on_message) as stop:
        for number, picture in enumerate(pictures):
            if stop():
                raise Stopped(f"the features of {number} pictures are in {shown(folder)}")
            path = folder / f"{number:06d}.npz"
            if not path.exists():
                one = look(made, picture, network, classes)
                buffer = io.BytesIO()
                np.savez(buffer, **one._asdict())
                write_atomically(path, buffer.getvalue())
            with np.load(path) as kept:
                found.append(Seen(**{name: kept[name] for name in Seen._fields}))
            if (number + 1) % 20 == 0 or number + 1 == len(pictures):
                on_message(f"looked at the regions of {number + 1} of {len(pictures)} pictures")
    return found


def look(made: Any, picture: Picture, network: Network, classes: Sequence[str]) -> Seen:
    """The regions of a picture: its things, and what selective search proposes."""
    rgb = small.whole(read(picture)).numpy()
    square, by = fitted(rgb, network.size, "pad")
    things = things_on(picture) or Labeled(np.zeros((0, 4), np.float32), ())
    true = boxes.scale(things.boxes, *by)
    proposed = boxes.scale(kept_proposals(picture, lambda: rgb)[: network.proposals], *by)
    regions = np.concatenate([true, proposed])
    shared = boxes.iou(regions, true)
    crowd = np.array([not name for name in things.names], bool)
    each, wanted = [], []
    for name in classes:
        own = np.array([one == name for one in things.names], bool)
        # what lies on a crowd may be of any class, and teaches none
        every = np.pad(np.where(own | crowd, shared, 0), ((0, 0), (0, 1)))
        each.append(every.max(axis=1))
        wanted.append(np.pad(true, ((0, 1), (0, 0)))[(every * np.append(own, True)).argmax(axis=1)])
    maps = features(made, square, regions, network.crop)
    return Seen(regions, maps, np.stack(each, axis=1), np.stack(wanted, axis=1))


def features(made: Any, square: Floats, regions: Floats, crop: int) -> NDArray[np.float16]:
    """(R, 320, k, k): the last map of each region."""
    import torch

    found = []
    with torch.inference_mode():
        for start in range(0, len(regions), AT_ONCE):
            crops = torch.from_numpy(warped(square, regions[start : start + AT_ONCE], crop))
            found.append(made.last_map(crops.to(memory_format=torch.channels_last)).half().numpy())
    return np.concatenate(found)


def even(made: Any, seen: Sequence[Seen]) -> None:
    """Sets by what each channel is brought to mean 0 and deviation 1 over all regions."""
    import torch

    count = sum(one.features[:, 0].size for one in seen)
    sums = sum(one.features.sum(axis=(0, 2, 3), dtype=np.float64) for one in seen)
    squares = sum(
        np.square(one.features, dtype=np.float32).sum(axis=(0, 2, 3), dtype=np.float64)
        for one in seen
    )
    mean = np.asarray(sums) / count
    made.even.running_mean.copy_(torch.from_numpy(mean))
    made.even.running_var.copy_(torch.from_numpy(np.asarray(squares) / count - mean**2))


def flat(one: Seen, made: Any) -> NDArray[np.float16]:
    """(R, D): the features as the SVMs see them."""
    import torch

    with torch.inference_mode():
        rows = made.even(torch.from_numpy(one.features).float()).flatten(1)
    return np.asarray(rows.half().numpy())


def learn_classes(
    made: Any,
    seen: Sequence[Seen],
    rows: Sequence[NDArray[np.float16]],
    goal: Objective,
    recipe: Recipe,
    on_step: Callable[[int, str], None],
) -> None:
    """A linear SVM for each class; in each round with the regions that it got most wrong."""
    from sklearn.svm import LinearSVC

    classes = made.classes.out_features
    rng = np.random.default_rng(recipe.seed)
    # which regions of which picture each class learns are none of its things
    known = [[_some(off, FIRST, rng) for off in _off(seen, kind, goal)] for kind in range(classes)]
    for step in range(1, recipe.steps + 1):
        wrong = 0
        for kind in range(classes):
            right = [
                row[one.shared[:, kind] >= goal.on] for row, one in zip(rows, seen, strict=True)
            ]
            none = [row[which] for row, which in zip(rows, known[kind], strict=True)]
            examples = np.concatenate([*right, *none]).astype(np.float32)
            is_one = np.arange(len(examples)) < sum(map(len, right))
            svm = LinearSVC(C=goal.strength, class_weight="balanced", random_state=recipe.seed)
            svm.fit(examples, is_one)
            _put(made.classes, kind, 1, svm.coef_, svm.intercept_)
            wrong += _add_hardest(rows, seen, known[kind], svm, kind, goal)
        on_step(step, f"{sum(map(len, none))} regions are none; {wrong} hard ones were found")
        if not wrong:
            break


def _off(seen: Sequence[Seen], kind: int, goal: Objective) -> list[NDArray[np.intp]]:
    """The regions of each picture that are no thing of a class."""
    return [np.flatnonzero(one.shared[:, kind] < goal.off) for one in seen]


def _some(which: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return rng.permutation(which)[:count]


def _add_hardest(
    rows: Sequence[NDArray[np.float16]],
    seen: Sequence[Seen],
    known: list[NDArray[np.intp]],
    svm: Any,
    kind: int,
    goal: Objective,
) -> int:
    """Adds to `known` the regions of each picture that are taken most for what they are not; how
    many."""
    count = 0
    for number, off in enumerate(_off(seen, kind, goal)):
        new = np.setdiff1d(off, known[number])
        away = rows[number][new].astype(np.float32) @ svm.coef_[0] + svm.intercept_[0]
        hard = new[np.argsort(-away, kind="stable")[:HARDEST]]
        hard = hard[np.sort(-away, kind="stable")[:HARDEST] < -BORDER]
        known[number] = np.concatenate([known[number], hard])
        count += len(hard)
    return count


def learn_places(
    made: Any, seen: Sequence[Seen], rows: Sequence[NDArray[np.float16]], goal: Objective
) -> None:
    """For each class, by what a region near a thing becomes the thing's box."""
    from sklearn.linear_model import Ridge

    for kind in range(made.classes.out_features):
        near = [one.shared[:, kind] > goal.near for one in seen]
        every = list(zip(rows, seen, near, strict=True))
        examples = np.concatenate([row[which] for row, _, which in every]).astype(np.float32)
        wanted = np.concatenate([one.wanted[which, kind] for _, one, which in every])
        regions = np.concatenate([one.regions[which] for _, one, which in every])
        ridge = Ridge(alpha=goal.ridge)
        ridge.fit(examples, boxes.encode(wanted, regions))
        _put(made.places, 4 * kind, 4, ridge.coef_, ridge.intercept_)


def _put(layer: Any, first: int, count: int, weights: Any, bias: Any) -> None:
    """Writes what was solved for into rows of a linear layer."""
    import torch

    with torch.no_grad():
        layer.weight[first : first + count] = torch.from_numpy(np.asarray(weights, np.float32))
        layer.bias[first : first + count] = torch.from_numpy(np.asarray(bias, np.float32))


def save(
    made: Any, network: Network, classes: Sequence[str], recipe: Recipe, told: str, out: Path
) -> None:
    """The network and its card; the card is last."""
    import torch

    from opsin.training.export import export_onnx

    def example(count: int) -> dict[str, Any]:
        torch.manual_seed(count)
        corners = network.size * torch.rand(count, 2, 2)
        regions = torch.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=1)
        return {CROPS: 255 * torch.rand(count, 3, network.crop, network.crop), "regions": regions}

    card = Card(
        name=recipe.name,
        version="1",
        task="detect",
        network="rcnn",
        file=f"{recipe.name}.onnx",
        sha256="0" * 64,
        license=recipe.license or "not stated: what the pictures that it learned from allow",
        paper=PAPER,
        training_data=told[:1000],
        parameters=sum(one.numel() for one in made.parameters()),
        size=network.size,
        labels=tuple(classes),
        inputs=(
            Input(
                name=CROPS,
                shape=("R", 3, network.crop, network.crop),
                unit="blue, green, red of sRGB, 0 to 255",
            ),
            Input(name="regions", shape=("R", 4), unit="x1, y1, x2, y2 in pixels of the picture"),
        ),
        outputs=tuple(
            Output(name=name, shape=(1, "N", width))
            for name, width in (("boxes", 4), ("scores", len(classes)), ("origins", 4))
        ),
        detect=Detect(
            threshold=network.threshold,
            overlap=network.overlap,
            fit="pad",
            proposals=network.proposals,
        ),
    )
    axes = {port.name: port.free_axes() for port in (*card.inputs, *card.outputs)}
    with staging(out) as staged:
        export_onnx(
            made,
            [example(3), example(5)],
            staged / card.file,
            output="boxes",
            axes=axes,
            others=["scores", "origins"],
        )
        onnx = (staged / card.file).read_bytes()
    write_atomically(out / card.file, onnx)
    digest = hashlib.sha256(onnx).hexdigest()
    write_card(msgspec.structs.replace(card, sha256=digest), out / f"{recipe.name}.toml")
