"""Colors said in words: what is understood, where the things are, and what comes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import opsin
from opsin.cli import main
from opsin.color import rgb_to_lab
from opsin.colorization.bins import BINS
from opsin.colorization.color_names import color_at, english
from opsin.colorization.sight import Sight
from opsin.colorization.things import NETWORK, TAPS, head, tapped
from opsin.colorization.touchup import Touchup
from opsin.colorization.words import SEEN, wishes_of
from opsin.models.engine import session_of
from opsin.models.store import find

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize(
    ("text", "color", "thing"),
    [
        ("red dress", "red", "dress"),
        ("the Dark Red dresses", "dark red", "dress"),
        ("light-blue wine glass", "light blue", "wine glass"),
        ("grey horse", "gray", "horse"),
        ("#A0B0C0 sky", "#a0b0c0", "sky"),
        ("brown bushes", "brown", "leaves"),
        ("orange orange", "orange", "orange"),
        ("dunkelblauer Himmel", "dark blue", "sky"),
        ("grünes Kleid", "green", "dress"),
        ("weiße Bluse", "white", "shirt"),
    ],
)
def test_a_color_and_a_thing_are_understood(text: str, color: str, thing: str) -> None:
    [wish] = wishes_of(text)
    assert (wish.color, wish.thing) == (color, thing)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("red drss", "'drss' is no thing that can be found. Did you mean dress"),
        ("purpel dress", "'purpel' is no color that is known. Did you mean purple"),
        ("red dress of the woman", "one color and one thing is all that is understood"),
        ("red dress blue sky", "one color and one thing is all that is understood"),
        ("dress", "write a color and a thing"),
        ("#12345 sky", "'#12345' is no color that is known"),
        ("the", "write a color and a thing"),
        ("red dress,", "write COLOR THING"),
        ("", "write COLOR THING"),
        (", ".join(["red sky"] * 21), "at most 20"),
    ],
)
def test_what_is_not_understood_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("#", r"\#")):
        wishes_of(text)


EVEN = np.full(len(BINS), 1 / len(BINS), np.float32)


@given(st.sampled_from(["blue", "navy blue", "crimson", "gray", "tan"]), st.floats(0, 100))
def test_a_name_has_one_color_at_each_lightness(name: str, light: float) -> None:
    ab = color_at(name, np.full((2, 3), light, np.float32), EVEN)
    assert ab.shape == (2, 3, 2)
    assert np.isfinite(ab).all()
    assert (ab == ab[0, 0]).all()


def hue(ab: np.ndarray) -> float:
    return float(np.degrees(np.arctan2(ab[1], ab[0])) % 360)


def test_names_mean_what_people_mean() -> None:
    """A blue thing in the light is sky blue and no violet: its hue is that of such names."""
    light, dark = color_at("blue", np.array([75.0, 25.0]), EVEN)
    assert 230 < hue(light) < 270 < hue(dark) < 310
    assert np.linalg.norm(color_at("gray", np.array([20.0, 50.0, 90.0]), EVEN), axis=-1).max() < 6
    exact = rgb_to_lab(np.array([0x30, 0x80, 0x50], np.float32) / 255)[1:]
    assert color_at("#308050", np.array([10.0]), EVEN) == pytest.approx(exact[None], abs=1e-3)
    assert english("hellgraue") == "light gray"


def test_of_all_that_is_called_so_the_likely_color_is_taken() -> None:
    """Green grass is yellower than what is green elsewhere, and is green all the same."""
    grass = np.exp(-((BINS - (-15, 40)) ** 2).sum(axis=1) / 200).astype(np.float32)
    [anything], [likely] = (
        color_at("green", np.array([60.0]), some) for some in (EVEN, grass / grass.sum())
    )
    assert hue(likely) < hue(anything) - 5
    [red] = color_at("red", np.array([60.0]), grass / grass.sum())
    assert red[0] > 20


def test_the_head_was_made_for_the_network_that_is_there() -> None:
    assert head().network == find(NETWORK).card.sha256
    assert {name for names in SEEN.values() for name in names} <= set(head().names)


def test_inner_tensors_are_given_without_a_change_of_the_answer() -> None:
    model = find(NETWORK)
    inputs = {
        "light": np.linspace(0, 100, 64 * 64, dtype=np.float32).reshape(1, 1, 64, 64),
        "hints": np.zeros((1, 3, 64, 64), np.float32),
        "condition": np.zeros((1, 313), np.float32),
    }
    plain = session_of(model.read(), model.path, threads=1).run(["logits"], inputs)
    session = session_of(tapped(model.read(), tuple(TAPS)), model.path, threads=1)
    found = session.run(["logits", *TAPS], inputs)
    assert np.array_equal(found[0], plain[0])
    sides = [64 // stride for stride in TAPS.values()]
    assert [values.shape[2:] for values in found[1:]] == [(side, side) for side in sides]


def moved(done: opsin.Photo, plain: opsin.Photo) -> np.ndarray:
    """(H, W): by how many units of a*b* two pictures of one photograph differ."""
    one, other = (rgb_to_lab(photo.pixels.astype(np.float32) / 255) for photo in (done, plain))
    return np.linalg.norm((one - other)[..., 1:], axis=-1)


def test_a_thing_gets_its_color_and_the_rest_stays() -> None:
    """The sky above a meadow: nearly all of it at the top, nothing of the grass at the bottom."""
    photo = opsin.open(SAMPLES / "photographer.jpg")
    plain = opsin.colorize(photo)
    done = opsin.colorize(photo, words="purple sky")
    assert done.notes == plain.notes
    change = moved(done, plain)
    height = len(change)
    assert (change[: height // 5] > 10).mean() > 0.75
    assert np.median(change[-height // 8 :]) < 2
    light = [rgb_to_lab(one.pixels.astype(np.float32) / 255)[..., 0] for one in (done, plain)]
    assert np.abs(light[0] - light[1]).max() < 2  # a color is named, no lightness


def test_a_sky_of_fog_is_a_sky_as_far_as_it_goes() -> None:
    """Fog is as plain as a wall: only a corner of it is told, and the rest goes on from there."""
    gray = opsin.open(SAMPLES / "photographer.jpg").pixels.astype(np.float32).mean(axis=-1)
    fog = 0.8 * np.linspace(1, 0.3, len(gray))[:, None]
    photo = opsin.open((gray + fog * (200 - gray)).astype(np.uint8))
    [sky], _ = Sight(photo, threads=1).regions(wishes_of("blue sky"))
    found = sky.share.values > 0.5
    assert found[:6].mean() > 0.8
    assert found[len(found) // 2 :].mean() < 0.05


def test_a_sky_that_goes_on_stops_at_other_things() -> None:
    """A meadow that meets the sky, and is as light cell by cell, is a meadow all the same."""
    gray = opsin.open(SAMPLES / "photographer.jpg").pixels.astype(np.float32).mean(axis=-1)
    cells = gray[:504, :504].reshape(28, 18, 28, 18).copy()
    below = cells[8:]  # all but the upper part of the sky
    below += cells[:5].mean() - below.mean(axis=(1, 3), keepdims=True)
    photo = opsin.open(cells.reshape(504, 504).clip(0, 255).astype(np.uint8))
    [sky], _ = Sight(photo, threads=1).regions(wishes_of("blue sky"))
    found = sky.share.values > 0.5
    assert found[:4].mean() > 0.9
    assert found[16:].mean() < 0.05


def test_of_two_things_that_are_told_badly_each_has_its_own_part() -> None:
    """A shirt alone is all that is worn above; beside a coat it is what looks more like a shirt."""
    sight = Sight(opsin.open(SAMPLES / "photographer.jpg"), threads=1)
    [alone], _ = sight.regions(wishes_of("white shirt"))
    both, _ = sight.regions(wishes_of("white shirt, black coat"))
    parts = [region.share.values for region in both]
    assert (sum(part > 0.5 for part in parts) <= 1).all()
    assert parts[0].sum() < alone.share.values.sum()


def test_a_thing_that_the_detector_finds_is_more_than_its_middle_and_less_than_its_box() -> None:
    photo = opsin.open(SAMPLES / "cat.jpg")
    [region], missing = Sight(photo, threads=1).regions(wishes_of("green cat"))
    assert not missing
    share = region.share.values > 0.5
    box = opsin.detect(photo, classes=["cat"])[0].box
    inside = (box[2] - box[0]) * (box[3] - box[1]) / (photo.width * photo.height)
    assert 0.3 * inside < share.mean() < 0.9 * inside


def test_a_thing_stays_what_it_is_on_its_ground() -> None:
    photo = opsin.open(SAMPLES / "coffee.jpg")
    sight = Sight(photo, threads=1)
    for words in ("blue cup, brown wood", "brown wood, blue cup"):
        regions, _ = sight.regions(wishes_of(words))
        assert [region.wish.thing for region in regions] == ["wood", "cup"]


def test_what_is_not_there_is_told_and_changes_nothing() -> None:
    photo = opsin.open(SAMPLES / "coffee.jpg")
    done = opsin.colorize(photo, words="brown horse")
    assert np.array_equal(done.pixels, opsin.colorize(photo).pixels)
    assert "brown horse: no horse found" in done.notes


def test_a_point_in_a_thing_says_more_than_its_word() -> None:
    photo = opsin.open(SAMPLES / "photographer.jpg")
    points = [(40, 40, "#d0a060")]
    done = opsin.colorize(photo, words="purple sky", points=points)
    wanted = rgb_to_lab(np.array([0xD0, 0xA0, 0x60], np.float32) / 255)[1:]
    found = rgb_to_lab(done.pixels[36:45, 36:45].astype(np.float32) / 255)[..., 1:].mean((0, 1))
    assert np.linalg.norm(found - wanted) < 15
    far = np.s_[20:60, -60:-20]
    assert np.median(moved(done, opsin.colorize(photo, points=points))[far]) > 10


def test_a_touchup_keeps_words_and_a_copy_says_them(tmp_path: Path) -> None:
    scan = tmp_path / "scan.png"
    opsin.open(SAMPLES / "rocket.jpg").save(scan)
    work = Touchup(scan)
    plain = work.picture(200).pixels
    work.change(words="green sky")
    wanted = opsin.colorize(scan, words="green sky")
    assert np.array_equal(work.picture().pixels, wanted.pixels)
    kept = work.save(tmp_path / "scan.opsin.json")
    assert json.loads(kept.read_text())["request"]["words"] == "green sky"
    assert np.array_equal(Touchup.load(kept).picture().pixels, wanted.pixels)
    copy = wanted.save(tmp_path / "scan-color.png")
    assert np.array_equal(opsin.again(copy).pixels, wanted.pixels)
    assert np.array_equal(opsin.again(copy, words="").pixels, opsin.colorize(scan).pixels)
    with pytest.raises(ValueError, match="'skyy' is no thing"):
        work.change(words="green skyy")
    assert work.request.words == "green sky"
    work.change(words="")
    assert np.array_equal(work.picture(200).pixels, plain)


def test_the_command_says_what_it_does_not_understand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = tmp_path / "scan.jpg"
    scan.write_bytes((SAMPLES / "rocket.jpg").read_bytes())
    assert main(["colorize", str(scan), "--words", "green skyy"]) == 2
    assert "'skyy' is no thing that can be found. Did you mean sky?" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [scan]
    assert main(["colorize", str(scan), "--words", "green sky, red dress"]) == 0
    assert "red dress: no dress found" in capsys.readouterr().err
    wanted = opsin.colorize(scan, words="green sky, red dress")
    wanted.save(tmp_path / "wanted.jpg")
    done = opsin.open(tmp_path / "scan-color.jpg")
    assert np.array_equal(done.pixels, opsin.open(tmp_path / "wanted.jpg").pixels)
