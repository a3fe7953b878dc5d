"""The figures that a run is told of itself, on answers whose figures are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402
from skimage.metrics import peak_signal_noise_ratio  # noqa: E402

import opsin  # noqa: E402
from opsin.appearance import colorfulness  # noqa: E402
from opsin.color import lab_to_rgb, rgb_to_lab  # noqa: E402
from opsin.colorization.networks.colorizer import (  # noqa: E402
    CONDITION,
    HINTS,
    Colorizer,
)
from opsin.colorization.validation import ColorValidation  # noqa: E402
from opsin.errors import DataError  # noqa: E402
from opsin.sets.listing import list_pictures  # noqa: E402
from opsin.sets.sources import Picture  # noqa: E402
from opsin.training.run import hold_back  # noqa: E402

Answer = Callable[[np.ndarray], np.ndarray]
SIZE = 64


class TakesAll(Colorizer):
    """A network that may be given hints and a condition."""

    optional = (HINTS, CONDITION)


class Known:
    """An objective whose answers are made of the truth, and whose loss is the number of calls."""

    def __init__(self, truth: np.ndarray, answers: dict[str, Answer]) -> None:
        self.truth, self.made = truth, answers
        self.network = TakesAll()
        self.done = 0
        self.batches: list[dict] = []

    def losses(self, network: torch.nn.Module, batch: dict) -> dict[str, float]:
        self.batches.append(batch)
        return {"loss": float(len(self.batches))}

    def answers(self, network: torch.nn.Module, light: torch.Tensor) -> dict[str, np.ndarray]:
        lab = self.truth[self.done : self.done + len(light)]
        assert light.numpy()[:, 0] == pytest.approx(lab[..., 0], abs=1e-3)
        self.done += len(light)
        return {name: make(lab[..., 1:]) for name, make in self.made.items()}


@pytest.fixture(scope="module")
def squares(
    tmp_path_factory: pytest.TempPathFactory, astronaut: np.ndarray, coffee: np.ndarray
) -> list[Picture]:
    """18 square pictures, two batches, of the size that is validated on."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(18):
        photo = (astronaut, coffee)[number % 2]
        x = 12 * number
        Image.fromarray(photo[100 : 100 + SIZE, x : x + SIZE]).save(folder / f"{number:02}.png")
    return sorted(list_pictures([folder]).pictures, key=lambda picture: picture.name)


def rgb_of(pictures: list[Picture]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(one.path)) for one in pictures]).astype(np.float32) / 255


def figures(
    squares: list[Picture], out: Path, stride: int = 4, **made: Answer
) -> tuple[dict[str, float], Known]:
    known = Known(rgb_to_lab(rgb_of(squares)), made)
    validate = ColorValidation(known, squares, out, size=SIZE, stride=stride)  # type: ignore[arg-type]
    return validate(7, torch.nn.Identity()), known


def test_the_truth_beats_gray_and_its_opposite_loses(
    squares: list[Picture], tmp_path: Path
) -> None:
    found, _ = figures(
        squares,
        tmp_path,
        true=lambda ab: ab,
        gray=lambda ab: 0 * ab,
        half=lambda ab: ab / 2,
        opposite=lambda ab: -ab,
    )
    over = {name: found[f"psnr over gray, {name}"] for name in ("true", "half", "gray", "opposite")}
    assert over["true"] > 20
    assert 3 < over["half"] < over["true"]
    assert over["gray"] == pytest.approx(0, abs=1e-4)
    assert over["opposite"] < -3


def test_psnr_over_gray_is_that_of_scikit_image(squares: list[Picture], tmp_path: Path) -> None:
    found, known = figures(squares, tmp_path, half=lambda ab: ab / 2)
    expected = []
    for lab, truth in zip(known.truth, rgb_of(squares), strict=True):
        half, gray = (lab_to_rgb(lab * np.float32([1, share, share])) for share in (0.5, 0))
        expected.append(
            peak_signal_noise_ratio(truth, half, data_range=1)
            - peak_signal_noise_ratio(truth, gray, data_range=1)
        )
    assert found["psnr over gray, half"] == pytest.approx(np.mean(expected), abs=0.01)


def test_colorfulness_is_the_share_of_the_truths(squares: list[Picture], tmp_path: Path) -> None:
    found, known = figures(
        squares, tmp_path, true=lambda ab: ab, gray=lambda ab: 0 * ab, half=lambda ab: ab / 2
    )
    assert found["colorfulness, share of truth, true"] == pytest.approx(1, abs=1e-3)
    assert found["colorfulness, share of truth, gray"] == pytest.approx(0, abs=0.01)
    half = [colorfulness(lab_to_rgb(lab * np.float32([1, 0.5, 0.5]))) for lab in known.truth]
    true = [colorfulness(rgb) for rgb in rgb_of(squares)]
    share = np.mean(half) / np.mean(true)
    assert found["colorfulness, share of truth, half"] == pytest.approx(share, abs=1e-3)


def test_the_larger_channel_is_the_one_that_is_larger(
    squares: list[Picture], tmp_path: Path
) -> None:
    """Signed: a* of -10 is less than b* of -5. Blue everywhere is right where a* is larger."""
    found, known = figures(
        squares,
        tmp_path,
        true=lambda ab: ab,
        swapped=lambda ab: ab[..., ::-1],
        shifted=lambda ab: ab - 300,
        blue=lambda ab: np.full_like(ab, (10, -40)),
        green=lambda ab: np.full_like(ab, (-30, -5)),
    )
    larger = {name.split(", ")[1]: value for name, value in found.items() if "channel" in name}
    assert larger["true"] == 1
    assert larger["shifted"] == pytest.approx(1, abs=2e-3)  # rounding makes a few of them equal
    a, b = np.moveaxis(known.truth[..., 1:], -1, 0)
    assert larger["swapped"] == pytest.approx((a == b).mean(), abs=1e-3)
    assert larger["blue"] == pytest.approx((a >= b).mean(), abs=1e-3)
    assert larger["green"] == pytest.approx((b > a).mean(), abs=1e-3)
    assert 0.1 < larger["blue"] < 0.9


def test_losses_are_means_over_pictures_not_batches(squares: list[Picture], tmp_path: Path) -> None:
    found, known = figures(squares, tmp_path, true=lambda ab: ab)
    counts = [len(batch["light"]) for batch in known.batches]
    assert sum(counts) == 18
    assert len(counts) > 1
    expected = np.average(np.arange(1, len(counts) + 1), weights=counts)
    assert found["loss"] == pytest.approx(expected)


def test_batches_are_as_in_training(squares: list[Picture], tmp_path: Path) -> None:
    """L*, and the mean a*b* of each cell; no hints, no condition."""
    _, known = figures(squares, tmp_path, stride=8, true=lambda ab: ab)
    batch, lab = known.batches[0], known.truth
    assert batch["light"][3, 0].numpy() == pytest.approx(lab[3, ..., 0], abs=1e-3)
    assert batch["ab"].shape[1:] == (2, 8, 8)
    corner = lab[3, 8:16, 40:48, 1:].mean(axis=(0, 1))
    assert batch["ab"][3, :, 1, 5].numpy() == pytest.approx(corner, abs=1e-2)
    assert not batch["hints"].any()
    assert not batch["condition"].any()


def test_the_sheet_shows_truth_gray_and_answers(squares: list[Picture], tmp_path: Path) -> None:
    figures(squares, tmp_path, true=lambda ab: ab, opposite=lambda ab: -ab)
    (sheet,) = (tmp_path / "sheets").glob("*.jpg")
    assert "7" in sheet.name
    shown = np.asarray(Image.open(sheet)).astype(np.float32)
    assert shown.shape[1] == 3 * 4 * SIZE  # three rows side by side
    truth, gray, answer, opposite = np.split(shown[:SIZE, : 4 * SIZE], 4, axis=1)
    first = rgb_of(squares)[0] * 255
    assert np.abs(truth - first).mean() < 4
    assert np.abs(answer - first).mean() < 4
    assert np.ptp(gray, axis=-1).mean() < 3
    assert np.abs(opposite - first).mean() > 8


def test_pictures_that_cannot_be_read_keep_their_labels_apart(
    squares: list[Picture], tmp_path: Path
) -> None:
    damaged = Picture(str(tmp_path / "no.png"), 0, 9, "no.png")
    (tmp_path / "no.png").write_bytes(b"no picture")
    known = Known(rgb_to_lab(rgb_of(squares[:2])), {"": lambda ab: ab})
    validate = ColorValidation(
        known,  # type: ignore[arg-type]
        [squares[0], damaged, squares[1]],
        tmp_path,
        size=SIZE,
        stride=4,
        labels=[5, 6, 7],
    )
    validate(1, torch.nn.Identity())
    assert known.batches[0]["label"].tolist() == [5, 7]
    with pytest.raises(DataError, match="too few pictures"):
        ColorValidation(known, [damaged], tmp_path, size=SIZE, stride=4)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "held"), [(2, 1), (6, 1), (30, 3)])
def test_of_few_pictures_one_is_held_back(
    tmp_path: Path, coffee: np.ndarray, count: int, held: int
) -> None:
    for number in range(count):
        opsin.open(np.roll(coffee, 40 * number, axis=1)).save(tmp_path / f"{number}.jpg")
    rest, shown = hold_back(list_pictures([tmp_path]), 96, seed=1)
    assert (len(rest.pictures), len(shown.pictures)) == (count - held, held)
    assert not set(rest.pictures) & set(shown.pictures)
