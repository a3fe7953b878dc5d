"""`opsin train` for HOG and a linear SVM: Dalal and Triggs 2005, section 3.

Windows with faces and without are told apart by a linear SVM; then the windows without a face that
it is surest of are looked for in all pictures, added, and it learns again. A round is a step of the
recipe; they take a minute, so a stopped run begins anew. A fifth of the pictures without faces is
kept aside: on those the threshold is set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.errors import DataError, needs_extra
from opsin.faces import hog, learned
from opsin.faces.haar import shrunk
from opsin.files import shown, write_atomically
from opsin.models.card import DIRECTIONS, Card, FaceTable, Input, Output, write_card
from opsin.training.recipe import Recipe, section

Gray: TypeAlias = NDArray[np.uint8]

GROWTH: Final = 1.2  # from one size of windows to the next
ASIDE: Final = 5  # every so many pictures without a face is not learned from
SLOPE: Final = 2.0  # of the score at the threshold, by the SVM's distance


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[network]` table."""

    kind: Literal["hog"] = "hog"
    window: Annotated[int, Meta(ge=16, le=64, multiple_of=4)] = 32
    """Pixels of a side."""


class Objective(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[objective]` table."""

    strength: Annotated[float, Meta(ge=1e-6, le=100)] = 0.01
    """C of the SVM: what a window on the wrong side costs."""
    false_alarms: Annotated[float, Meta(ge=0.001, le=100)] = 0.03
    """Windows for a picture without a face that may be taken for one."""


def train(
    recipe: Recipe,
    data: Sequence[Path],
    out: Path,
    *,
    on_message: Callable[[str], None] = lambda text: None,
    on_step: Callable[[int, str], None] = lambda step, text: None,
) -> Path:
    """As `opsin.faces.learned.train`; NAME.onnx lies beside the card."""
    network = section(recipe.network, Network, "network")
    goal = section(recipe.objective, Objective, "objective")
    settings = section(recipe.data, learned.Data, "data")
    with needs_extra("training a HOG detector", "learn"):
        import onnx  # noqa: F401
        from sklearn.svm import LinearSVC
    card = out / f"{recipe.name}.toml"
    learned.check_run(recipe, out)
    if card.exists():
        on_message(f"{shown(out)}: this run is finished.")
        return card
    portraits, others = learned.apart(data, settings.portraits)
    side = network.window + 2 * hog.RIM
    # a window with its rim shows that much more of the photograph
    faces = learned.face_windows(portraits, side, settings.wider * side / network.window)
    pictures = learned.pictures_without(others, settings.pictures, recipe.seed)
    aside, pictures = pictures[::ASIDE], [one for n, one in enumerate(pictures) if n % ASIDE]
    if not pictures:
        raise DataError(f"only {len(aside)} pictures without a face: {ASIDE} or more are needed.")
    on_message(f"{len(faces)} windows of faces, {len(pictures)} pictures to find others in")
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / learned.RECIPE, msgspec.json.format(msgspec.json.encode(recipe)))
    rng = np.random.default_rng(recipe.seed)
    known = hog.blocks(faces)
    wrong = hog.blocks(at_random(pictures, side, settings.others, rng))
    weights, bias = np.zeros(known.shape[1:], np.float32), 0.0
    for round in range(1, recipe.steps + 1):
        both = np.concatenate([known, wrong])
        svm = LinearSVC(C=goal.strength, random_state=recipe.seed, class_weight="balanced")
        svm.fit(both.reshape(len(both), -1), np.arange(len(both)) < len(known))
        weights, bias = (
            svm.coef_[0].astype(np.float32).reshape(weights.shape),
            float(svm.intercept_[0]),
        )
        right = (np.tensordot(known, weights, 3) + bias > 0).mean()
        on_step(round, f"{right:.2%} of {len(known)} faces are told from {len(wrong)} windows")
        if round < recipe.steps:
            found = [hardest(one, weights, bias, network.window) for one in pictures]
            wrong = np.concatenate([wrong, *found])
    least = threshold(aside, weights, bias, network.window, goal.false_alarms)
    save(weights, bias - least, recipe, data, out, network.window)
    return card


def at_random(pictures: Sequence[Gray], side: int, count: int, rng: np.random.Generator) -> Gray:
    """(N, side, side): about `count` windows of all sizes and places."""
    seen = []
    for picture in pictures:
        if min(picture.shape) >= side:
            lots = learned.lots(picture, side, rng)[: -(-count // len(pictures))]
            seen += [shrunk(picture[y1:y2, x1:x2], side, side) for x1, y1, x2, y2 in lots]
    if not seen:
        raise DataError(f"no picture without a face has {side} pixels on its short side.")
    return np.stack(seen)


def maps(picture: Gray, side: int) -> list[Floats]:
    """The blocks (36, h, w) of a picture at every size at which a window fits in."""
    found, scale, small = [], 1.0, picture
    while min(picture.shape) / scale >= side + 2 * hog.RIM:
        small = shrunk(small, *(round(length / scale) for length in picture.shape))
        found.append(hog.blocks(small))
        scale *= GROWTH
    return found


def distances(blocks: Floats, weights: Floats, bias: float) -> tuple[Floats, Floats]:
    """The SVM's distance (h, w) of each window, and the windows' blocks (h, w, 36, k, k)."""
    every = np.lib.stride_tricks.sliding_window_view(blocks, weights.shape[1:], axis=(1, 2))
    every = every.transpose(1, 2, 0, 3, 4)
    return np.tensordot(every, weights, 3) + bias, every


def hardest(picture: Gray, weights: Floats, bias: float, side: int) -> Floats:
    """(N, 36, k, k): the windows that are taken for faces, of each picture not all."""
    found = []
    for one in maps(picture, side):
        away, every = distances(one, weights, bias)
        rows, columns = np.nonzero(away > 0)
        best = np.argsort(-away[rows, columns], kind="stable")[: learned.EACH // 4]
        found.append(every[rows[best], columns[best]])
    empty = np.zeros((0, *weights.shape), np.float32)
    return np.concatenate([empty, *found])[: learned.EACH]


def threshold(
    pictures: Sequence[Gray], weights: Floats, bias: float, side: int, alarms: float
) -> float:
    """The distance that at most `alarms` windows a picture reach; 0 or more."""
    found = [
        distances(one, weights, bias)[0].ravel() for all in pictures for one in maps(all, side)
    ]
    far = np.sort(np.concatenate(found))[::-1]
    return max(0.0, float(far[min(len(far) - 1, int(alarms * len(pictures)))]))


def save(
    weights: Floats, bias: float, recipe: Recipe, data: Sequence[Path], out: Path, side: int
) -> None:
    """The network and its card; the card is last."""
    made = graph(weights, bias)
    write_atomically(out / f"{recipe.name}.onnx", made)
    sets = ", ".join(Path(path).name for path in data)
    card = Card(
        name=recipe.name,
        version="1",
        task="faces",
        network="hog",
        file=f"{recipe.name}.onnx",
        sha256=hashlib.sha256(made).hexdigest(),
        license=recipe.license or "not stated: what the pictures that it learned from allow",
        paper="https://doi.org/10.1109/CVPR.2005.177",
        training_data=f"{sets}; seed {recipe.seed}. It finds upright faces and knows nobody"[:1000],
        size=1024,
        inputs=(Input(name="blocks", shape=(1, 4 * DIRECTIONS, "H", "W"), unit="HOG of luma"),),
        outputs=(Output(name="score", shape=(1, 1, "h", "w")),),
        faces=FaceTable(
            threshold=0.5, overlap=0.3, smallest=side, largest=side * GROWTH, good=0.9, fair=0.8
        ),
    )
    write_card(card, out / f"{recipe.name}.toml")


def graph(weights: Floats, bias: float) -> bytes:
    """The ONNX file: a convolution, and a sigmoid that is one half at the threshold."""
    from onnx import TensorProto, helper, numpy_helper

    steep: Any = (SLOPE * weights)[None].astype(np.float32)
    values = {"weights": steep, "bias": np.array([SLOPE * bias], np.float32)}
    made = helper.make_graph(
        [
            helper.make_node("Conv", ["blocks", "weights", "bias"], ["distance"]),
            helper.make_node("Sigmoid", ["distance"], ["score"]),
        ],
        "hog",
        [helper.make_tensor_value_info("blocks", TensorProto.FLOAT, [1, len(weights), "H", "W"])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [1, 1, "h", "w"])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString())
