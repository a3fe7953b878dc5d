"""A face is more like itself than like others, however its photograph is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from skimage import data as skimage_data

import opsin
from opsin.drawing.pixels import resized
from opsin.errors import ModelError
from opsin.faces.recognize import Embeddings, embed, similarity
from opsin.models.store import find

SAMPLES = Path(__file__).parents[2] / "samples"
SAME, STRANGERS = 0.6, 0.3


def faces_of(picture: object, **options: object) -> Embeddings:
    """Of the surest face: in a picture that was enlarged others seem to be."""
    return embed(picture, list(opsin.find_faces(picture))[:1], **options)


@pytest.fixture(scope="module")
def hers() -> Embeddings:
    """The astronaut's face, in gray."""
    return faces_of(SAMPLES / "astronaut.jpg")


@pytest.fixture(scope="module")
def others() -> list[Embeddings]:
    return [faces_of(SAMPLES / f"{name}.jpg") for name in ("admiral", "photographer")]


VIEWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "in color": lambda rgb: rgb,
    "16 bits": lambda rgb: rgb.astype(np.uint16) * 257,
    "darkened": lambda rgb: rgb // 3,
    "gray": lambda rgb: rgb.mean(axis=2).astype(np.uint8),
    "half the size": lambda rgb: resized(rgb, 256, 256),
    "five times the size": lambda rgb: resized(rgb, 2560, 2560),
    "mirrored": lambda rgb: np.ascontiguousarray(rgb[:, ::-1]),
    "on its side": lambda rgb: np.ascontiguousarray(np.rot90(rgb)),
    "on its other side": lambda rgb: np.ascontiguousarray(np.rot90(rgb, 3)),
    "on its head": lambda rgb: np.ascontiguousarray(rgb[::-1, ::-1]),
}


@pytest.mark.parametrize("view", VIEWS)
def test_her_face_is_hers_and_nobody_else_s(view: str, hers, others) -> None:
    seen = faces_of(VIEWS[view](skimage_data.astronaut()))
    assert similarity(seen, hers).shape == (1, 1)
    assert similarity(seen, hers)[0, 0] > SAME
    for other in others:
        assert similarity(seen, other).max() < STRANGERS


def test_numbers_have_length_1_and_the_name_of_their_model(hers) -> None:
    assert hers.vectors.shape == (1, 256)
    assert hers.vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(hers.vectors, axis=1), 1, atol=1e-6)
    assert hers.model == f"face-reid {find('face-reid').card.sha256[:12]}"
    assert similarity(hers, hers)[0, 0] == pytest.approx(1)


def test_one_row_for_each_face_and_none_for_none(hers) -> None:
    photo = opsin.open(SAMPLES / "astronaut.jpg")
    two = opsin.open(np.concatenate([photo.pixels, photo.pixels[:, ::-1]], axis=1))
    found = opsin.find_faces(two)
    assert len(embed(two, found)) == 2
    some = embed(two, [found[1]])
    assert np.allclose(some.vectors, embed(two, found).vectors[1:], atol=1e-6)
    none = embed(photo, [])
    assert none.vectors.shape == (0, 256)
    assert similarity(none, hers).shape == (0, 1)


def test_faces_of_two_models_are_not_compared(hers) -> None:
    card = msgspec.structs.replace(hers.card, sha256="0" * 64)
    with pytest.raises(ModelError, match=r"by 'face-reid \w+' and by 'face-reid 000000000000'"):
        similarity(hers, Embeddings(hers.vectors, card))


def test_other_models_are_refused() -> None:
    picture = np.zeros((9, 9), np.uint8)
    with pytest.raises(ModelError, match="model 'yunet' recognizes no faces: its task is 'faces'"):
        embed(picture, [], model="yunet")
    with pytest.raises(ModelError, match="one model"):
        embed(picture, [], model="face-reid,face-reid")


def test_threads_give_the_same(hers) -> None:
    assert np.allclose(
        faces_of(SAMPLES / "astronaut.jpg", threads=1).vectors, hers.vectors, atol=1e-4
    )


def test_a_card_of_another_network_says_where_points_go(hers, models, tmp_path) -> None:
    """A network that gives the mean of each channel: the card says in which order they come."""
    means = {}
    for channels in ("rgb", "bgr"):
        card = write_means(models, channels)
        picture = np.zeros((64, 64, 3), np.uint8)
        picture[..., 0] = 200
        [face] = opsin.find_faces(SAMPLES / "astronaut.jpg")
        means[channels] = embed(picture, [face], model=str(card)).vectors[0].round(3).tolist()
    assert means == {"rgb": [1, 0, 0], "bgr": [0, 0, 1]}


def write_means(folder: Path, channels: str) -> Path:

    from onnx import TensorProto, helper

    from opsin.models.card import write_card

    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["means"]),
        helper.make_node("Flatten", ["means"], ["y"]),
    ]
    shapes = {"x": ["N", 3, 32, 32], "y": ["N", 3]}
    ports = [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in shapes.items()]
    graph = helper.make_graph(nodes, "means", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = bytes(model.SerializeToString())
    old = find("face-reid").card
    card = msgspec.structs.replace(
        old,
        name=channels,
        file=f"{channels}.onnx",
        sha256=hashlib.sha256(data).hexdigest(),
        size=32,
        inputs=(msgspec.structs.replace(old.inputs[0], name="x", shape=("N", 3, 32, 32)),),
        outputs=(msgspec.structs.replace(old.outputs[0], name="y", shape=("N", 3)),),
        recognize=msgspec.structs.replace(old.recognize, channels=channels),
    )
    (folder / card.file).write_bytes(data)
    write_card(card, folder / f"{channels}.toml")
    return folder / f"{channels}.toml"
