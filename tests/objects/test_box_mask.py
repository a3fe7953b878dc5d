"""The network that tells which pixels of a box are the thing in it: what it is shown and costs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import opsin  # noqa: E402
from opsin.cli import main  # noqa: E402
from opsin.errors import DataError, RecipeError  # noqa: E402
from opsin.models.store import find  # noqa: E402
from opsin.objects.box_masks import HeldMasks, Masking, MaskSettings, example_of, usable  # noqa: E402
from opsin.objects.crops import around, within  # noqa: E402
from opsin.objects.data import BoxData  # noqa: E402
from opsin.objects.masker import masker_of  # noqa: E402
from opsin.objects.matte import part_of  # noqa: E402
from opsin.objects.networks.box_mask import BoxMask, covered  # noqa: E402
from opsin.objects.pipeline import Thing  # noqa: E402
from opsin.objects.task import SEGMENT  # noqa: E402
from opsin.sets.labeled import things_on  # noqa: E402
from opsin.sets.listing import list_pictures  # noqa: E402
from opsin.sets.sources import Picture, chosen  # noqa: E402
from opsin.training import run  # noqa: E402
from opsin.training.loop import Stepper  # noqa: E402
from opsin.training.recipe import Optimizer, Recipe  # noqa: E402

SIZE = 96
CLASSES = ("cat", "cup")
shares = st.floats(0, 1)


def recipe(*, steps: int = 2, data: dict[str, object] | None = None, **network: object) -> Recipe:
    return Recipe(
        task="segment",
        name="mine",
        steps=steps,
        precision="float32",
        validate_every=steps,
        license="CC0-1.0",
        network={"kind": "box_mask", "size": SIZE, "width": 16, **network},
        data={"size": SIZE, "validation_size": SIZE, "batch": 8, **(data or {})},
        optimizer=Optimizer(rate=1e-2, ema=0.8),
    )


def pictures_of(folder: Path) -> list[Picture]:
    return [
        source.pictures[number]
        for source, numbers in chosen([folder], lambda place, why: None)
        for number in numbers
    ]


@given(shares, shares, shares, shares)
def test_a_cell_is_covered_by_as_much_of_the_box_as_lies_in_it(
    x1: float, y1: float, x2: float, y2: float
) -> None:
    (x1, x2), (y1, y2) = sorted([x1, x2]), sorted([y1, y2])
    cells = covered(torch.tensor([[x1, y1, x2, y2]]), 5, 7)[0, 0]
    assert float(cells.sum()) == pytest.approx((x2 - x1) * 7 * (y2 - y1) * 5, abs=1e-3)
    rows, columns = (np.arange(one) + 0.5 for one in (5, 7))
    far_x = (columns < x1 * 7 - 0.5) | (columns > x2 * 7 + 0.5)
    far_y = (rows < y1 * 5 - 0.5) | (rows > y2 * 5 + 0.5)
    assert float(cells.numpy()[far_y].max(initial=0)) == 0
    assert float(cells.numpy()[:, far_x].max(initial=0)) == 0
    deep_x = (columns > x1 * 7 + 0.5) & (columns < x2 * 7 - 0.5)
    deep_y = (rows > y1 * 5 + 0.5) & (rows < y2 * 5 - 0.5)
    assert cells.numpy()[np.ix_(deep_y, deep_x)] == pytest.approx(1, abs=1e-5)


@given(st.tuples(*[st.floats(-20, 220)] * 4), st.floats(0, 2))
def test_a_crop_holds_its_box_and_says_where_it_is(
    corners: tuple[float, float, float, float], margin: float
) -> None:
    (x1, x2), (y1, y2) = sorted(corners[:2]), sorted(corners[2:])
    rows, columns = around([x1, y1, x2, y2], (150, 200, 3), margin)
    assert 0 <= rows.start < rows.stop <= 150
    assert 0 <= columns.start < columns.stop <= 200
    told = within([x1, y1, x2, y2], rows, columns)
    assert ((told >= 0) & (told <= 1)).all()
    inside = np.clip([x1, y1, x2, y2], 0, [200, 150, 200, 150])
    if (inside[2:] > inside[:2]).all():
        sides = [columns.stop - columns.start, rows.stop - rows.start]
        back = told * np.tile(sides, 2) + np.tile([columns.start, rows.start], 2)
        assert back == pytest.approx(inside, abs=1e-3)


def test_a_mask_lies_where_the_thing_is_seen_however_it_was_turned(things: Path) -> None:
    """Cats and cups are in color, what is around them is gray."""
    turned = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        one = example_of(pictures_of(things)[seed % 8], SIZE, BoxData(margin=0.6), CLASSES, rng)
        assert one["picture"].shape == (3, SIZE, SIZE)
        assert one["mask"].shape == (1, SIZE // 2, SIZE // 2)
        assert float(one["known"]) == 1
        colored = np.ptp(one["picture"], axis=0) > 0.06
        cells = colored.reshape(SIZE // 2, 2, SIZE // 2, 2).mean((1, 3)) > 0.5
        true = one["mask"][0] > 0.5
        assert cells[~true].mean() < 0.1
        assert cells[true].mean() > 0.6
        x1, y1, x2, y2 = (one["box"] * SIZE / 2).round().astype(int)
        off = 0.21 * max(x2 - x1, y2 - y1) + 1  # a detector is not exact, and no farther off
        rows, columns = np.flatnonzero(true.any(axis=1)), np.flatnonzero(true.any(axis=0))
        ends = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        assert np.abs(np.subtract(ends, [x1, y1, x2, y2])).max() <= off
        turned.append(one["box"])
    assert len({tuple(box) for box in turned}) == 12


def test_what_has_no_outline_teaches_nothing(things: Path, tmp_path: Path) -> None:
    shutil.copytree(things, tmp_path / "some")
    file = tmp_path / "some" / "instances.json"
    table = json.loads(file.read_text())
    for one in table["annotations"]:
        one.pop("segmentation")
    file.write_text(json.dumps(table))
    [first, *_] = pictures_of(tmp_path / "some")
    assert things_on(first)
    assert usable(first, CLASSES) == []
    assert usable(pictures_of(things)[0], ["dog"]) == []
    one = example_of(first, SIZE, BoxData(), CLASSES, np.random.default_rng(0))
    assert float(one["known"]) == 0
    with pytest.raises(DataError, match="on the training pictures there is no thing whose outline"):
        run.train(SEGMENT, recipe(), [tmp_path / "some"], tmp_path / "run", workers=0)
    bare: Any = list_pictures([tmp_path / "some"])
    with pytest.raises(DataError, match="to validate on there is no thing whose outline is known"):
        HeldMasks(Any, bare, CLASSES, tmp_path, size=SIZE)  # type: ignore[arg-type]


def test_a_wrong_outline_is_told_with_its_file(things: Path, tmp_path: Path) -> None:
    shutil.copytree(things, tmp_path / "some")
    file = tmp_path / "some" / "instances.json"
    table = json.loads(file.read_text())
    for one in table["annotations"]:
        one["segmentation"] = [[1, 2, 3]]
    file.write_text(json.dumps(table))
    with pytest.raises(DataError) as caught:
        run.train(SEGMENT, recipe(), [tmp_path / "some"], tmp_path / "run", workers=0)
    assert str(caught.value).startswith(f"{file}: the segmentation of annotation ")


def test_an_unknown_one_costs_nothing(things: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = BoxMask(2, width=16)
    batch = {
        "picture": torch.rand(2, 3, SIZE, SIZE),
        "box": torch.tensor([[0.2, 0.2, 0.8, 0.8]] * 2),
        "kind": torch.eye(2),
        "mask": torch.rand(2, 1, SIZE // 2, SIZE // 2).round(),
    }
    costs = network.losses(*batch.values())
    assert {key: one.shape for key, one in costs.items()} == {"cells": (2,), "overlap": (2,)}
    assert costs["cells"].tolist() == pytest.approx([np.log(2)] * 2)  # nothing is known at first
    stepper = Stepper(torch.device("cpu"), False, Optimizer())
    objective = Masking(network, MaskSettings(), stepper)
    alone = objective.losses(
        network, {key: one[:1] for key, one in batch.items()} | {"known": torch.ones(1)}
    )
    both = objective.losses(network, batch | {"known": torch.tensor([1.0, 0.0])})
    assert both == pytest.approx(alone, rel=1e-5)
    none = objective.losses(network, batch | {"known": torch.zeros(2)})
    assert none["loss"] == 0


def test_overlap_costs_what_is_not_shared() -> None:
    """Sure of one half, and the other half is true, or the same one."""
    network = BoxMask(2, width=16)
    half = torch.zeros(1, 1, 48, 48)
    half[..., :24] = 1
    given = torch.zeros(1, 3, SIZE, SIZE), torch.tensor([[0.0, 0, 1, 1]]), torch.zeros(1, 2)
    network.logits = lambda *_: 40 * half - 20  # type: ignore[method-assign, assignment]
    same, other = (network.losses(*given, true)["overlap"] for true in (half, 1 - half))
    assert float(same) == pytest.approx(0, abs=1e-3)
    assert float(other) == pytest.approx(1, abs=1e-3)
    whole = network.losses(*given, torch.ones_like(half))["overlap"]
    assert float(whole) == pytest.approx(1 - 2 / 3, abs=1e-3)  # 2 * 1/2 of 1/2 + 1


def test_the_kind_and_the_box_change_the_answer() -> None:
    torch.manual_seed(3)
    network = BoxMask(2, width=16).eval()
    torch.nn.init.normal_(network.last.weight)
    seen: list[float] = []
    encode = network.encoder.every
    network.encoder.every = lambda picture: seen.append(float(picture.max())) or encode(picture)  # type: ignore[method-assign, func-returns-value]
    picture = torch.rand(1, 3, SIZE, SIZE)
    box, smaller = torch.tensor([[0.1, 0.1, 0.9, 0.9]]), torch.tensor([[0.1, 0.1, 0.4, 0.9]])
    with torch.no_grad():
        cat, cup = (network(picture, box, kind[None]) for kind in torch.eye(2))
        narrow = network(picture, smaller, torch.eye(2)[:1])
    assert cat.shape == (1, 1, SIZE, SIZE)
    assert cat.min() >= 0
    assert cat.max() <= 1
    assert (cat - cup).abs().max() > 1e-3
    assert (cat - narrow).abs().max() > 1e-3
    assert 200 < seen[0] <= 255  # as its detector is shown pictures


def test_large_things_are_drawn_more_often_and_most_are_named(things: Path, tmp_path: Path) -> None:
    shutil.copytree(things, tmp_path / "some")
    file = tmp_path / "some" / "instances.json"
    table = json.loads(file.read_text())
    [first] = [one for one in table["annotations"] if one["image_id"] == 1]
    small = {"bbox": [0, 0, 20, 20], "segmentation": [[0, 0, 20, 0, 20, 20, 0, 20]]}
    small |= {"category_id": 1}
    tiny = {"bbox": [50, 0, 9, 9], "segmentation": [[50, 0, 59, 0, 59, 9, 50, 9]]}
    table["annotations"] += [{**first, **small, "id": 90}, {**first, **tiny, "id": 91}]
    file.write_text(json.dumps(table))
    picture = next(one for one in pictures_of(tmp_path / "some") if one.name.endswith("1.png"))
    assert [one.kind for one in usable(picture, CLASSES)] == [0, 1]
    rng = np.random.default_rng(0)
    made = [example_of(picture, 64, BoxData(), CLASSES, rng) for _ in range(120)]
    kinds = np.stack([one["kind"] for one in made])
    untold = (kinds.sum(axis=1) == 0).mean()
    assert 0.02 < untold < 0.25
    width, height = first["bbox"][2:]
    larger = np.sqrt(width * height) / 20  # as often as its sides are longer, about 6
    assert kinds[:, 0].sum() / kinds[:, 1].sum() == pytest.approx(larger, rel=0.6)


def test_figures_of_a_validation_are_those_of_what_is_told(things: Path, tmp_path: Path) -> None:
    class Told(torch.nn.Module):
        """Says that all of each box is the thing."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = torch.nn.Conv2d(1, 1, 1)

        def logits(self, picture: torch.Tensor, box: torch.Tensor, kind: torch.Tensor) -> object:
            assert (kind.sum(dim=1) == 1).all()
            side = picture.shape[-1] // 2
            return 40 * covered(box, side, side) - 20

        def losses(self, *given: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"cells": torch.arange(len(given[0]), dtype=torch.float32)}

    network = Told()
    objective = Masking(
        network, MaskSettings(encoder_rate=0.5), Stepper(torch.device("cpu"), False, Optimizer())
    )
    shares = {group["share"] for group in objective.optimizer.param_groups}
    assert shares == {0.5}  # there is nothing but its encoder to learn
    held = list_pictures([things])
    measure = HeldMasks(objective, held, CLASSES, tmp_path, size=SIZE)
    figures = measure(3, network)
    assert figures["cells"] == figures["loss"] == pytest.approx(3.5)  # of eight things
    told = covered(torch.from_numpy(measure.batch["box"]), SIZE // 2, SIZE // 2).numpy() >= 0.5
    true = measure.batch["mask"] >= 0.5
    shares = (told & true).sum((1, 2, 3)) / (told | true).sum((1, 2, 3))
    assert figures["iou"] == pytest.approx(shares.mean())
    assert 0.6 < figures["iou"] < 0.97  # their boxes are a little off
    assert [one.name for one in (tmp_path / "sheets").iterdir()] == ["step-0000003.jpg"]


def test_it_is_told_which_thing_is_meant(things: Path, tmp_path: Path, models: Path) -> None:
    """Learned by heart, exported, and asked by boxes."""
    wanted = recipe(steps=60, data={"margin": 0.5, "order": "epochs"})
    train, same = (Path(f"{things}:{split}") for split in ("train", "same"))
    run.train(SEGMENT, wanted, [train], tmp_path / "run", validation=[same], workers=0)
    assert len(list((tmp_path / "run" / "sheets").glob("*.jpg"))) == 1
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path)]) == 0
    model = str(tmp_path / "mine.toml")
    card = find(model).card
    assert (card.task, card.network, card.detect) == ("segment", "box_mask", None)
    assert card.input_names() == ("picture", "box", "kind")
    assert card.segment is not None
    assert card.segment.classes == CLASSES

    masker = masker_of(model, threads=1, device="cpu")
    picture = pictures_of(things)[0]
    [(box, mask, kind)] = usable(picture, CLASSES)
    assert CLASSES[kind] == "cat"
    pixels = opsin.open(things / "1.png").pixels
    part = part_of(pixels, Thing("cat", box, 0.9), masker)
    found = np.zeros(pixels.shape[:2], np.float32)
    part.lay(found)
    true = mask.pasted(*found.shape)
    assert (found >= 0.5)[true].mean() > 0.85
    assert (found >= 0.5)[~true].mean() < 0.1
    mirrored = part_of(pixels[:, ::-1], Thing("cat", turned(box, pixels.shape[1]), 0.9), masker)
    other = np.zeros_like(found)
    mirrored.lay(other)
    assert np.abs(other[:, ::-1] - found).mean() < 0.01
    assert main(["evaluate", "segment", str(things), "--model", model, "--json"]) == 0


def turned(box: np.ndarray, width: int) -> np.ndarray:
    return np.float32([width - box[2], box[1], width - box[0], box[3]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"size": 64}}, r"data\.size = 64, but the network sees squares of"),
        ({"data": {"least_area": 0.5}}, r"data\.least_area = 0\.5, but a crop is what is around"),
        ({"size": 100}, r"network\.size = 100, but it must be"),
    ],
)
def test_recipes_that_cannot_be_meant(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        SEGMENT.tables(recipe(**changes))  # type: ignore[arg-type]
