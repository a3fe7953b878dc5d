"""Cards and networks that somebody sends: each is refused in one sentence, and nothing is left."""

import hashlib
import multiprocessing
import os
import re
import unicodedata
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np
import pytest
from conftest import write_tiny_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from opsin.cli import main
from opsin.errors import ModelError
from opsin.models import store
from opsin.models.card import Card, card_to_toml, read_card, write_card
from opsin.models.trial import add, try_out


def refused(capfd, *arguments: object) -> str:
    """The one line that the command says; warnings and tracebacks would be more."""
    assert main([str(one) for one in arguments]) == 1
    said = capfd.readouterr()
    assert said.err.startswith("opsin: "), said.err
    assert said.err.count("\n") == 1, said.err
    assert said.err[:-1].isprintable(), said.err
    assert len(said.err) < 700, said.err
    return said.err


def with_network(card: Path, network: bytes) -> Path:
    """The card with another network, and its hash."""
    text = card.read_text("utf-8")
    card.with_suffix(".onnx").write_bytes(network)
    new = hashlib.sha256(network).hexdigest()
    card.write_text(re.sub(r'sha256 = "\w+"', f'sha256 = "{new}"', text), "utf-8")
    return card


def changed(card: Path, old: str, new: str) -> Path:
    text = card.read_text("utf-8")
    assert old in text
    card.write_bytes(text.replace(old, new, 1).encode("utf-8", "surrogateescape"))
    return card


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('file = "tiny.onnx"', 'file = "tiny\\u0000.onnx"'),
        ('file = "tiny.onnx"', 'file = "tiny.onnx\\n"'),
        ('file = "tiny.onnx"', 'file = "..\\\\tiny.onnx"'),
        ('file = "tiny.onnx"', 'file = "c:tiny.onnx"'),
        ('file = "tiny.onnx"', f'file = "{"x" * 300}.onnx"'),
        ('name = "tiny"', 'name = "tiny\\n"'),
        ('name = "tiny"', 'name = "tiny.toml"'),
        ('name = "tiny"', f'name = "{"x" * 300}"'),
        ('name = "tiny"', 'name = "My Model"'),
        ('version = "1"', 'version = "1\\u001b[2J"'),
        ('version = "1"', 'version = "1\\n2"'),
        ('version = "1"', 'version = "1\\u0085"'),
        ('version = "1"', 'version = "1\\u2028"'),
        ('version = "1"', 'version = "1\\u202E"'),
        ('version = "1"', 'version = "1\\uFFFE"'),
        ('license = "Apache-2.0"', 'license = "\\u0007"'),
        ('paper = "none"', 'paper = "a\\rb"'),
        ('training_data = "none"', f'training_data = "{"x" * 100_000}"'),
        ('unit = "L*"', 'unit = "\\u001b"'),
        ("size = 64", "size = 1000000"),
        ("size = 64", "size = -1"),
        ("size = 64", "size = true"),
        ("size = 64", f"size = {'9' * 30}"),
        ("size = 64", f"size = {'9' * 5000}"),
        ("multiple = 32", "multiple = 1000000000"),
        ("multiple = 32", "multiple = 0"),
        ('"H/4"', '"H/0"'),
        ('"H/4", "W/4"', '"H/0", "W/0"'),
        ('"H/4", "W/4"', '"H/1000000", "W/1000000"'),
        ('"H/4", "W/4"', '"H/-4", "W/-4"'),
        ("mean = 0.0", "mean = nan"),
        ("std = 1.0", "std = inf"),
        ("std = 1.0", "std = 1e-300"),
        ("[[1.0, 0.8]", "[[nan, 0.8]"),
        ("[[1.0, 0.8]", "[[1.0, 1e30]"),
        ("[[1.0, 0.8]", "[[1e-30, 0.8]"),
        ('shape = [1, 1, "H", "W"]', 'shape = [1, 1, "H", "W", 1]'),
        ('shape = [1, 1, "H", "W"]', "shape = [1, 1, 64, 64]"),
        ('shape = [1, 1, "H", "W"]', "shape = []"),
        ("shape = [1, 313]", "shape = [1, 1000000000000]"),
        ("shape = [1, 313]", "shape = [1, 312]"),
        ('task = "colorize"', 'task = "colorize"\n"a\\u001b" = 1'),
        ('task = "colorize"', 'task = "colorize"\nx = 9999-99-99'),
        ('name = "tiny"', "name = \udcff"),
        ('name = "tiny"', "x = " + "[" * 100_000),
        ('name = "tiny"', "x = " + "{a=" * 100_000),
        ('name = "tiny"', ".".join("a" * 5000) + ' = 1\nname = "tiny"'),
        ('name = "tiny"', "#" * (1 << 21)),
    ],
)
def test_a_hostile_card_is_one_sentence(models, tmp_path, capfd, old, new):
    card = changed(write_tiny_model(tmp_path / "new"), old, new)
    assert str(card) in refused(capfd, "models", "add", card)
    refused(capfd, "models", "show", card)
    assert sorted(path.name for path in models.iterdir()) == ["tiny.onnx", "tiny.toml"]


def test_what_is_no_file_is_refused_at_once(models, tmp_path, capfd):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "empty.toml").touch()
    (tmp_path / "device.toml").symlink_to("/dev/zero")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    for name in ("pipe", "folder", "empty", "device", "loop", "a\x1bb", "x" * 300):
        refused(capfd, "models", "add", tmp_path / f"{name}.toml")
    with pytest.raises(ModelError, match="its name holds a NUL"):
        store.find("a\0.toml")


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "none", "empty", "sparse"])
def test_weights_that_are_no_file_are_refused_at_once(models, tmp_path, capfd, kind):
    card = write_tiny_model(tmp_path / "new", "fresh")
    weights = card.with_suffix(".onnx")
    weights.unlink()
    if kind == "pipe":
        os.mkfifo(weights)
    elif kind == "folder":
        weights.mkdir()
    elif kind == "device":
        weights.symlink_to("/dev/zero")
    elif kind != "none":
        weights.touch()
        os.truncate(weights, 20 << 30 if kind == "sparse" else 0)
    assert "fresh.onnx" in refused(capfd, "models", "add", card)
    assert store.names().count("fresh") == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_are_one_sentence(models, tmp_path, capfd):
    card = write_tiny_model(tmp_path / "new", "fresh")
    card.with_suffix(".onnx").chmod(0)
    assert "Permission denied" in refused(capfd, "models", "add", card)
    card.chmod(0)
    assert "Permission denied" in refused(capfd, "models", "add", card)


def test_a_wrong_hash_is_one_sentence(models, tmp_path, capfd):
    card = write_tiny_model(tmp_path / "new", "fresh")
    with card.with_suffix(".onnx").open("ab") as file:
        file.write(b"x")
    assert "its SHA-256 is not the card's" in refused(capfd, "models", "add", card)


def graph(nodes, outputs, *weights, inputs=(("light", [1, 1, "H", "W"]),), kind=TensorProto.FLOAT):
    """The bytes of a small network."""
    made = helper.make_graph(
        [helper.make_node(*node[:3], **(node[3] if len(node) > 3 else {})) for node in nodes],
        "graph",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, type, shape) for name, type, shape in outputs],
        list(weights),
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


POOL = {"kernel_shape": [4, 4], "strides": [4, 4]}
AB = [("ab", TensorProto.FLOAT, [1, "c", "h", "w"])]
SMALL = ("AveragePool", ["light"], ["small"], POOL)


def constant(name, *values):
    return numpy_helper.from_array(np.array(values, np.float32), name)


def elsewhere(name):
    """A weight that lies in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "outside.bin", "offset": "0", "length": "4"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def inner(weight):
    """A branch of an If that adds a weight of its own."""
    add = helper.make_node("Add", ["both", "w"], ["sum"])
    out = helper.make_tensor_value_info("sum", TensorProto.FLOAT, None)
    return helper.make_graph([add], "branch", [], [out], [weight])


DOUBLE = ("Concat", ["small", "small"], ["both"], {"axis": 1})
HOSTILE = {
    "no network": b"no network",
    "cut off": None,
    "one channel": graph([("AveragePool", ["light"], ["ab"], POOL)], AB),
    "another stride": graph([("Concat", ["light", "light"], ["ab"], {"axis": 1})], AB),
    "not a number": graph(
        [SMALL, DOUBLE, ("Mul", ["both", "w"], ["ab"])], AB, constant("w", np.nan)
    ),
    "infinite": graph([SMALL, DOUBLE, ("Mul", ["both", "w"], ["ab"])], AB, constant("w", np.inf)),
    "huge": graph([SMALL, DOUBLE, ("Mul", ["both", "w"], ["ab"])], AB, constant("w", 1e30)),
    "whole numbers": graph(
        [SMALL, DOUBLE, ("Cast", ["both"], ["ab"], {"to": TensorProto.INT64})],
        [("ab", TensorProto.INT64, [1, "c", "h", "w"])],
    ),
    "double precision": graph(
        [SMALL, DOUBLE, ("Cast", ["both"], ["ab"], {"to": TensorProto.DOUBLE})],
        [("ab", TensorProto.DOUBLE, [1, "c", "h", "w"])],
    ),
    "texts": graph(
        [SMALL, DOUBLE, ("Cast", ["both"], ["ab"], {"to": TensorProto.STRING})],
        [("ab", TensorProto.STRING, [1, "c", "h", "w"])],
    ),
    "a list": graph(
        [SMALL, ("SequenceConstruct", ["small"], ["ab"])], [("ab", TensorProto.FLOAT, None)]
    ),
    "half precision": graph(
        [SMALL, DOUBLE, ("Identity", ["both"], ["ab"])],
        [("ab", TensorProto.FLOAT16, [1, "c", "h", "w"])],
        kind=TensorProto.FLOAT16,
    ),
    "one size": graph(
        [SMALL, ("Concat", ["small", "small"], ["ab"], {"axis": 1})],
        AB,
        inputs=[("light", [1, 1, 64, 64])],
    ),
    "three axes": graph(
        [("Identity", ["light"], ["ab"])], AB, inputs=[("light", [1, "H", "W"])]
    ),
    "another input": graph(
        [("AveragePool", ["li\x1bght"], ["ab"], POOL)], AB, inputs=[("li\x1bght", [1, 1, "H", "W"])]
    ),
    "another output": graph(
        [("AveragePool", ["light"], ["a\nb"], POOL)],
        [("a\nb", TensorProto.FLOAT, [1, 1, "h", "w"])],
    ),
    "too large": graph(
        [("ConstantOfShape", ["w"], ["ab"])],
        AB,
        numpy_helper.from_array(np.array([1, 2, 1 << 24, 1 << 24]), "w"),
    ),
    "unknown operator": graph([("Nonsense\x1b", ["light"], ["ab"])], AB),
    "weights elsewhere": graph(
        [SMALL, DOUBLE, ("Add", ["both", "w"], ["ab"])], AB, elsewhere("w")
    ),
    "a constant elsewhere": graph(
        [SMALL, DOUBLE, ("Constant", [], ["w"], {"value": elsewhere("v")}),
         ("Add", ["both", "w"], ["ab"])],
        AB,
    ),
    "a branch elsewhere": graph(
        [SMALL, DOUBLE, ("If", ["c"], ["ab"],
         {"then_branch": inner(elsewhere("w")), "else_branch": inner(elsewhere("w"))})],
        AB,
        numpy_helper.from_array(np.array(True), "c"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_network_that_does_not_work_is_never_added(models, tmp_path, monkeypatch, capfd, kind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outside.bin").write_bytes(np.float32(1).tobytes())
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "outside.bin").write_bytes(np.float32(1).tobytes())
    card = write_tiny_model(tmp_path / "new", "fresh", answer="ab")
    network = HOSTILE[kind]
    if network is None:
        network = card.with_suffix(".onnx").read_bytes()[:-30]
    with_network(card, network)
    said = refused(capfd, "models", "add", card)
    assert "fresh" in said
    if "elsewhere" in kind:
        assert "its weights lie in another file, which the SHA-256" in said
    assert sorted(path.name for path in models.iterdir()) == ["tiny.onnx", "tiny.toml"]


@pytest.mark.parametrize("kind", ["not a number", "infinite", "huge", "one channel", "one size"])
def test_nothing_is_written_of_an_answer_that_is_none(models, tmp_path, capfd, kind, gray_photo):
    import opsin

    opsin.open(gray_photo).save(tmp_path / "photo.png")
    card = with_network(write_tiny_model(tmp_path / "new", "fresh", answer="ab"), HOSTILE[kind])
    assert main(["colorize", str(tmp_path / "photo.png"), "--model", str(card)]) == 1
    said = capfd.readouterr().err
    assert "fresh" in said
    assert "Warning" not in said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.glob("*.png")] == ["photo.png"]


@pytest.mark.parametrize("kind", ["no network", "cut off", "weights elsewhere", "huge"])
@pytest.mark.parametrize("verb", ["inspect", "compare"])
def test_looking_at_a_hostile_network_is_one_sentence(
    models, tmp_path, capfd, kind, verb, gray_photo
):
    import opsin

    opsin.open(gray_photo).save(tmp_path / "photo.png")
    card = write_tiny_model(tmp_path / "new", "fresh", answer="ab")
    with_network(card, HOSTILE[kind] or card.with_suffix(".onnx").read_bytes()[:-30])
    out = tmp_path / "page.png"
    photo = tmp_path / "photo.png"
    refused(capfd, verb, photo, "--model", card, "-o", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("shapes", "out"),
    [
        ({"light": [1, 1, "S", "S"], "ab": [1, 2, "S", "S"]}, "light"),
        ({"light": [1, 1, 32, 32], "ab": [1, 2, 64, 64]}, "light"),
        ({"light": [1, 1, 32, 32]}, "light"),
        ({"light": [1, 1, 100_000, 100_000], "ab": [1, 2, 100_000, 100_000]}, "light"),
        ({"light": [1, 1, 32, 32], "ab": [1, 2, 32, 32]}, "nan"),
    ],
)
def test_a_hostile_discriminator_is_one_sentence(tmp_path, capfd, shapes, out, astronaut):
    import opsin

    opsin.open(astronaut).save(tmp_path / "photo.png")
    nodes = [("Mul", ["light", "w"], ["logit"])]
    network = graph(
        nodes,
        [("logit", TensorProto.FLOAT, None)],
        constant("w", np.nan if out == "nan" else 1),
        inputs=list(shapes.items()),
    )
    (tmp_path / "judge.onnx").write_bytes(network)
    arguments = ["--model", "classifier-decoder", "--discriminator", tmp_path / "judge.onnx"]
    refused(capfd, "evaluate", "colorize", tmp_path / "photo.png", *arguments)


def test_logits_beyond_all_colors_are_an_error_without_a_warning(models, tmp_path, gray_photo):
    import opsin

    card = write_tiny_model(tmp_path / "new", "fresh", colors=1e30)
    with pytest.raises(ModelError, match="'fresh' gave numbers beyond 10,000"):
        opsin.colorize(gray_photo, model=str(card))


def test_a_broken_card_hides_no_other_model(models, capfd):
    (models / "broken.toml").write_text("x = 1")
    (models / "bad\x1bname.toml").write_text("x = 1")
    assert main(["models", "list"]) == 1
    listed = capfd.readouterr()
    assert "tiny" in listed.out
    assert "broken.toml: wrong card" in listed.err
    assert "\x1b" not in listed.out + listed.err
    assert main(["models", "remove", "broken"]) == 0
    assert not (models / "broken.toml").exists()
    assert capfd.readouterr().out == "broken: removed\n"
    assert (
        "Available: color-bins, box-mask, classifier-decoder, face-reid, gender, gender-small, "
        "imagenet, mtcnn, picodet-s, selfie, tiny, viola-jones, yolox-nano, yunet. "
        in refused(capfd, "models", "show", "no\x1bsuch")
    )


def _add(card: Path, folder: Path, start, results) -> None:
    os.environ["OPSIN_MODELS"] = str(folder)
    start.wait()
    try:
        results.put(add(card).card.version)
    except ModelError:
        results.put("")


def test_two_processes_that_add_one_name_end_with_one_whole_model(models, tmp_path):
    cards = []
    for version in ("1", "2"):
        card = write_tiny_model(tmp_path / version, "fresh", colors=float(version))
        cards.append(changed(card, 'version = "1"', f'version = "{version}"'))
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    running = [context.Process(target=_add, args=(card, models, start, results)) for card in cards]
    for one in running:
        one.start()
    done = sorted(results.get(timeout=60) for _ in running)
    for one in running:
        one.join()
    assert done[0] == ""
    assert store.find("fresh").card.version == done[1]
    assert store.find("fresh").read()
    assert not list(models.glob(".opsin*"))


def test_a_damaged_network_is_one_sentence_wherever_it_is_damaged(tmp_path, capfd):
    from fuzz import hurt

    card = write_tiny_model(tmp_path, "fresh", answer="ab")
    whole = card.with_suffix(".onnx").read_bytes()
    works = 0
    for damaged in (
        whole.replace(b"light", b"\x80ight"),
        whole.replace(b"ab", b"\xffb"),
        whole.replace(b"H", b"\x80"),
        *(hurt(whole, np.random.default_rng(seed)) for seed in range(150)),
    ):
        works += sound(
            lambda damaged=damaged: try_out(store.find(str(with_network(card, damaged))))
        )
    assert works < 60
    assert capfd.readouterr() == ("", "")


def test_what_a_killed_process_left_is_cleared_away_after_a_day(models, tmp_path):
    for name, age in (("old", 2 * store.OLD), ("new", 0)):
        left = models / f"{store.STAGED}{name}"
        left.mkdir()
        (left / "x.onnx").touch()
        os.utime(left, (left.stat().st_mtime - age,) * 2)
    add(write_tiny_model(tmp_path / "new", "fresh"))
    assert [path.name for path in models.glob(".opsin*")] == [f"{store.STAGED}new"]


@pytest.mark.parametrize(
    "wrong", [{"name": "My Model"}, {"name": "../../evil"}, {"version": "1\n"}, {"size": 10**9}]
)
def test_a_card_that_could_not_be_read_is_not_written(tmp_path, wrong):
    import msgspec

    card = msgspec.structs.replace(read_card(write_tiny_model(tmp_path)), **wrong)
    with pytest.raises(ModelError, match="wrong card"):
        write_card(card, tmp_path / "deep" / "new.toml")
    assert not (tmp_path / "deep").exists()


def sound(work) -> bool:
    """Whether it is done; if not, the only error is one that can be printed."""
    said = ""
    try:
        work()
    except ModelError as error:
        said = str(error)
    assert said.isprintable()
    return not said


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_card_is_read_or_refused(tmp_path, data):
    """A sound card with some of its values replaced, written and read again."""
    import msgspec

    if not (tmp_path / "tiny.toml").exists():
        write_tiny_model(tmp_path)
    values = msgspec.to_builtins(read_card(tmp_path / "tiny.toml"))
    tables = [values, values["outputs"][0], values["inputs"][0], values["colorize"]]
    for _ in range(data.draw(st.integers(1, 3))):
        table = data.draw(st.sampled_from(tables))
        key = data.draw(st.sampled_from(sorted(table)) | st.text(max_size=8))
        table[key] = data.draw(VALUES)
    try:
        card = msgspec.convert(values, Card)
    except msgspec.ValidationError:
        return
    if not sound(lambda: write_card(card, tmp_path / "again.toml")):
        return
    assert read_card(tmp_path / "again.toml") == card
    text = card_to_toml(card)
    assert ElementTree.fromstring(f"<card>{escape(text)}</card>").text == text  # as in XMP
    assert not any(unicodedata.category(letter) == "Cc" for letter in text.replace("\n", ""))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_a_card_or_refused(tmp_path, data):
    """A sound card with bytes of it changed, cut, or put elsewhere."""
    if not (tmp_path / "tiny.toml").exists():
        write_tiny_model(tmp_path)
    content = bytearray((tmp_path / "tiny.toml").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(at, min(len(content), at + 20)))
        content[at:end] = data.draw(
            st.binary(max_size=12) | st.sampled_from([b"[[", b'"', b"\0", b"nan", b"= {", b"\xff"])
        )
    path = tmp_path / "changed.toml"
    path.write_bytes(content)
    if not sound(lambda: read_card(path)):
        return
    card = read_card(path)
    write_card(card, path)
    assert read_card(path) == card
