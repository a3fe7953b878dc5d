"""Training crops from the front: turned, mirrored, enlarged, hinted and worn as told.

Pictures that are ramps of gray show what was done to them: how steep they are afterwards, and
which way they climb.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402
from skimage import data  # noqa: E402

from colorization.running import Crops  # noqa: E402
from opsin.color import lab_to_rgb, rgb_to_lab, rgb_to_light  # noqa: E402
from opsin.colorization.bins import histogram  # noqa: E402
from opsin.colorization.data import Data, make_crop  # noqa: E402
from opsin.sets.listing import Listing, list_pictures  # noqa: E402
from opsin.sets.sources import Picture  # noqa: E402

PLAIN = {"least_area": 1.0, "stretch": 1.0, "film": 0.0, "wear": 0.0, "hinted": 0.0}
EVERYTHING = frozenset({"hints", "condition"})


def save(path: Path, rgb: np.ndarray) -> Picture:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((rgb * 255).round().astype(np.uint8)).save(path)
    return Picture(str(path), 0, path.stat().st_size, path.name)


def ramp(path: Path, side: int, across: float, down: float) -> Picture:
    """L* is 50 in the middle and climbs by so much a side."""
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, side), np.linspace(-0.5, 0.5, side))
    lab = np.stack([50 + across * x + down * y, 0 * x, 0 * x], axis=-1)
    return save(path, lab_to_rgb(lab))


def crops(
    picture: Picture, count: int, *, size: int = 48, stride: int = 1, **settings: float
) -> Iterable[dict[str, np.ndarray]]:
    told = Data(**{**PLAIN, **settings})  # type: ignore[arg-type]
    for seed in range(count):
        rng = np.random.default_rng(seed)
        yield make_crop(picture, size, told, rng, stride=stride, gives=EVERYTHING)


def steepness(
    picture: Picture, count: int, **settings: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each crop how much L* climbs across and down a crop's side, and L* in the middle."""
    found = []
    for crop in crops(picture, count, **settings):
        light = crop["light"][0]
        margin = len(light) // 4
        inner = light[margin:-margin, margin:-margin]
        at = np.linspace(-0.25, 0.25, len(inner))
        by_column = np.polyfit(at, inner.mean(axis=0), 1)
        by_row = np.polyfit(at, inner.mean(axis=1), 1)
        found.append((by_column[0], by_row[0], by_column[1]))
    across, down, middle = np.array(found).T
    return across, down, middle


def test_half_of_the_crops_are_mirrored_and_none_is_upside_down(tmp_path: Path) -> None:
    picture = ramp(tmp_path / "ramp.png", 48, 40, 20)
    across, down, _ = steepness(picture, 300)
    assert np.abs(across) == pytest.approx(40, abs=1.5)
    assert down == pytest.approx(20, abs=1)
    assert 0.4 < (across < 0).mean() < 0.6


def test_crops_are_turned_both_ways_about_the_middle(tmp_path: Path) -> None:
    picture = ramp(tmp_path / "ramp.png", 48, 60, 0)
    across, down, middle = steepness(picture, 150, rotate=30.0)
    angles = np.degrees(np.arctan(down / across))
    assert -31 < angles.min() < -24
    assert 24 < angles.max() < 31
    assert angles.std() == pytest.approx(30 / 3**0.5, rel=0.2)
    assert np.hypot(across, down) == pytest.approx(60, rel=0.03)  # as large as it was
    assert middle == pytest.approx(50, abs=1)


def test_crops_are_sheared_by_degrees(tmp_path: Path) -> None:
    """Upright things lean; what lies level stays level."""
    upright = ramp(tmp_path / "upright.png", 48, 60, 0)
    across, down, middle = steepness(upright, 100, shear=17.0)
    angles = np.degrees(np.arctan(down / across))
    assert -17.5 < angles.min() < -14
    assert 14 < angles.max() < 17.5
    assert np.abs(across) == pytest.approx(60, rel=0.03)
    assert middle == pytest.approx(50, abs=1)
    across, down, _ = steepness(ramp(tmp_path / "level.png", 48, 0, 60), 40, shear=17.0)
    assert down == pytest.approx(60, rel=0.03)
    assert across == pytest.approx(0, abs=1.5)


def test_crops_are_enlarged_and_made_smaller(tmp_path: Path) -> None:
    across, _, middle = steepness(ramp(tmp_path / "ramp.png", 48, 60, 0), 100, zoom=0.25)
    scale = 60 / np.abs(across)
    assert 0.73 < scale.min() < 0.8
    assert 1.2 < scale.max() < 1.28
    assert middle == pytest.approx(50, abs=1)


def test_nothing_is_warped_unless_told(tmp_path: Path) -> None:
    across, down, _ = steepness(ramp(tmp_path / "ramp.png", 48, 60, 0), 20)
    assert np.abs(across) == pytest.approx(60, rel=0.02)
    assert down == pytest.approx(0, abs=0.5)


def test_crops_cover_at_least_the_area_told(tmp_path: Path) -> None:
    """How steep a ramp is in the crop tells what share of its side the crop is."""
    picture = ramp(tmp_path / "ramp.png", 200, 80, 0)
    across, _, middle = steepness(picture, 200, least_area=0.25)
    area = (across / 80) ** 2
    assert 0.22 < area.min() < 0.3
    assert 0.9 < area.max() < 1.02
    assert area.mean() == pytest.approx(0.625, abs=0.06)
    assert middle.min() < 40  # some are taken from the left
    assert middle.max() > 60  # and some from the right


def test_crops_are_stretched_as_told(tmp_path: Path) -> None:
    picture = ramp(tmp_path / "ramp.png", 200, 60, 60)
    across, down, _ = steepness(picture, 150, least_area=0.3, stretch=1.5)
    ratio = np.abs(across) / down
    assert 1.3 < ratio.max() < 1.53
    assert 0.65 < ratio.min() < 0.77
    across, down, _ = steepness(picture, 20, least_area=0.3)
    assert np.abs(across) / down == pytest.approx(1, abs=0.03)


@pytest.fixture(scope="module")
def colored(tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """A photograph of many colors."""
    return save(
        tmp_path_factory.mktemp("colored") / "coffee.png", data.coffee()[60:260, 120:320] / 255
    )


def test_the_target_is_the_mean_color_of_each_cell(colored: Picture) -> None:
    for fine, coarse in zip(crops(colored, 5), crops(colored, 5, stride=8), strict=True):
        cells = fine["ab"].reshape(2, 6, 8, 6, 8).mean(axis=(2, 4))
        assert coarse["ab"] == pytest.approx(cells, abs=1e-3)
        assert np.array_equal(coarse["light"], fine["light"])


def test_film_and_wear_change_the_gray_and_never_the_target(colored: Picture) -> None:
    plain = list(crops(colored, 20))
    for changed in (crops(colored, 20, film=1.0), crops(colored, 20, wear=1.0)):
        differences = []
        for one, other in zip(plain, changed, strict=True):
            assert np.array_equal(one["ab"], other["ab"])
            differences.append(np.abs(one["light"] - other["light"]).mean())
        assert np.median(differences) > 1


def test_the_gray_of_a_plain_crop_is_its_lightness(colored: Picture) -> None:
    for crop in crops(colored, 3):
        rgb = lab_to_rgb(np.concatenate([crop["light"], crop["ab"]]).transpose(1, 2, 0))
        assert rgb_to_light(rgb) == pytest.approx(crop["light"][0], abs=0.1)
        assert rgb_to_lab(rgb)[..., 1:] == pytest.approx(crop["ab"].transpose(1, 2, 0), abs=0.3)


def test_shares_of_film_wear_hints_and_conditions_are_those_told(colored: Picture) -> None:
    plain = [crop["light"] for crop in crops(colored, 150, size=32)]

    def changed(**settings: float) -> float:
        found = crops(colored, 150, size=32, **settings)
        return float(np.mean([(c["light"] != p).any() for c, p in zip(found, plain, strict=True)]))

    assert changed() == 0
    assert 0.3 < changed(film=0.4) < 0.5
    assert 0.2 < changed(wear=0.3) < 0.4
    hinted, known = [], []
    for crop in crops(colored, 150, size=32, hinted=0.7, conditioned=0.3):
        hinted.append(crop["hints"].any())
        known.append(crop["condition"].any())
    assert 0.6 < np.mean(hinted) < 0.8
    assert 0.2 < np.mean(known) < 0.4
    assert 0.1 < np.mean(np.logical_and(hinted, known)) < 0.3  # drawn apart from each other


def test_hints_are_true_colors_at_their_places(colored: Picture) -> None:
    """Of crops with a single hint: a small patch, of a color that its thing has there."""
    single = 0
    for crop in crops(colored, 150, size=48, hinted=1.0):
        color, mask = crop["hints"][:2], crop["hints"][2] == 1
        assert mask.any()
        assert not crop["hints"][:, ~mask].any()
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        here = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        inside = color[:, here[0], here[1]]
        if not mask[here].all() or np.ptp(inside, axis=(1, 2)).any():
            continue  # more than one
        single += 1
        true = crop["ab"][:, here[0], here[1]]
        assert np.hypot(*(true - inside)).min() < 0.01
        assert crop["things"][0, here[0], here[1]].all()
        assert max(len(rows), len(columns)) <= 9
    assert single > 15


def test_hints_stay_true_to_the_color_under_film_and_wear(colored: Picture) -> None:
    """Wherever there are hints, many and overlapping ones too, they are near the true colors."""
    differences, spread = [], []
    for crop in crops(colored, 30, size=48, hinted=1.0, film=1.0, wear=1.0):
        mask = crop["hints"][2] == 1
        differences.append(np.hypot(*(crop["hints"][:2] - crop["ab"])[:, mask]).mean())
        middle = crop["ab"].mean(axis=(1, 2), keepdims=True)
        spread.append(np.hypot(*(crop["ab"] - middle)).mean())
    assert np.mean(differences) < 0.6 * np.mean(spread)


def test_the_condition_is_the_histogram_of_the_crop(colored: Picture) -> None:
    for crop in crops(colored, 10, size=48, conditioned=1.0, least_area=0.2):
        assert crop["condition"] == pytest.approx(
            histogram(crop["ab"].transpose(1, 2, 0)), abs=1e-6
        )


def test_only_what_the_network_takes_is_given(colored: Picture) -> None:
    rng = np.random.default_rng(0)
    assert set(make_crop(colored, 32, Data(), rng, gives=frozenset())) == {"light", "ab"}


@pytest.fixture(scope="module")
def two_sets(tmp_path_factory: pytest.TempPathFactory) -> Listing:
    """A set of 16 large pictures, another of 4, and a third of small ones."""
    folder = tmp_path_factory.mktemp("sets")
    photo = data.astronaut() / 255
    for name, count, side in (("many", 16, 64), ("few", 4, 64), ("small", 5, 24)):
        for number in range(count):
            x = 20 * number
            save(folder / name / f"{number}.png", photo[150 : 150 + side, x : x + side])
    return list_pictures([folder / name for name in ("many", "few", "small")])


def drawn(listing: Listing, batches: int, **settings: float) -> list[dict]:
    told = Data(
        size=64,
        small_size=32,
        batch=8,
        small_batch=3,
        variants=1,
        **{**PLAIN, **settings},  # type: ignore[arg-type]
    )
    source = Crops(listing, told, seed=3, first=0, last=batches)
    return [source.batch(number) for number in range(batches)]


def test_small_pictures_have_their_share_of_the_batches(two_sets: Listing) -> None:
    batches = drawn(two_sets, 120, small_share=0.25)
    small = [batch for batch in batches if batch["light"].shape[-1] == 32]
    assert 0.15 < len(small) / 120 < 0.35
    assert {tuple(batch["light"].shape) for batch in batches} == {(3, 1, 32, 32), (8, 1, 64, 64)}
    names = {two_sets.group_names[two_sets.groups[i]] for b in small for i in b["number"].tolist()}
    assert names == {"small"}
    assert all(batch["light"].shape[-1] == 64 for batch in drawn(two_sets, 20, small_share=0.0))


def test_small_pictures_are_taken_whole(tmp_path: Path) -> None:
    """A ramp of 24 pixels keeps its whole climb, whatever the least area of a crop."""
    ramp(tmp_path / "small" / "ramp.png", 24, 60, 0)
    save(tmp_path / "large" / "photo.png", data.coffee()[:64, :64] / 255)
    listing = list_pictures([tmp_path / "small", tmp_path / "large"])
    for batch in drawn(listing, 5, small_share=1.0, least_area=0.1):
        assert np.ptp(batch["light"].numpy(), axis=(1, 2, 3)).min() > 50


@pytest.mark.parametrize(("exponent", "share"), [(1.0, 0.8), (0.0, 0.5), (0.5, 2 / 3)])
def test_a_set_is_drawn_by_its_size_to_a_power(
    two_sets: Listing, exponent: float, share: float
) -> None:
    """16 pictures against 4: as 4 to 1, as 1 to 1, and as 2 to 1."""
    batches = drawn(two_sets, 60, small_share=0.0, set_exponent=exponent)
    chosen = torch.cat([batch["number"] for batch in batches]).numpy()
    many = two_sets.groups[chosen] == two_sets.group_names.index("many")
    assert many.mean() == pytest.approx(share, abs=0.08)


def test_machines_that_train_together_have_other_crops_of_the_same_size(two_sets: Listing) -> None:
    settings = Data(size=64, small_size=32, batch=4, small_batch=4, small_share=0.5)
    one, other = (
        Crops(two_sets, settings, seed=1, first=0, last=9, rank=rank, ranks=2) for rank in (0, 1)
    )
    for number in range(12):
        first, second = one.batch(number)["light"], other.batch(number)["light"]
        assert first.shape == second.shape
        assert not torch.equal(first, second)


def test_two_workers_share_the_batches(two_sets: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Data(size=64, small_size=32, batch=1, small_batch=1, **PLAIN)  # type: ignore[arg-type]
    made = []
    for worker in (0, 1):
        crops = Crops(two_sets, told, seed=3, first=5, last=11)
        monkeypatch.setattr(crops, "batch", lambda number: number)
        info = SimpleNamespace(id=worker, num_workers=2)
        monkeypatch.setattr(torch.utils.data, "get_worker_info", lambda info=info: info)
        made.append(list(crops))
    assert made == [[5, 7, 9], [6, 8, 10]]
