"""Each system of docs/systems.md from the front: it learns, resumes, exports, and colorizes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import opsin  # noqa: E402
from colorization.running import (  # noqa: E402
    Crops,
    export,
    system_of,
    train,
)
from opsin.colorization import pipeline  # noqa: E402
from opsin.colorization.data import Data  # noqa: E402
from opsin.colorization.networks.colorizer import Colorizer  # noqa: E402
from opsin.colorization.objectives.regression import RegressionObjective, Settings  # noqa: E402
from opsin.colorization.task import SYSTEMS  # noqa: E402
from opsin.errors import DataError, ModelError, RecipeError  # noqa: E402
from opsin.models import trial  # noqa: E402
from opsin.sets.listing import list_pictures  # noqa: E402
from opsin.training.crops import (  # noqa: E402
    labels_of,
    seen_size,
)
from opsin.training.loop import make_stepper  # noqa: E402
from opsin.training.recipe import Recipe  # noqa: E402
from opsin.training.run import same_sets  # noqa: E402
from opsin.training.task import start_network  # noqa: E402

RECIPES = Path(__file__).parents[2] / "recipes"
CLASSES = ["person", "cup", "cat"]
NETWORKS = {
    "a1": {"kind": "encoder_decoder"},
    "a2": {"kind": "classifier_decoder"},
    "a2, probabilities": {"kind": "classifier_decoder", "variant": "probabilities"},
    "a3": {"kind": "fusion"},
    "a3, project": {"kind": "fusion", "variant": "project", "fused": "softmax"},
    "a4": {"kind": "fusion", "variant": "faces"},
    "a5": {"kind": "global_local", "classes": CLASSES, "global_size": 32},
    "a5, local": {"kind": "global_local", "use_global": False},
    "a6": {"kind": "conditional_gan"},
    "a6, edge net": {"kind": "conditional_gan", "edge_net": True, "dropout": 0.5},
}
DATA = {"size": 32, "batch": 4, "small_size": 32, "small_share": 0.0, "validation_size": 32}


def recipe(name: str, steps: int, **changes: dict) -> Recipe:
    return Recipe(
        task="colorize",
        name="system",
        steps=steps,
        precision=changes.get("precision", "float32"),  # the same arithmetic on every machine
        validate_every=steps,
        network=NETWORKS[name],
        data={**DATA, **changes.get("data", {})},
        objective=changes.get("objective", {}),
    )


def figures(run: Path, name: str) -> dict[str, float]:
    with open(run / name, newline="") as file:
        *_, last = csv.DictReader(file)
    return {key: float(value) for key, value in last.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_system_is_trained_exported_and_used(
    name: str, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coffee: np.ndarray
) -> None:
    run = tmp_path / "run"
    train(recipe(name, 2), [scenes], run, workers=0)
    shown = figures(run, "validation.csv")
    assert {"loss", "psnr over gray", "colorfulness, share of truth", "larger channel"} <= set(
        shown
    )
    monkeypatch.setenv("OPSIN_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(pipeline, "LEAST_CHROMA", 0.0)  # two steps may leave it gray
    done = export(run, tmp_path / "export", size=64, license="CC0-1.0")
    assert done.difference < 0.5
    assert done.card.network == NETWORKS[name]["kind"]
    trial.add(done.path)
    gray = coffee[::4, ::4].mean(axis=2).astype(np.uint8)
    seen = pipeline.predict(opsin.open(gray), model="system")
    assert np.ptp(seen.ab, axis=(0, 1)).max() > 0
    assert pipeline.paint(opsin.open(gray), seen).pixels.shape == (100, 150, 3)


def test_a_discriminator_gives_its_opinion(
    scenes: Path, tmp_path: Path, coffee: np.ndarray, astronaut: np.ndarray
) -> None:
    from opsin.evaluate.colorization.judge import Judge

    train(recipe("a6", 14), [scenes], tmp_path / "run", workers=0)
    done = export(tmp_path / "run", tmp_path / "export", license="CC0-1.0")
    assert done.others["discriminator"] == tmp_path / "export" / "system-discriminator.onnx"
    judge = Judge(done.others["discriminator"])
    green = coffee.copy()
    green[..., 1] = 255
    assert judge.logit(coffee) > judge.logit(green)
    judge.add(coffee, {"green": green})
    judge.add(astronaut, {"green": astronaut})
    assert 0 <= judge.of("green") <= judge.of("") <= 1
    with pytest.raises(ModelError, match=r"not a discriminator, its inputs are \{"):
        Judge(done.path.with_suffix(".onnx"))


@pytest.mark.parametrize("error", ["squared", "absolute", "chebyshev", "logarithmic"])
def test_the_error_that_is_asked_for_is_minimized(scenes: Path, tmp_path: Path, error: str) -> None:
    train(recipe("a1", 2, objective={"error": error}), [scenes], tmp_path, workers=0)
    losses = figures(tmp_path, "losses.csv")
    scale = (128 / 110) ** 2 if error == "squared" else 1  # the log's has one unit for all systems
    assert losses[f"{error}_error"] == pytest.approx(scale * losses["loss"], rel=1e-4)


class Known(Colorizer):
    """Answers what it was told."""

    ab_scale = 1.0

    def __init__(self, ab: torch.Tensor) -> None:
        super().__init__()
        self.ab = torch.nn.Parameter(ab)

    def forward(self, light: torch.Tensor) -> torch.Tensor:
        return self.ab


def test_the_chebyshev_error_is_that_of_the_sum_and_of_the_difference() -> None:
    stepper = make_stepper(recipe("a1", 1))
    answer, truth = torch.randn(2, 1, 2, 4, 4)
    objective = RegressionObjective(
        Known(answer),
        Settings(error="chebyshev"),
        stepper=stepper,
    )
    network = objective.network
    loss, _ = objective.loss(network, {"light": truth[:, :1], "ab": truth})
    a, b = (answer - truth).unbind(dim=1)
    turned = ((a + b).abs() + (a - b).abs()).mean() / 2
    assert float(loss.detach()) == pytest.approx(float(turned.detach()), rel=1e-6)


def test_bfloat16_learns_as_float32_does(scenes: Path, tmp_path: Path) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        wanted = recipe("a6", 2, precision=precision, data={"batch": 2})
        train(wanted, [scenes], tmp_path / precision, workers=0)
        losses[precision] = figures(tmp_path / precision, "losses.csv")
    assert losses["bfloat16"]["loss"] != losses["float32"]["loss"]
    for key in ("squared_error", "generator", "discriminator"):
        assert losses["bfloat16"][key] == pytest.approx(losses["float32"][key], rel=0.1), key


def test_a_generator_learns_without_a_discriminator(scenes: Path, tmp_path: Path) -> None:
    train(recipe("a6", 2, objective={"adversarial": 0}), [scenes], tmp_path, workers=0)
    assert "discriminator" not in figures(tmp_path, "losses.csv")
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["others"] == {}


def test_scenes_are_classified_while_they_are_colorized(scenes: Path, tmp_path: Path) -> None:
    changes = {"objective": {"class_weight": 1.0}, "data": {"batch": 6, "order": "epochs"}}
    train(recipe("a5", 30, **changes), [scenes], tmp_path, workers=0)
    losses = figures(tmp_path, "losses.csv")
    assert losses["class_right"] > 0.5  # of three classes
    assert losses["class_entropy"] < 1.0  # log 3 is 1.1


def test_pictures_to_validate_on_need_no_classes(
    scenes: Path, photographs: Path, tmp_path: Path
) -> None:
    train(recipe("a5", 1), [scenes], tmp_path, validation=[photographs], workers=0)
    assert "class_right" not in figures(tmp_path, "validation.csv")


def test_classes_that_no_picture_has_are_an_error(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no picture is of one of the classes person, cup, cat"):
        train(recipe("a5", 1), [photographs], tmp_path, workers=0)


def test_what_a_classifier_says_is_kept(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opsin.backbones.classifiers import Lite

    asked: list[int] = []
    forward = Lite.forward

    def count(self: Lite, thumbnail: torch.Tensor) -> torch.Tensor:
        asked.append(len(thumbnail))
        return forward(self, thumbnail)

    monkeypatch.setattr(Lite, "forward", count)
    kept = recipe("a3", 8, data={"variants": 1, "order": "epochs"})
    first = train(kept, [scenes], tmp_path / "first", workers=0)
    training = sum(asked[:-2])
    assert training == 22  # of 24 pictures two are held back; each is asked for once
    asked.clear()
    second = train(kept, [scenes], tmp_path / "second", workers=0)
    assert sum(asked[:-2]) == 0
    one, other = (torch.load(run, weights_only=True)["average"] for run in (first, second))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_variants_come_again_as_they_were(photographs: Path) -> None:
    listing = list_pictures([photographs])
    settings = Data(**DATA, variants=2, order="epochs", rotate=20.0, zoom=0.2, shear=6.0)
    crops = Crops(listing, settings, seed=1, first=0, last=40)
    seen: dict[tuple[int, int], torch.Tensor] = {}
    for number in range(40):
        batch = crops.batch(number)
        for picture, variant, light in zip(
            batch["number"].tolist(), batch["variant"].tolist(), batch["light"], strict=True
        ):
            assert torch.equal(seen.setdefault((picture, variant), light), light)
    assert 30 < len(seen) <= 40  # 20 pictures, 2 variants, drawn 160 times


def test_each_picture_has_its_turn_in_each_epoch(photographs: Path) -> None:
    listing = list_pictures([photographs])
    crops = Crops(listing, Data(**DATA, order="epochs", variants=1), seed=1, first=0, last=10)
    for epoch in (0, 1):
        seen = [crops.batch(5 * epoch + place)["number"] for place in range(5)]
        assert sorted(torch.cat(seen).tolist()) == list(range(20))
    assert not torch.equal(crops.batch(0)["number"], crops.batch(5)["number"])


def test_labels_are_the_folders_names(scenes: Path) -> None:
    listing = list_pictures([scenes], classes=True)
    labels = labels_of(listing, ["cat", "person"])
    names = [Path(picture.name).parent.name for picture in listing.pictures]
    expected = {"cat": 0, "person": 1, "cup": -1}
    assert labels.tolist() == [expected[name] for name in names]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({}, r"network\.kind is missing\. Write one of \"encoder_decoder\", "),
        ({"kind": ["fusion"]}, r"network\.kind = .* must be one of"),
        ({"kind": "x" * 9999}, r"network\.kind = 'x{60}', but"),
        ({"kind": "unet"}, r"network\.kind = 'unet', but"),
        ({"kind": "fusion", "variant": "x"}, r'variant = "x", but .* "faces", "koala'),
        ({"kind": "fusion", "size": 3}, r"network\.size is not a setting"),
        ({"kind": "conditional_gan", "size": 33}, "must be one of 32, 64, 128, 256"),
        ({"kind": "global_local", "global_size": 100}, "from 32 to 1,024, a multiple of 32"),
    ],
)
def test_a_wrong_network_table_is_refused(network: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        start_network(system_of(network))


@pytest.mark.parametrize(
    ("data", "validation", "same"),
    [
        (["a.tar:train"], ["a.tar:val"], True),
        (["a.tar:train", "b.tar"], ["a.tar:val"], True),
        (["a.tar:train"], ["b.tar:val"], False),
        (["a.tar"], ["a.tar:val"], False),
        (["a.tar:train"], ["a.tar:train"], False),
    ],
)
def test_splits_of_one_set_are_not_compared(
    data: list[str], validation: list[str], same: bool, tmp_path: Path
) -> None:
    assert (
        same_sets([tmp_path / one for one in data], [tmp_path / one for one in validation]) == same
    )


def test_crops_that_do_not_fit_the_network_are_refused(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"size = 40 does not fit.*multiples of 16"):
        train(recipe("a6", 1, data={"size": 40}), [photographs], tmp_path, workers=0)


@pytest.mark.parametrize(
    ("size", "least_area", "expected"), [(128, 0.2, 160), (32, 1.0, 32), (160, 0.2, 192)]
)
def test_a_model_sees_things_as_large_as_in_its_crops(
    size: int, least_area: float, expected: int
) -> None:
    assert seen_size(Data(size=size, least_area=least_area)) == expected


def test_every_system_has_a_kind() -> None:
    assert {table["kind"] for table in NETWORKS.values()} | {"color_bins"} == set(SYSTEMS)


@pytest.mark.parametrize("name", ["hf-hub:a/b", "local-dir:/x", "../x", "https://x", "a\n", ""])
def test_a_classifier_is_a_name_and_no_address(name: str) -> None:
    with pytest.raises(RecipeError, match=r"network\.classifier = .*no address or path"):
        system_of({"kind": "fusion", "classifier": name})


@pytest.mark.parametrize("content", [None, b"", b"no tensors", b"\xff" * 100, "others"])
def test_an_encoder_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: object) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "encoder.safetensors"
    if content == "others":
        save_file({"_conv_stem.weight": torch.zeros(3)}, path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"encoder\.safetensors: [^\n]*$"):
        start_network(system_of({"kind": "color_bins", "encoder": str(path)}))
    with pytest.raises(RecipeError, match=r'network\.encoder = "weights", but it must be'):
        start_network(system_of({"kind": "color_bins", "encoder": "weights"}))
