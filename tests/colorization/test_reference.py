"""Another photograph's colors, place by place: of the same scene, and kept without it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import opsin
from opsin.appearance import delta_e_2000
from opsin.cli import main
from opsin.color import rgb_to_lab
from opsin.colorization import reference
from opsin.colorization.ensemble import Grid
from opsin.colorization.palette import shares_of
from opsin.colorization.reference import COUNT, WIDTH, Lent, Swatches, read, swatches_of, with_lent
from opsin.colorization.things import NETWORK
from opsin.drawing.pixels import resized
from opsin.models.store import find
from opsin.photo import made_by_opsin


@pytest.fixture(scope="module")
def series(astronaut: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photograph in color, and another one of the scene: in color, and gray as it is."""
    first = np.ascontiguousarray(astronaut[:, :400])
    second = resized(np.ascontiguousarray(astronaut[40:480, 90:][:, ::-1]), 300, 288)
    light = rgb_to_lab(second.astype(np.float32) / 255)[..., 0]
    return first, second, (light * 2.55 + 0.5).astype(np.uint8)


@pytest.fixture(scope="module")
def swatches(series: tuple[np.ndarray, ...]) -> str:
    return swatches_of(series[0])


def off(found: np.ndarray, truth: np.ndarray) -> float:
    one, other = (rgb_to_lab(rgb.astype(np.float32) / 255) for rgb in (found, truth))
    return float(delta_e_2000(one, other).mean())


def test_the_looks_were_made_for_the_network_that_is_there() -> None:
    stored = np.load(Path(reference.__file__).with_name("looks.npz"))
    assert str(stored["network"]) == find(NETWORK).card.sha256


def test_a_photograph_of_the_scene_lends_its_colors(series) -> None:
    first, second, gray = series
    plain = off(opsin.colorize(gray).pixels, second)
    palette = off(opsin.colorize(gray, palette=first, strength=0.5).pixels, second)
    places = off(opsin.colorize(gray, reference=first).pixels, second)
    assert places < 0.8 * min(plain, palette)  # when this was written 5.0, of 11.4 and 8.0


def test_each_place_gets_what_looks_like_it(series, swatches: str) -> None:
    """A turned reference is the same swatches, so colors do not come from where a place is."""
    first, _, gray = series
    upright = opsin.colorize(gray, reference=swatches).pixels
    mirrored = opsin.colorize(gray, reference=np.ascontiguousarray(first[:, ::-1])).pixels
    assert off(upright, mirrored) < 0.3 * off(upright, opsin.colorize(gray).pixels)


def test_matching_is_how_much(series, swatches: str) -> None:
    gray = series[2]
    none, half, all_of_it = (
        opsin.colorize(gray, reference=swatches, matching=one).pixels for one in (0.0, 0.5, 1.0)
    )
    assert np.array_equal(none, opsin.colorize(gray).pixels)
    assert off(half, none) < off(all_of_it, none)
    assert off(half, all_of_it) < off(all_of_it, none)


@pytest.mark.parametrize("matching", [-0.1, 1.5, float("nan")])
def test_matching_is_a_share(series, swatches: str, matching: float) -> None:
    with pytest.raises(ValueError, match="matching must be"):
        opsin.colorize(series[2], reference=swatches, matching=matching)


def test_what_looks_like_nothing_there_keeps_its_color(series) -> None:
    wall = Swatches(-np.eye(WIDTH, dtype=np.float32)[:1], np.array([[80.0, 60.0]], np.float32))
    plain = opsin.colorize(series[2]).pixels
    assert off(opsin.colorize(series[2], reference=wall.text()).pixels, plain) < 1


@settings(deadline=None, max_examples=30)
@given(
    arrays(np.float32, (7, WIDTH), elements=st.floats(-1, 1, width=16)),
    arrays(np.float32, (7, 2), elements=st.integers(-110, 110)),
)
def test_swatches_are_kept_in_a_text(looks: np.ndarray, ab: np.ndarray) -> None:
    looks[:, 0] += 2  # none has no length
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    found = read(Swatches(looks, ab).text())
    assert np.array_equal(found.ab, ab)
    assert (found.looks * looks).sum(axis=1).min() > 0.99


def test_there_are_so_many_swatches_and_no_more(swatches: str) -> None:
    found = read(swatches)
    assert len(found.ab) == COUNT
    assert len(swatches) <= reference.MOST_TEXT
    assert swatches_of(swatches) == swatches
    assert swatches_of("") == ""


def test_places_that_all_look_alike_are_one_swatch(series, monkeypatch) -> None:
    seen, view = reference.features_of(opsin.open(series[0]), threads=1)
    alike = np.broadcast_to(seen[:1, :1], seen.shape)
    monkeypatch.setattr(reference, "features_of", lambda photo, threads: (alike, view))
    found = read(swatches_of(series[0]))
    mean = rgb_to_lab(series[0].astype(np.float32) / 255)[..., 1:].mean(axis=(0, 1))
    assert np.abs(found.ab - mean).max() < 1  # of all of them


def test_each_cell_is_lent_the_color_of_its_look(monkeypatch) -> None:
    plain = np.eye(WIDTH, dtype=np.float32), np.zeros(WIDTH, np.float32)
    monkeypatch.setattr(reference, "_looks", lambda: plain)
    swatches = Swatches(plain[0][:2], np.array([[40, 10], [-30, 20]], np.float32))
    features = np.zeros((2, 3, WIDTH), np.float32)
    features[..., 0], features[..., 1] = [[1, 0, 0], [0, 1, -1]], [[0, 0.65, 0.65], [0.9, 0, 0]]
    features[..., 2] = np.sqrt((1 - (features**2).sum(axis=-1)).clip(0))
    found = reference.lent(swatches.text(), features, (1.8, 3.0), 0.5)
    assert found.ab.cells == found.share.cells == (1.8, 3.0)
    assert np.allclose(found.share.values, [[0.5, 0.25, 0.25], [0.5, 0.5, 0]], atol=0.01)
    wanted = swatches.ab[[[0, 1, 1], [1, 0, 1]]]
    assert np.allclose(found.ab.values, wanted, atol=0.1)


def test_what_is_lent_lies_where_it_was_seen() -> None:
    color = Grid(np.full((2, 3, 2), (10, -5), np.float32), (2, 3))
    share = Grid(np.array([[0, 0.5, 1]] * 2, np.float32), (2, 3))
    found = with_lent(np.full((4, 6, 2), 2, np.float32), (4, 6), Lent(color, share))
    along = np.array([0, 0.125, 0.375, 0.625, 0.875, 1])
    assert np.allclose(found, 2 + along[:, None] * [8, -7])


def test_what_is_transparent_lends_nothing(series) -> None:
    first = series[0]
    green = np.where(np.arange(400)[:, None] < 200, first, np.uint8([0, 200, 0]))
    alpha = np.where(np.arange(400) < 200, 255, 0) + np.zeros((512, 1), int)
    photo = opsin.open(np.dstack([green, alpha.astype(np.uint8)]))
    least = rgb_to_lab(first / np.float32(255))[..., 1].min()
    assert read(swatches_of(green)).ab[:, 0].min() < least - 10
    assert read(swatches_of(photo)).ab[:, 0].min() > least - 1
    sixteen = opsin.open(np.asarray(photo.pixels, np.uint16) * np.uint16(257))
    sixteen = replace(sixteen, alpha=np.asarray(photo.alpha, np.uint16) * np.uint16(257))
    assert read(swatches_of(sixteen)).ab[:, 0].min() > least - 1


def test_of_what_is_transparent_there_is_nothing_to_take(series, tmp_path: Path, capsys) -> None:
    hidden = np.dstack([series[0], np.zeros((512, 400), np.uint8)])
    for one in ("reference", "palette"):
        with pytest.raises(ValueError, match="it is all transparent"):
            opsin.colorize(series[2], **{one: hidden})
    scan = str(opsin.open(series[2]).save(tmp_path / "scan.png"))
    path = opsin.open(hidden).save(tmp_path / "hidden.png")
    assert main(["colorize", scan, "--reference", str(path)]) == 2
    assert f"--reference {path}: it is all transparent" in capsys.readouterr().err


def test_a_damaged_reference_lends_what_is_there_of_it(series, swatches: str) -> None:
    half = np.concatenate([series[0], np.full((512, 100, 3), 128, np.uint8)], axis=1)
    photo = opsin.open(half)
    there = replace(photo.metadata, there=(slice(0, 512), slice(0, 400)))
    assert swatches_of(replace(photo, metadata=there)) == swatches


def test_a_damaged_reference_is_taken_if_asked_for(series, tmp_path: Path, capsys) -> None:
    opsin.open(series[2]).save(tmp_path / "scan.png")
    cut = opsin.open(series[0]).encode("jpeg")
    (tmp_path / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    words = ["colorize", str(tmp_path / "scan.png"), "-o", str(tmp_path / "out.png")]
    words += ["--reference", str(tmp_path / "cut.jpg")]
    assert main(words) == 1
    assert "cut.jpg: the picture is damaged" in capsys.readouterr().err
    assert main([*words, "--damaged"]) == 0


def test_a_point_goes_over_what_is_lent(series, swatches: str) -> None:
    gray, point = series[2], (60, 60, "#20c040")
    both = opsin.colorize(gray, reference=swatches, points=[point]).pixels
    lent = opsin.colorize(gray, reference=swatches).pixels
    assert rgb_to_lab(both[60, 60] / np.float32(255))[1] < -20  # green
    far = np.s_[150:, 150:]
    assert off(both[far], lent[far]) < 0.5 * off(both[far], opsin.colorize(gray).pixels[far])


@pytest.mark.parametrize("text", ["1:", "1:AAAA", "1:!!", "2:" + "A" * 88, "1:" + "é" * 88])
def test_what_is_no_text_of_swatches_is_told(series, text: str) -> None:
    with pytest.raises((ValueError, opsin.PhotoError)):
        opsin.colorize(series[2], reference=text)


@pytest.mark.parametrize("text", ["1:", "1:" + "A" * 87 + "!A", "2:" + "A" * 88, "1:" + "A" * 89])
def test_what_is_no_text_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="reference must be"):
        read(text)


def test_more_swatches_than_a_copy_can_keep_are_none() -> None:
    looks, ab = np.ones((COUNT + 1, WIDTH), np.float32), np.zeros((COUNT + 1, 2), np.float32)
    assert len(read(Swatches(looks[1:], ab[1:]).text()).ab) == COUNT
    with pytest.raises(ValueError, match="reference must be"):
        read(Swatches(looks, ab).text())


def test_a_request_opens_no_file(series, swatches: str, tmp_path: Path, capsys) -> None:
    """A copy or a touchup from elsewhere can say any name."""
    scan = opsin.open(series[2]).save(tmp_path / "scan.png")
    opsin.open(series[0]).save(tmp_path / "other.png")
    for text in (str(tmp_path / "other.png"), "1:AAAA", swatches[:-7], "2:" + swatches[2:]):
        request = json.dumps({"model": "default", "reference": text})
        path = tmp_path / "scan.opsin.json"
        path.write_text(f'{{"opsin": 1, "request": {request}}}')
        assert main(["colorize", str(scan), "--touchup", str(path)]) == 1
        assert capsys.readouterr().err.startswith(f"opsin: {path}: its reference must be")
        copy = made_by_opsin(opsin.open(scan), series[1], model="x", version="1", request=request)
        copy = copy.save(tmp_path / "copy.png", overwrite=True)
        assert main(["again", str(copy), "-o", str(tmp_path / "again.png")]) == 1
        told = capsys.readouterr().err
        assert told.startswith(f"opsin: {copy}: how it was made cannot be understood (reference")
        assert told.count("\n") == 1
        copy.unlink()


def test_a_black_and_white_reference_lends_nothing(series) -> None:
    with pytest.raises(ValueError, match="it is black and white"):
        opsin.colorize(series[2], reference=series[2])


def test_an_address_is_no_reference(series, tmp_path: Path, capsys) -> None:
    opsin.open(series[2]).save(tmp_path / "scan.png")
    url = "https://example.org/summer.jpg"
    assert main(["colorize", str(tmp_path / "scan.png"), "--reference", url]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"opsin: {url}: this is an address, and opsin works offline.")
    assert told.count("\n") == 1


def test_a_file_of_swatches_that_are_none_is_a_sentence(series, tmp_path: Path, capsys) -> None:
    opsin.open(series[2]).save(tmp_path / "scan.png")
    path = tmp_path / "scan.opsin.json"
    path.write_text('{"opsin": 1, "request": {"model": "default", "reference": "1:AAAA"}}')
    assert main(["colorize", str(tmp_path / "scan.png"), "--touchup", str(path)]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"opsin: {path}: its reference must be a photograph")


def test_a_touchup_keeps_what_was_lent(series, swatches: str, tmp_path: Path) -> None:
    opsin.open(series[2]).save(tmp_path / "scan.png")
    work = opsin.Touchup(tmp_path / "scan.png")
    plain = work.picture().pixels
    work.change(reference=series[0])
    wanted = opsin.colorize(series[2], reference=swatches).pixels
    assert np.array_equal(work.picture().pixels, wanted)
    again = opsin.Touchup.load(work.save(tmp_path / "scan.opsin.json"))
    assert np.array_equal(again.picture().pixels, wanted)
    work.change(matching=0.5)
    half = opsin.colorize(series[2], reference=swatches, matching=0.5).pixels
    assert np.array_equal(work.picture().pixels, half)
    work.change(reference="")
    assert np.array_equal(work.picture().pixels, plain)


def test_one_reference_for_a_folder_which_copies_remember(series, tmp_path: Path, capsys) -> None:
    first, _, gray = series
    opsin.open(first).save(tmp_path / "first.png")
    (tmp_path / "album").mkdir()
    for name, picture in (("a", gray), ("b", np.ascontiguousarray(gray[:, ::-1]))):
        opsin.open(picture).save(tmp_path / "album" / f"{name}.png")
    words = ["colorize", str(tmp_path / "album")]
    how = ["--reference", str(tmp_path / "first.png"), "--strength", "0.5", "--matching", "0.7"]
    assert main([*words, *how]) == 0
    (tmp_path / "first.png").unlink()
    given = {"palette": first, "strength": 0.5, "reference": first}
    for name, picture in (("a", gray), ("b", np.ascontiguousarray(gray[:, ::-1]))):
        copy = tmp_path / "album" / f"{name}-color.png"
        wanted = opsin.colorize(picture, matching=0.7, **given).pixels
        assert np.array_equal(opsin.open(copy).pixels, wanted)
        assert main(["again", str(copy), "-o", str(tmp_path / f"{name}.png")]) == 0
        assert np.array_equal(opsin.open(tmp_path / f"{name}.png").pixels, wanted)
    again = ["again", str(copy), "-o", str(tmp_path / "b.png"), "--overwrite"]
    assert main([*again, "--matching", "1"]) == 0
    wanted = opsin.colorize(picture, **given).pixels
    assert np.array_equal(opsin.open(tmp_path / "b.png").pixels, wanted)
    assert main([*again, "--palette", "#3c7a3c"]) == 0  # takes the place of the whole reference
    wanted = opsin.colorize(picture, palette=["#3c7a3c"], strength=0.5).pixels
    assert np.array_equal(opsin.open(tmp_path / "b.png").pixels, wanted)


@pytest.mark.parametrize(
    ("lender", "made"),
    [
        ("first.png", ["first.png", "scan-color.png", "scan.png"]),
        ("first-color.png", ["first-color.png", "first.png", "scan-color.png", "scan.png"]),
    ],
)
def test_a_series_takes_the_colors_of_one_of_its_own(
    series, tmp_path: Path, capsys, lender: str, made: list[str]
) -> None:
    opsin.open(series[2]).save(tmp_path / "scan.png")
    opsin.open(series[2][:, ::-1]).save(tmp_path / "first.png")
    opsin.open(series[0]).save(tmp_path / lender)
    before = (tmp_path / lender).read_bytes()
    words = ["colorize", str(tmp_path), "--reference", str(tmp_path / lender), "--overwrite"]
    assert main(words) == 0
    told = capsys.readouterr().err
    assert told.startswith(f"opsin: {tmp_path / 'first.png'}: left out, the others take its colors")
    assert sorted(one.name for one in tmp_path.iterdir()) == made
    assert (tmp_path / lender).read_bytes() == before
    wanted = opsin.colorize(series[2], palette=series[0], reference=series[0])
    assert np.array_equal(opsin.open(tmp_path / "scan-color.png").pixels, wanted.pixels)


def test_a_model_without_palettes_takes_places_alone(series, tmp_path: Path, capsys) -> None:
    scan = str(opsin.open(series[2]).save(tmp_path / "scan.png"))
    first = str(opsin.open(series[0]).save(tmp_path / "first.png"))
    words = ["colorize", scan, "--model", "classifier-decoder", "--reference", first]
    assert main(words) == 1
    assert "'classifier-decoder' takes no palette" in capsys.readouterr().err
    assert main([*words, "--strength", "0"]) == 0
    found = opsin.open(tmp_path / "scan-color.png").pixels
    plain = opsin.colorize(scan, model="classifier-decoder").pixels
    assert off(found, series[1]) < 0.8 * off(plain, series[1])


def test_a_photograph_alone_may_take_its_own_colors(series, tmp_path: Path) -> None:
    first = str(opsin.open(series[0]).save(tmp_path / "first.png"))
    assert main(["colorize", first, "--reference", first]) == 0
    assert (tmp_path / "first-color.png").exists()


def test_matching_needs_a_reference(series, tmp_path: Path, capsys) -> None:
    scan, out = str(tmp_path / "scan.png"), str(tmp_path / "out.png")
    opsin.open(series[2]).save(scan)
    assert main(["colorize", scan, "-o", out, "--matching", "0.5"]) == 2
    assert "--matching: of what? Give --reference" in capsys.readouterr().err
    assert main(["colorize", "-", "--matching", "0.5"]) == 2
    assert "--matching: of what? Give --reference" in capsys.readouterr().err
    assert main(["colorize", scan, "-o", out]) == 0
    assert main(["again", out, "--matching", "0.5"]) == 1
    assert "was made without a reference" in capsys.readouterr().err


def test_a_request_is_small_enough_for_a_copy(swatches: str) -> None:
    asked = {"reference": swatches, "palette": list(map(float, shares_of(["#3c7a3c"])))}
    assert len(json.dumps(asked)) < 16_000  # a JPEG has room for 65,502 bytes of XMP
