"""A network cut where its optional inputs enter: the same answers, and its encoder run once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, load_from_string, numpy_helper

import opsin
from opsin.models.engine import load_engine, session_of
from opsin.models.halves import halves_of
from opsin.models.store import find


def graph(nodes, *, weights=(), outputs=("y",), inputs=("x", "hint")) -> bytes:
    def value(name: str) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"])

    made = helper.make_graph(
        nodes, "g", [value(one) for one in inputs], [value(one) for one in outputs], list(weights)
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def weight(name: str, *values: float):
    return numpy_helper.from_array(np.array(values, np.float32), name)


def node(kind: str, takes: str, gives: str, **attributes: object):
    return helper.make_node(kind, takes.split(), gives.split(), **attributes)


CUTTABLE = graph(
    [
        node("Constant", "", "two", value=weight("", 2.0)),
        node("Mul", "x two", "a"),
        node("Add", "a one", "b"),
        node("Mul", "hint two", "h"),
        node("Add", "b h", "c"),
        node("Sub", "c a", "y"),
    ],
    weights=[weight("one", 1.0), weight("unused", 9.0)],
)


def answers(data: bytes, path, **feeds: np.ndarray) -> list[np.ndarray]:
    return session_of(data, path, threads=1).run(["y"], feeds)


def test_both_halves_give_what_the_whole_gives(tmp_path) -> None:
    halves = halves_of(CUTTABLE, ["hint"])
    assert halves is not None
    assert set(halves.cut) == {"a", "b"}
    first = load_from_string(halves.first)
    assert [one.name for one in first.graph.input] == ["x"]
    assert [one.name for one in first.graph.initializer] == ["one"]
    second = halves.second(["tensor(float)"] * 2)
    assert second is not None
    x, hint = np.array([1, 2, 3], np.float32), np.array([5, 0, 7], np.float32)
    known = session_of(halves.first, tmp_path, threads=1).run(list(halves.cut), {"x": x})
    feeds = dict(zip(halves.cut, known, strict=True))
    [whole] = answers(CUTTABLE, tmp_path, x=x, hint=hint)
    [parts] = answers(second, tmp_path, hint=hint, **feeds)
    np.testing.assert_array_equal(parts, whole)
    assert whole.tolist() == [11, 1, 15]


@pytest.mark.parametrize(
    "data",
    [
        graph([node("Add", "x hint", "y")]),  # all of it depends on the hint
        graph([node("Add", "x x", "y"), node("Neg", "hint", "z")], outputs=("y", "z")),
        graph([node("Neg", "x", "a"), node("Add", "a hint", "y")], outputs=("y", "a")),
        graph(
            [
                node("Neg", "x", "a"),
                node("Constant", "", "so", value=helper.make_tensor("", TensorProto.BOOL, [], [1])),
                node(
                    "If",
                    "so",
                    "b",
                    **{
                        f"{branch}_branch": helper.make_graph(
                            [node("Add", "a hint", f"b{branch}")],
                            branch,
                            [],
                            [helper.make_tensor_value_info(f"b{branch}", TensorProto.FLOAT, None)],
                        )
                        for branch in ("then", "else")
                    },
                ),
                node("Add", "a b", "y"),
            ]
        ),
        b"",
        b"\x00\x01\x02",
        CUTTABLE[:-3],
    ],
    ids=["all late", "apart", "early output", "a graph in a node", "empty", "no file", "cut off"],
)
def test_what_cannot_be_cut_stays_whole(data: bytes) -> None:
    assert halves_of(data, ["hint"]) is None


def test_a_tensor_that_no_input_can_be_leaves_it_whole() -> None:
    halves = halves_of(CUTTABLE, ["hint"])
    assert halves is not None
    assert halves.second(["tensor(float)", "sequence(tensor(float))"]) is None


@settings(max_examples=150)
@given(st.integers(0, len(CUTTABLE) - 1), st.integers(0, 255))
def test_damaged_files_raise_nothing(place: int, byte: int) -> None:
    found = halves_of(CUTTABLE[:place] + bytes([byte]) + CUTTABLE[place + 1 :], ["hint"])
    assert found is None or found.cut


def light(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 100, (1, 1, 64, 96)).astype(np.float32)


def test_the_default_model_in_halves_answers_as_it_did_whole() -> None:
    model = find("default")
    hints = np.zeros((1, 3, 64, 96), np.float32)
    hints[:, :, 20:24, 30:34] = np.array([40, 20, 1], np.float32)[:, None, None]
    condition = np.zeros((1, 313), np.float32)
    whole = session_of(model.read(), model.path, threads=1)
    feeds = {"light": light(), "hints": hints, "condition": condition}
    [expected] = whole.run(["logits"], feeds)
    found = load_engine("default", threads=1).run({"light": light(), "hints": hints})["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_what_is_known_of_the_photograph_is_not_computed_again() -> None:
    engine = load_engine("default", threads=1)
    kept: dict[str, np.ndarray] = {}
    before = engine.run({"light": light()}, kept=kept)["logits"]
    assert kept
    again = engine.run({"light": light(1)}, kept=kept)["logits"]  # a promise that is not kept shows
    np.testing.assert_array_equal(again, before)
    assert not np.array_equal(engine.run({"light": light(1)})["logits"], before)


def test_a_touched_up_picture_is_that_of_colorize_to_the_bit() -> None:
    scan = np.add.outer(np.arange(90), np.arange(120)).astype(np.uint8)
    work = opsin.Touchup(scan)
    work.picture(100)
    work.change(points=[(30, 40, "#a03020")], size=96)
    work.change(vividness=0.8)
    expected = opsin.colorize(scan, points=[(30, 40, "#a03020")], size=96, vividness=0.8)
    np.testing.assert_array_equal(work.picture().pixels, expected.pixels)
