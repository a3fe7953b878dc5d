"""Several answers for one photograph, each of a piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import opsin
from opsin.cli import main
from opsin.colorization.bins import BINS
from opsin.colorization.pipeline import run_model
from opsin.colorization.samples import covering, features_of, palettes, samples

SAMPLES = Path(__file__).parents[2] / "samples"


def test_the_first_is_the_plain_answer_and_the_others_differ() -> None:
    photo = opsin.open(SAMPLES / "coffee.jpg")
    found = samples(photo, 4)
    assert found[0].palette == ()
    assert len({one.palette for one in found}) == 4
    assert all(sum(one.palette) == pytest.approx(1, abs=0.02) for one in found[1:])
    shares = [one.share for one in found]
    assert sum(shares) == pytest.approx(1)
    assert shares[1:] == sorted(shares[1:], reverse=True)
    assert min(shares) >= 0
    pictures = [
        opsin.colorize(photo, palette=one.palette or None).pixels.astype(int) for one in found
    ]
    for number, one in enumerate(pictures):
        for other in pictures[:number]:
            assert np.abs(one - other).mean() > 2


def test_fewer_answers_are_among_more() -> None:
    photo = opsin.open(SAMPLES / "cat.jpg")
    few, more = ({one.palette for one in samples(photo, count)} for count in (3, 6))
    assert few < more
    assert samples(photo, 1) == (((), 1.0),)


def test_what_is_shown_covers_what_is_likely() -> None:
    """Two likely palettes are nearly one, a third is far away: it is shown before the second."""
    places = np.array([0.0, 0.1, 5.0, 9.0])
    apart = np.abs(places[:, None] - places)
    likely = np.array([0.4, 0.35, 0.2, 0.05])
    chosen, shares = covering(likely, apart, np.full(4, 20.0), 2)
    assert chosen == [1, 2]
    assert shares == pytest.approx({1: 0.75, 2: 0.25})
    chosen, shares = covering(likely, apart, places, 2)  # the plain answer shows the first two
    assert chosen == [2, 3]
    assert shares == pytest.approx({2: 0.2, 3: 0.05})


@given(st.integers(0, 2**32 - 1), st.integers(0, 15))
def test_no_palette_is_shown_twice_and_each_share_goes_to_one(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    likely, places = rng.dirichlet(np.ones(20)), rng.normal(size=(20, 3))
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    chosen, shares = covering(likely, apart, rng.uniform(0, 3, 20), count)
    assert len(set(chosen)) == count == len(shares)
    assert -1e-9 <= sum(shares.values()) <= 1 + 1e-9


@pytest.mark.parametrize("count", [0, 17])
def test_so_many_there_are_not(count: int) -> None:
    with pytest.raises(ValueError, match="count must be from 1 to 16"):
        samples(SAMPLES / "cat.jpg", count)


def test_a_network_without_palettes_has_one_answer() -> None:
    with pytest.raises(opsin.ModelError, match="has one answer alone"):
        samples(SAMPLES / "cat.jpg", model="classifier-decoder")


def test_what_tells_palettes_is_what_the_network_says() -> None:
    logits = np.full((313, 2, 3), -20.0, np.float32)
    logits[5] = 0
    logits[7, 0, 0] = np.log(3.0)
    mean, most, logs = features_of(logits).reshape(3, 313)
    assert mean[5] == pytest.approx((5 + 0.25) / 6, abs=1e-4)
    assert mean[7] == pytest.approx(0.75 / 6, abs=1e-4)
    assert most[7] == pytest.approx(0.75, abs=1e-4)
    assert logs[5] == pytest.approx(np.log(0.25) / 6, abs=1e-3)


def test_palettes_that_are_told_follow_the_photograph() -> None:
    """Before a night sky blue is likelier than on a face, and orange the other way round."""
    known = palettes()
    blue = (known.shares * (BINS[:, 1] < -15)).sum(axis=1)
    orange = (known.shares * ((BINS[:, 0] > 5) & (BINS[:, 1] > 5))).sum(axis=1)
    rocket, face = (
        known.likely(features_of(run_model(opsin.open(SAMPLES / name), size=128)[0].raw))
        for name in ("rocket.jpg", "admiral.jpg")
    )
    assert rocket @ blue > 1.5 * (face @ blue)
    assert face @ orange > 1.2 * (rocket @ orange)


def test_answers_are_files_with_numbers(tmp_path: Path, capsys) -> None:
    scan = tmp_path / "scan.jpg"
    scan.write_bytes((SAMPLES / "cat.jpg").read_bytes())
    assert main(["colorize", str(scan), "--samples", "3"]) == 0
    told = capsys.readouterr().err
    assert f"-> {tmp_path / 'scan-color.jpg'}, {tmp_path / 'scan-color-2.jpg'}, " in told
    made = sorted(one.name for one in tmp_path.iterdir())
    assert made == ["scan-color-2.jpg", "scan-color-3.jpg", "scan-color.jpg", "scan.jpg"]
    found = samples(scan, 3)
    again = tmp_path / "again.jpg"
    for number in (2, 3):
        copy = tmp_path / f"scan-color-{number}.jpg"
        wanted = opsin.colorize(scan, palette=found[number - 1].palette)
        assert copy.read_bytes() == wanted.encode("jpeg")
        assert main(["again", str(copy), "-o", str(again), "--overwrite"]) == 0
        assert np.array_equal(opsin.open(again).pixels, opsin.open(copy).pixels)
    again.unlink()
    capsys.readouterr()
    assert main(["colorize", str(tmp_path), "--samples", "3"]) == 0  # its own are no photographs
    assert "1 skipped, colored already" in capsys.readouterr().err
    assert sorted(one.name for one in tmp_path.iterdir()) == made


def test_answers_beside_a_file_that_was_named(tmp_path: Path) -> None:
    scan = tmp_path / "scan.jpg"
    scan.write_bytes((SAMPLES / "cat.jpg").read_bytes())
    assert main(["colorize", str(scan), "-o", str(tmp_path / "new.png"), "--samples", "2"]) == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new-2.png", "new.png", "scan.jpg"]


def test_answers_and_a_palette_do_not_go_together(capsys) -> None:
    words = ["colorize", str(SAMPLES / "cat.jpg"), "--samples", "3", "--palette", "#ff0000"]
    assert main(words) == 2
    assert "--samples: not with --reference or --palette" in capsys.readouterr().err
    assert main(["colorize", "-", "--samples", "3"]) == 2
    assert "--samples" in capsys.readouterr().err


def test_a_foreign_file_is_not_taken_for_an_answer(tmp_path: Path, capsys) -> None:
    scan = tmp_path / "scan.jpg"
    scan.write_bytes((SAMPLES / "cat.jpg").read_bytes())
    foreign = tmp_path / "scan-color-2.jpg"
    foreign.write_text("my notes")
    assert main(["colorize", str(scan), "--samples", "3"]) == 1
    assert "scan-color-2.jpg exists and was not made from this" in capsys.readouterr().err
    assert foreign.read_text() == "my notes"
