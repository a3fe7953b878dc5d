"""Export from the front: what is wrong is one sentence, and nothing is left half done."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from colorization.running import (  # noqa: E402
    export,
    system_of,
)
from opsin.cli import main  # noqa: E402
from opsin.cli.export import in_words  # noqa: E402
from opsin.errors import DataError, ModelError, RecipeError  # noqa: E402
from opsin.models import store  # noqa: E402
from opsin.models.card import read_card  # noqa: E402
from opsin.training.export import read_weights  # noqa: E402
from opsin.training.task import start_network  # noqa: E402

A1 = {"kind": "encoder_decoder"}


def write_run(folder: Path, network: dict[str, Any] = A1, **changes: Any) -> Path:
    """A run's folder, as if it had been trained for a step."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {"task": "colorize", "name": "mine", "steps": 1, "network": network, **changes}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    torch.manual_seed(0)
    weights = system_of(network).build().state_dict()
    torch.save({"step": 1, "average": weights, "others": {}}, folder / "checkpoint.pt")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def refused(capfd: pytest.CaptureFixture, *arguments: object) -> str:
    assert main([str(one) for one in arguments]) == 1
    said = capfd.readouterr().err
    assert said.startswith("opsin: ")
    assert said.count("\n") == 1, said
    assert said[:-1].isprintable()
    assert len(said) < 500
    return str(said)


def test_the_end_says_what_was_made_and_what_to_type_next(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "my models"
    monkeypatch.setenv("OPSIN_MODELS", str(tmp_path / "own"))
    assert main(["export", str(run), "-o", str(out), "--license", "CC-BY-4.0"]) == 0
    first, rounded, following = capfd.readouterr().err.splitlines()
    assert first == f"{out / 'mine.toml'} and mine.onnx: the model 'mine'."
    assert "nobody can see it" in rounded
    assert following == (
        f"Next: opsin models add '{out / 'mine.toml'}', then opsin colorize photo.jpg --model mine"
    )
    assert sorted(path.name for path in out.iterdir()) == ["mine.onnx", "mine.toml"]
    assert read_card(out / "mine.toml").license == "CC-BY-4.0"
    assert main(["models", "add", str(out / "mine.toml")]) == 0
    assert store.find("mine").read()


def test_how_far_the_stored_form_is_off_is_said_in_words() -> None:
    told = in_words(0.001, "colorize")
    assert "changes a color by 0.001 of a unit of Lab on average (nobody can see it" in told
    assert "changes its numbers by 0.001 on average" in in_words(0.001, "classify")
    assert "(more than usual, so look at its pictures" in in_words(0.7, "colorize")


def test_a_license_is_never_assumed(run: Path, tmp_path: Path, capfd: Any) -> None:
    out = tmp_path / "out"
    said = refused(capfd, "export", run, "-o", out)
    assert "Say it with --license, for example --license CC-BY-4.0" in said
    for blank in ("", " "):
        with pytest.raises(ModelError, match="a model needs a license"):
            export(run, out, license=blank)
    assert not out.exists()


def test_a_license_may_stand_in_the_recipe(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", license="CC0-1.0")
    assert export(run, tmp_path / "out").card.license == "CC0-1.0"


@pytest.mark.parametrize(
    "name", ["../../evil", "My Model", "", "a\n", "a/b", "a.toml", "default", "x" * 100, "\x1b[2J"]
)
def test_a_name_that_a_card_may_not_have_is_refused_first(
    run: Path, tmp_path: Path, capfd: Any, name: str
) -> None:
    out = tmp_path / "deep" / "a" / "b"
    refused(capfd, "export", run, "-o", out, "--name", name, "--license", "MIT")
    assert not (tmp_path / "deep").exists()
    changed = write_run(tmp_path / "received", name=name)
    said = refused(capfd, "export", changed, "-o", out, "--license", "MIT")
    assert "recipe.json: name = " in said or name == "default"
    assert not (tmp_path / "deep").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["received", "run"]


@pytest.mark.parametrize(
    "option",
    [("--version", "1\n2"), ("--license", "\x1b[2J"), ("--training-data", "a\nb"),
     ("--version", ""), ("--license", "x" * 5000), ("--training-data", "x" * 5000)],
)  # fmt: skip
def test_text_that_a_card_may_not_have_is_refused(
    run: Path, tmp_path: Path, capfd: Any, option: tuple[str, str]
) -> None:
    refused(capfd, "export", run, "-o", tmp_path / "out", "--license", "MIT", *option)
    assert not (tmp_path / "out").exists()


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.path}",))


def damage(kind: str, path: Path, ran: Path) -> None:
    """Puts something else in a checkpoint's place."""
    whole = path.read_bytes()
    state = torch.load(path, weights_only=True)
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("a.txt", "a")
    elif kind == "hostile":
        torch.save({"average": Evil(ran)}, path)
    elif kind == "old hostile":
        path.write_bytes(pickle.dumps(Evil(ran)))
    elif kind == "script":
        torch.jit.save(torch.jit.trace(torch.nn.Linear(1, 1), torch.zeros(1, 1)), str(path))
    elif kind in STATES:
        torch.save(STATES[kind](state), path)
    else:
        start, end = {"empty": (0, 0), "half": (0, len(whole) // 2), "tail": (100, len(whole))}[
            kind
        ]
        path.write_bytes(whole[start:end])


def one_weight(state: dict[str, Any], value: Any) -> dict[str, Any]:
    name = next(iter(state["average"]))
    return {**state, "average": {**state["average"], name: value(state["average"][name])}}


STATES = {
    "a list": lambda state: [1, 2],
    "a tensor": lambda state: torch.zeros(3),
    "no weights": lambda state: {"step": 1},
    "no step": lambda state: {"average": state["average"]},
    "a text for a step": lambda state: {**state, "step": "1"},
    "texts for weights": lambda state: {**state, "average": {"a": "b"}},
    "a list for weights": lambda state: {**state, "average": [1]},
    "numbers for names": lambda state: {**state, "average": {1: torch.zeros(1)}},
    "others are a list": lambda state: {**state, "others": [1]},
    "a list for a discriminator": lambda state: {**state, "others": {"discriminator": [1]}},
    "another discriminator": lambda state: {**state, "others": {"discriminator": {}}},
    "a weight of another shape": lambda state: one_weight(state, lambda w: w[:1]),
    "a weight of whole numbers": lambda state: one_weight(state, lambda w: w.long()),
    "a sparse weight": lambda state: one_weight(state, lambda w: w.to_sparse()),
    "no numbers": lambda state: one_weight(state, lambda w: w * torch.nan),
    "a weight too many": lambda state: {
        **state, "average": {**state["average"], "\x1b[2J": torch.zeros(1)}
    },
}  # fmt: skip
FINE_TO_START_FROM = [  # its weights are
    "no step", "a text for a step", "others are a list", "a list for a discriminator",
    "another discriminator", "no numbers",
]  # fmt: skip
FILES = ["folder", "pipe", "zip", "hostile", "old hostile", "script", "empty", "half", "tail"]


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("kind", [*FILES, *STATES])
def test_a_wrong_checkpoint_is_one_sentence(
    run: Path, tmp_path: Path, capfd: Any, kind: str
) -> None:
    damage(kind, run / "checkpoint.pt", tmp_path / "ran")
    refused(capfd, "export", run, "-o", tmp_path / "out", "--license", "MIT")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    if kind not in FINE_TO_START_FROM:
        with pytest.raises(DataError):
            start_network(system_of({**A1, "start": str(run / "checkpoint.pt")}))


def test_a_checkpoint_of_another_recipe_is_one_sentence(
    tmp_path: Path, run: Path, capfd: Any
) -> None:
    other = write_run(tmp_path / "other", {"kind": "conditional_gan"})
    os.replace(other / "recipe.json", run / "recipe.json")
    said = refused(capfd, "export", run, "-o", tmp_path / "out", "--license", "MIT")
    assert "is of another network than recipe.json describes: " in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a recipe"),
        (b"[]", "holds no recipe"),
        (b"\xff\xfe", "cannot be read as a recipe"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"task": "colorize", "name": "x", "steps": 0}', "steps = 0, but it must be"),
        (
            b'{"task": "colorize", "name": "x", "steps": 1, "network": {}}',
            "network.kind is missing",
        ),
        (b'{"task": "colorize", "name": "\\ud800", "steps": 1}', "name = "),
        (b'{"task": "colorize", "name": "x", "steps": NaN}', "steps = nan"),
        (b'{"\\u001b": 1}', "is not a setting"),
    ],
)
def test_a_wrong_recipe_of_a_run_is_one_sentence(
    run: Path, tmp_path: Path, capfd: Any, content: bytes, message: str
) -> None:
    (run / "recipe.json").write_bytes(content)
    assert message in refused(capfd, "export", run, "-o", tmp_path / "out", "--license", "MIT")


def test_what_exists_is_not_replaced_unless_asked(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(run, out, license="MIT")
    before = (out / "mine.toml").read_bytes()
    with pytest.raises(ModelError, match=r"exists already\. Type --overwrite to replace it"):
        export(run, out, license="CC0-1.0")
    assert (out / "mine.toml").read_bytes() == before
    export(run, out, license="CC0-1.0", overwrite=True)
    assert read_card(out / "mine.toml").license == "CC0-1.0"
    assert store.find(str(out / "mine.toml")).read()
    (out / "mine.toml").unlink()
    with pytest.raises(ModelError, match=r"mine\.onnx exists already"):
        export(run, out, license="MIT")
    assert sorted(path.name for path in out.iterdir()) == ["mine.onnx"]


def test_model_and_card_appear_together_or_not_at_all(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("opsin.training.finished.write_card", fail)
    with pytest.raises(KeyboardInterrupt):
        export(run, tmp_path / "out", license="MIT")
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fails_between_the_files_leaves_neither(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def fail(source: Path, target: Path) -> None:
        if str(target).endswith(".toml"):
            raise FileExistsError(target)  # another process was first
        link(source, target)

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(ModelError, match=r"mine\.toml exists already"):
        export(run, tmp_path / "out", license="MIT")
    assert not (tmp_path / "out").exists()


def test_a_recipe_s_name_is_refused_before_training(tmp_path: Path) -> None:
    from colorization.running import train
    from opsin.training.recipe import Recipe

    recipe = Recipe(task="colorize", name="../../evil", steps=1, network=A1)
    with pytest.raises(RecipeError, match=r'name = "\.\./\.\./evil", but it must be lower-case'):
        train(recipe, [tmp_path], tmp_path / "run")
    assert not (tmp_path / "run").exists()


BINS = {"kind": "color_bins", "encoder": "none", "widths": [16, 8, 8, 8], "attention_blocks": 0}


def test_a_wider_backbone_is_exported_and_goes_on_from_its_file(tmp_path: Path) -> None:
    lite2 = {**BINS, "backbone": "lite2", "widths": [32, 24, 16, 8]}
    done = export(write_run(tmp_path / "run", lite2), tmp_path / "out", license="CC0")
    begun = start_network(system_of({**lite2, "start": str(done.path)}))
    exported = read_weights(store.find(str(done.path)))
    last = "encoder.blocks.20.narrow.bias"
    assert torch.as_tensor(exported[last]).numpy() == pytest.approx(
        begun.state_dict()[last].numpy(), abs=1e-3
    )
    with pytest.raises(DataError, match=r"is of another network than \[network\]"):
        start_network(system_of({**lite2, "backbone": "lite0", "start": str(done.path)}))


def test_a_blend_is_the_mean_with_what_the_run_began_with(tmp_path: Path) -> None:
    begun = write_run(tmp_path / "begun", BINS) / "checkpoint.pt"
    run = write_run(tmp_path / "run", {**BINS, "start": str(begun)})
    after = torch.load(run / "checkpoint.pt", weights_only=True)
    after["average"]["head.bias"] += 8.0
    torch.save(after, run / "checkpoint.pt")
    done = export(run, tmp_path / "out", license="CC0", blend=0.25)
    bias = read_weights(store.find(str(done.path)))["head.bias"]
    begun_bias = torch.load(begun, weights_only=True)["average"]["head.bias"]
    assert torch.as_tensor(bias).numpy() == pytest.approx((begun_bias + 6.0).numpy(), abs=0.01)


def test_a_blend_needs_a_beginning_and_a_share(run: Path, tmp_path: Path, capfd: Any) -> None:
    words = ("export", run, "-o", tmp_path / "out", "--license", "CC0", "--blend")
    assert "needs a run that began with a model" in refused(capfd, *words, 0.5)
    assert "give a share between 0 and 1" in refused(capfd, *words, 1)
    assert not (tmp_path / "out").exists()


def test_the_card_says_how_answers_become_colors(tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run", BINS), tmp_path / "out"
    words = ["export", str(run), "-o", str(out), "--license", "CC0", "--contrast", "0.4"]
    words += ["--restraint", "0.9", "--coherence", "60"]
    assert main([*words, "--vividness", "0.7:0.8,0.6:1.3"]) == 0
    decode = read_card(out / "mine.toml").colorize
    assert decode is not None
    assert decode.vividness == ((0.7, 0.8), (0.6, 1.3))
    assert (decode.contrast, decode.restraint, decode.coherence) == (0.4, 0.9, 60)
    assert main([*words, "--vividness", "0.7,0.8", "--overwrite"]) == 2
