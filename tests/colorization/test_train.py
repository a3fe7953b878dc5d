"""Training from the front: a tiny run on real pictures learns, resumes exactly, and exports."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

import opsin  # noqa: E402
from colorization.running import (  # noqa: E402
    Crops,
    export,
    system_of,
    train,
)
from opsin.color import rgb_to_lab  # noqa: E402
from opsin.colorization.bins import BINS, histogram, nearest_bins  # noqa: E402
from opsin.colorization.data import Data, make_crop  # noqa: E402
from opsin.colorization.networks.color_bins import ColorBins  # noqa: E402
from opsin.colorization.objectives.bins import BinsObjective, Settings, rebalancing  # noqa: E402
from opsin.errors import DataError, RecipeError  # noqa: E402
from opsin.sets.listing import list_pictures  # noqa: E402
from opsin.training.loop import make_stepper  # noqa: E402
from opsin.training.recipe import Recipe  # noqa: E402
from opsin.training.task import start_network  # noqa: E402

TINY = {
    "network": {
        "kind": "color_bins",
        "encoder": "none",
        "widths": [32, 16, 16, 16],
        "attention_blocks": 1,
    },
    "data": {"size": 32, "batch": 4, "small_share": 0.0, "validation_size": 96},
}


def recipe(steps: int, **changes: object) -> Recipe:
    tables = {key: {**table, **changes.pop(key, {})} for key, table in TINY.items()}  # type: ignore[dict-item]
    tables["precision"] = "float32"  # type: ignore[assignment]
    return Recipe(task="colorize", name="tiny", steps=steps, **tables, **changes)  # type: ignore[arg-type]


def test_crop_is_a_pure_function_of_its_number(photographs: Path) -> None:
    listing = list_pictures([photographs])
    settings = Data(size=64, batch=3)
    whole = Crops(listing, settings, seed=1, first=0, last=9)
    later = Crops(listing, settings, seed=1, first=7, last=9)
    again = next(iter(later))
    assert all(torch.equal(whole.batch(7)[key], again[key]) for key in again)
    assert not torch.equal(whole.batch(6)["light"], whole.batch(7)["light"])


def test_crop_shapes_and_units(photographs: Path) -> None:
    picture = list_pictures([photographs]).pictures[0]
    settings = Data(hinted=1.0, conditioned=1.0)
    crop = make_crop(picture, 64, settings, np.random.default_rng(0))
    assert {key: value.shape for key, value in crop.items()} == {
        "light": (1, 64, 64),
        "ab": (2, 16, 16),
        "hints": (3, 64, 64),
        "things": (1, 16, 16),
        "condition": (313,),
    }
    assert all(value.dtype == np.float32 for value in crop.values())
    assert 0 <= crop["light"].min() < crop["light"].max() <= 100.01
    assert crop["condition"].sum() == pytest.approx(1, abs=1e-5)
    assert set(np.unique(crop["hints"][2])) == {0, 1}


def test_gray_of_a_plain_crop_is_the_lightness_of_the_photograph(photographs: Path) -> None:
    picture = list_pictures([photographs]).pictures[0]
    plain = Data(film=0.0, wear=0.0, least_area=1.0, stretch=1.0)
    crop = make_crop(picture, 160, plain, np.random.default_rng(3))
    whole = np.asarray(Image.open(io.BytesIO(Path(picture.path).read_bytes()[picture.offset :])))
    light = rgb_to_lab(whole.astype(np.float32) / 255)[..., 0]
    seen = crop["light"][0]
    assert min(np.abs(seen - light).mean(), np.abs(seen - light[:, ::-1]).mean()) < 0.2


def test_histogram_counts_nearest_bins() -> None:
    ab = np.array([[[0, 0], [1, -2]], [[38, 22], [41, 18]]], np.float32)
    share = histogram(ab)
    assert share[nearest_bins(np.zeros(2, np.float32))] == 0.5
    assert share[np.flatnonzero((BINS == (40, 20)).all(axis=1))] == 0.5


def test_soft_bins_decode_to_the_true_color() -> None:
    stepper = make_stepper(recipe(1))
    objective = BinsObjective(
        ColorBins(widths=(8, 8, 8, 8), attention_blocks=0), Settings(), stepper=stepper
    )
    ab = torch.tensor([[0.0, 0.0], [33.0, -17.0], [-41.5, 38.25], [70.0, 55.0]])
    bins, shares = objective.soft_bins(ab)
    assert shares.sum(dim=1).tolist() == pytest.approx([1] * 4)
    mean = (torch.from_numpy(BINS)[bins] * shares[..., None]).sum(dim=1)
    assert mean.numpy() == pytest.approx(ab.numpy(), abs=1e-3)


def test_rebalancing_favors_rare_colors_and_averages_to_one() -> None:
    weight = rebalancing(0.95)
    gray, green = (np.flatnonzero((color == BINS).all(axis=1)) for color in ((0, 0), (-80, 70)))
    assert weight[green] > 2 * weight[gray]
    assert rebalancing(1.0) == pytest.approx(np.ones(313), rel=1e-5)


def test_validation_pictures_are_kept_out_of_training(photographs: Path, tmp_path: Path) -> None:
    told: list[str] = []
    train(
        recipe(1),
        [photographs, photographs.parent],
        tmp_path / "run",
        validation=[first_of(photographs, 12, tmp_path)],
        workers=0,
        on_message=told.append,
    )
    assert any("16 pictures" in text and "24 held out" in text for text in told)


def first_of(photographs: Path, first: int, folder: Path) -> Path:
    """A tar of the first pictures of another."""
    path = folder / "validation.tar"
    with tarfile.open(photographs) as source, tarfile.open(path, "w") as tar:
        for member in list(source)[:first]:
            tar.addfile(member, source.extractfile(member))
    return path


def test_training_lowers_the_loss_and_writes_its_records(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(recipe(100, validate_every=50), [photographs], out, workers=0)
    rows = [line.split(",") for line in (out / "losses.csv").read_text().splitlines()]
    loss = [float(row[rows[0].index("loss")]) for row in rows[1:]]
    assert loss[-1] < loss[0] - 0.5
    assert len((out / "validation.csv").read_text().splitlines()) == 3
    assert (out / "report.html").stat().st_size > 5000
    assert len(list((out / "sheets").glob("*.jpg"))) == 2


def test_the_average_is_exported_not_the_last_weights(photographs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    checkpoint = train(recipe(1), [photographs], run, workers=0)
    state = torch.load(checkpoint, weights_only=True)
    state["network"] = {key: value + 1 for key, value in state["network"].items()}
    torch.save(state, checkpoint)
    done = export(run, tmp_path / "export", license="CC0-1.0")
    start = start_network(system_of({**TINY["network"], "start": str(done.path)}))
    for key, value in start.state_dict().items():
        assert torch.allclose(value, state["average"][key], atol=1e-3), key


def test_export_makes_a_model_that_colorizes(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coffee: np.ndarray
) -> None:
    run = tmp_path / "run"
    train(recipe(2), [photographs], run, workers=0)
    monkeypatch.setenv("OPSIN_MODELS", str(tmp_path / "models"))
    done = export(run, tmp_path / "export", license="CC0-1.0")
    assert done.difference < 0.5
    from opsin.models import trial

    trial.add(done.path)
    restarted = start_network(system_of({**TINY["network"], "start": "tiny"}))
    trained = torch.load(run / "checkpoint.pt", weights_only=True)["average"]
    for key, value in restarted.state_dict().items():
        assert torch.allclose(value, trained[key], atol=1e-3), key
    gray = coffee[::2, ::2].mean(axis=2).astype(np.uint8)
    colored = opsin.colorize(gray, model="tiny", vividness=1.0)
    assert colored.pixels.shape == (200, 300, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data": {"siz": 3}},
            r"data\.siz is not a setting\. Did you mean size\?.*Known keys: size",
        ),
        ({"objective": {"uniform": "x"}}, r'uniform = "x", but it must be a number from 0 to 1\.'),
        ({"network": {"widths": [1, 2]}}, r"widths = \[1, 2\], but it must be a list of 4, each"),
        ({"validate_every": 0}, r"validate_every = 0, but it must be a whole number from 1 to"),
    ],
)
def test_bad_tables_stop_before_training(
    photographs: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        train(recipe(1, **changes), [photographs], tmp_path / "run", workers=0)
    assert not (tmp_path / "run").exists()


def test_pictures_smaller_than_the_crop_are_an_error(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"short side of 410 pixels or more\. Lower data\.size"):
        train(recipe(1, data={"size": 512}), [photographs], tmp_path / "run", workers=0)


def test_export_of_no_run_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"recipe\.json is missing"):
        export(tmp_path, tmp_path)
