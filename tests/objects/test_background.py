"""Another background on real photographs: who stays, what changes, and how the edge looks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from skimage import data

import opsin
import opsin.objects.background as objects_background
from opsin.drawing.pixels import as_rgb, resized
from opsin.errors import ModelError, NothingFoundError, PhotoError, WrongCallError
from opsin.models.card import Segment
from opsin.models.store import find
from opsin.objects.background import Cutout, color_of, cut_out
from opsin.objects.masker import nobody_of
from opsin.objects.matte import Part
from opsin.objects.pipeline import Things

SAMPLES = Path(__file__).parents[2] / "samples"
SKY, GRASS = np.s_[20:60, 20:300], np.s_[300:480, 380:500]


@pytest.fixture(scope="module")
def photographer() -> opsin.Photo:
    """A man before a sky, gray, 512 x 512."""
    return opsin.open(SAMPLES / "photographer.jpg")


@pytest.fixture(scope="module")
def cutout(photographer: opsin.Photo) -> Cutout:
    return cut_out(photographer)


def test_the_man_is_cut_out_and_the_sky_is_not(cutout: Cutout) -> None:
    assert {one.name for one in cutout.people} == {"person"}
    assert cutout.people[0].score > 0.9
    assert cutout.alpha.shape == (512, 512)
    assert cutout.alpha[250:400, 60:110].min() == 1  # his coat
    assert cutout.alpha[SKY].max() == 0
    assert cutout.alpha[GRASS].max() == 0
    assert 0.15 < cutout.document()["share"] < 0.4


def test_the_edge_is_that_of_the_photograph(cutout: Cutout) -> None:
    """From coat to sky the lightness jumps; there, and nowhere else, alpha does."""
    row = cutout.photo.pixels[300, 100:230, 0].astype(int)
    jump = 100 + int(np.abs(np.diff(row)).argmax())
    crossing = 100 + int((cutout.alpha[300, 100:230] < 0.5).argmax())
    assert abs(jump - crossing) <= 2


def test_a_color_comes_behind(photographer: opsin.Photo, cutout: Cutout) -> None:
    made = opsin.background(photographer, replace="#2060a0")
    assert made.pixels.shape == (512, 512, 3)
    assert (made.pixels[SKY] == [0x20, 0x60, 0xA0]).all()
    inside = cutout.alpha == 1
    assert (made.pixels[inside] == photographer.pixels[inside]).all()
    for same in ((0x20, 0x60, 0xA0), [0x20, 0x60, 0xA0]):
        assert (opsin.background(photographer, replace=same).pixels == made.pixels).all()


def test_another_photograph_is_cut_to_fill(photographer: opsin.Photo) -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, :100], wide[:, 100:200], wide[:, 200:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    made = opsin.background(photographer, replace=wide)
    assert (made.pixels[SKY] == [0, 255, 0]).all()
    deep = opsin.background(photographer, replace=np.full((5, 5), 257 * 99, np.uint16))
    assert deep.pixels.shape == (512, 512, 1)
    assert (deep.pixels[SKY] == 99).all()


def test_16_bits_stay(photographer: opsin.Photo, cutout: Cutout) -> None:
    deep = opsin.open(photographer.pixels.astype(np.uint16) * 257)
    made = opsin.background(deep, replace=np.full((5, 5, 3), 100, np.uint8))
    assert made.pixels.dtype == np.uint16
    assert (made.pixels[SKY] == 100 * 257).all()
    inside = cutout.alpha == 1
    assert (made.pixels == deep.pixels)[inside].mean() > 0.99
    plain = opsin.background(photographer, replace=np.full((5, 5, 3), 100, np.uint8))
    assert np.abs(made.pixels / 257 - plain.pixels).mean() < 0.5


def mixture(cutout: Cutout, front: int, behind: int) -> Cutout:
    """The same people, all of one gray, before a wall of one gray."""
    alpha = cutout.alpha[..., None]
    pixels = np.rint(alpha * front + (1 - alpha) * behind).astype(np.uint8)
    return Cutout(opsin.Photo(pixels), cutout.alpha, cutout.people, cutout.cards)


def test_no_halo_is_left_of_the_old_background(cutout: Cutout) -> None:
    """Dark people before a light wall, put before black: their edge is dark, too."""
    made = mixture(cutout, 20, 220).replaced((0, 0, 0)).pixels[..., 0].astype(float)
    plain = cutout.alpha * mixture(cutout, 20, 220).photo.pixels[..., 0]
    right = cutout.alpha * 20
    edge = (cutout.alpha > 0.1) & (cutout.alpha < 0.9)
    assert edge.sum() > 1000
    assert np.abs(made - right)[edge].mean() < 0.25 * np.abs(plain - right)[edge].mean()


def test_a_background_is_blurred_and_people_are_not(cutout: Cutout) -> None:
    made = cutout.blurred(20)
    inside = cutout.alpha == 1
    assert (made.pixels[inside] == cutout.photo.pixels[inside]).all()
    assert made.pixels[GRASS].std() < cutout.photo.pixels[GRASS].std() / 2
    lamp = cutout.photo.pixels.copy()
    lamp[300:308, 440:448] = 255
    lit = [
        Cutout(opsin.Photo(lamp), cutout.alpha, (), cutout.cards).blurred(by).pixels[:, :, 0]
        for by in (5, 40)
    ]
    near, far = (one[304, 444].astype(int) - made.pixels[250, 400, 0] for one in lit)
    assert near > far + 20


def test_nothing_of_people_is_in_the_blur(cutout: Cutout) -> None:
    wall = mixture(cutout, 10, 180).blurred(30).pixels[..., 0]
    outside = wall[cutout.alpha == 0]
    assert (outside.min(), outside.max()) >= (170, 180)
    assert outside.max() <= 180


def test_transparency(photographer: opsin.Photo, cutout: Cutout) -> None:
    made = opsin.background(photographer, transparent=True)
    assert made.alpha is not None
    assert (made.alpha[SKY] == 0).all()
    assert (made.pixels[SKY] == 0).all()
    assert (made.alpha[cutout.alpha == 1] == 255).all()
    half = opsin.Photo(photographer.pixels, np.full((512, 512), 128, np.uint8))
    assert opsin.background(half, transparent=True).alpha.max() == 128
    again = opsin.open(made.encode("png"))
    assert (again.alpha == made.alpha).all()


def transparent_in_part(photo: opsin.Photo) -> opsin.Photo:
    """The left side of it and half of its grass, as a picture that was cut out has it."""
    alpha = np.full((512, 512), 255, np.uint8)
    alpha[:, :100], alpha[GRASS] = 0, 128
    return opsin.Photo(np.where(alpha[..., None] == 0, 0, photo.pixels), alpha)


def test_a_transparent_photograph_shows_the_new_background(photographer: opsin.Photo) -> None:
    photo = transparent_in_part(photographer)
    found = cut_out(photo)
    assert (found.alpha[260:400, 102:108] == 1).all()
    assert found.alpha[260:400, 80:98].max() > 0.5  # of the mask network he goes on there
    blue = found.replaced((0x20, 0x60, 0xA0))
    assert blue.alpha is None
    assert (blue.pixels[:, :99] == [0x20, 0x60, 0xA0]).all()
    assert (blue.pixels[GRASS] == [0x20, 0x60, 0xA0]).all()
    inside = (found.alpha == 1) & (photo.alpha == 255)
    assert (blue.pixels[inside] == photo.pixels[inside]).all()
    half = Cutout(photo, np.ones((512, 512), np.float32), found.people, found.cards)
    mixed = half.replaced((0, 0, 0)).pixels[GRASS][..., :1].astype(float)
    assert np.abs(mixed - photo.pixels[GRASS] * (128 / 255)).max() < 1


def test_a_transparent_photograph_stays_so_before_its_own_background(cutout: Cutout) -> None:
    """And the black of pixels that nobody sees is no part of the blur."""
    photo = transparent_in_part(opsin.Photo(np.full((512, 512, 1), 180, np.uint8)))
    nobody = np.zeros((512, 512), np.float32)
    made = Cutout(photo, nobody, cutout.people, cutout.cards).blurred(40)
    assert (made.alpha == photo.alpha).all()
    assert np.abs(made.pixels[:, 104:].astype(int) - 180).max() < 6


def test_a_transparent_picture_behind_is_put_on_white(
    photographer: opsin.Photo, cutout: Cutout
) -> None:
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[:8] = 200, 100, 0, 128
    for behind in (rgba, rgba.astype(np.uint16) * 257):
        made = opsin.background(photographer, replace=behind)
        assert made.alpha is None
        assert (made.pixels[480:, 400:] == 255).all()
        share = 128 / 255
        expected = np.array([200, 100, 0]) * share + 255 * (1 - share)
        assert np.abs(made.pixels[20:60, 20:300] - expected).max() <= 1
        assert any("put on white" in note for note in made.notes)
    rgba[...] = 255
    assert not opsin.background(photographer, replace=rgba).notes


def test_color_is_kept_on_people_alone() -> None:
    made = opsin.background(data.astronaut(), keep_color=True)
    face, sky = np.s_[90:140, 200:250], np.s_[10:80, 330:360]
    assert (made.pixels[face] == data.astronaut()[face]).all()
    assert (np.ptp(made.pixels[sky], axis=2) <= 1).all()
    from opsin.color import light_of_pixels

    before, after = (light_of_pixels(one) for one in (data.astronaut(), made.pixels))
    assert np.abs(before - after).max() < 4  # where colors and grays are mixed


def test_a_small_person_of_a_wide_photograph_is_cut_out(photographer: opsin.Photo) -> None:
    small = photographer.pixels[::4, ::4]
    wide = np.full((700, 1200, 1), 190, np.uint8)
    wide[500:628, 800:928] = small
    found = cut_out(wide)
    assert len(found.people) >= 1
    assert found.alpha[500 + 65 : 500 + 95, 800 + 16 : 800 + 26].min() > 0.9
    found.alpha[490:640, 790:940] = 0
    assert found.alpha.max() == 0


def test_behind_a_portrait_nobody_is_looked_for_in_tiles(photographer: opsin.Photo) -> None:
    """Another photographer, too small for the look at the whole, before a large one's back."""
    scene = np.full((2000, 3200, 1), 190, np.uint8)
    scene[1800:1903, 2900:3003] = photographer.pixels[::5, ::5]
    behind = np.s_[1800:1903, 2900:3003]
    assert cut_out(scene).alpha[behind].max() > 0.5
    large = photographer.pixels.repeat(3, axis=0).repeat(3, axis=1)
    scene[100:1636, 100:1636] = large
    found = cut_out(scene)
    assert len(found.people) >= 1
    assert found.alpha[behind].max() == 0


def test_two_people_are_both_kept(photographer: opsin.Photo) -> None:
    both = np.concatenate([photographer.pixels, photographer.pixels[:, ::-1]], axis=1)
    found = cut_out(both)
    assert len(found.people) >= 2
    assert found.alpha[250:400, 60:110].min() == 1
    assert found.alpha[250:400, -110:-60].min() == 1


def test_gray_photographs_are_looked_at_in_color(photographer: opsin.Photo, cutout: Cutout) -> None:
    colored = cut_out(opsin.colorize(photographer))
    assert np.abs(colored.alpha - cutout.alpha).max() < 0.01
    assert cutout.photo.pixels.shape[2] == 1
    toned = photographer.pixels * np.array([1, 0.9, 0.75])
    sepia = cut_out(np.rint(toned).astype(np.uint8))
    assert np.abs(sepia.alpha - cutout.alpha).mean() < 0.05


def test_where_two_people_overlap_the_larger_alpha_stays() -> None:
    alpha = np.zeros((2, 3), np.float32)
    Part(np.float32([[0.9, 0.2]]), 1, 0).lay(alpha)
    Part(np.float32([[0.5, 0.6]]), 1, 0).lay(alpha)
    assert alpha.tolist() == np.float32([[0, 0, 0], [0.9, 0.6, 0]]).tolist()


def test_the_copy_says_what_it_was_made_from(tmp_path: Path) -> None:
    photo = opsin.open(SAMPLES / "admiral.jpg")
    made = opsin.background(photo, blur=10)
    assert made.metadata.dpi == photo.metadata.dpi
    assert made.metadata.exif == photo.metadata.exif
    packet = made.metadata.xmp or b""
    assert str(photo.metadata.origin).encode() in packet
    assert b"box-mask 1 + selfie 1 + picodet-s 1" in packet


def test_what_cannot_be_meant_is_told(photographer: opsin.Photo) -> None:
    with pytest.raises(NothingFoundError, match="nobody was found"):
        opsin.background(data.coffee(), blur=10)
    with pytest.raises(ValueError, match="ask for one of"):
        opsin.background(photographer)
    with pytest.raises(ValueError, match="ask for one of"):
        opsin.background(photographer, blur=3, transparent=True)
    with pytest.raises(ValueError, match="blur must be from 1 to 200"):
        opsin.background(photographer, blur=0.5)
    with pytest.raises(ValueError, match="three numbers"):
        opsin.background(photographer, replace=(1, 2, 300))
    with pytest.raises(WrongCallError, match="'#12' is no color"):
        opsin.background(photographer, replace="#12")
    with pytest.raises(PhotoError, match="no such file"):
        opsin.background(photographer, replace="nowhere.jpg")
    with pytest.raises(ModelError, match="'picodet-s' makes no masks"):
        opsin.background(photographer, blur=3, model="picodet-s")
    with pytest.raises(ModelError, match="'selfie' detects no things"):
        opsin.background(photographer, blur=3, detector="selfie")
    with pytest.raises(ModelError, match="'yunet' makes no masks"):
        opsin.background(photographer, blur=3, model="selfie,yunet")


def test_colors_by_name() -> None:
    assert color_of("#abc") == (0xAA, 0xBB, 0xCC)
    assert color_of("White") == (255, 255, 255)
    assert color_of("white.jpg") is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1)])
def test_the_smallest_photographs_have_nobody(shape: tuple[int, int]) -> None:
    assert cut_out(np.zeros(shape, np.uint8)).people == ()


def test_two_detectors_find_them_too(photographer: opsin.Photo, cutout: Cutout) -> None:
    found = cut_out(photographer, accurate=True)
    assert {one.name for one in found.people} == {"person"}
    assert found.people[0].score != cutout.people[0].score
    alike = (found.alpha >= 0.5) & (cutout.alpha >= 0.5)
    assert alike.sum() > 0.9 * (cutout.alpha >= 0.5).sum()
    made = opsin.background(photographer, replace="white", accurate=True)
    assert (made.pixels[SKY] == 255).all()


def test_an_unsure_person_is_cut_out_by_either_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def seen(photo: opsin.Photo, **how: Any) -> Things:
        asked.append(how["threshold"])
        return Things(photo, (), find("picodet-s").card)

    monkeypatch.setattr(objects_background, "detect", seen)
    for more in ({}, {"accurate": True}, {"accurate": True, "threshold": 0.7}, {"threshold": 0.6}):
        cut_out(np.zeros((40, 40), np.uint8), **more)
    assert asked[::2] == asked[1::2] == [0.3, 0.2, 0.7, 0.6]


def test_what_was_looked_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert nobody_of("box-mask,selfie", None) == "nobody"
    assert nobody_of("box-mask,selfie", ["dog", "Cat"]) == "no dog and no Cat"
    found = find("selfie")
    cups = msgspec.structs.replace(found.card, segment=Segment(classes=("cup",)))
    model = dataclasses.replace(found, card=cups)
    monkeypatch.setattr("opsin.objects.masker.find", lambda name: model)
    assert nobody_of("cups", None) == "nothing"


def test_two_detectors_are_named_by_nobody(photographer: opsin.Photo) -> None:
    with pytest.raises(WrongCallError, match="name no detector beside it"):
        cut_out(photographer, accurate=True, detector="picodet-s")


def test_people_stay_and_cats_only_if_they_are_named(photographer: opsin.Photo) -> None:
    cat = resized(data.chelsea()[:, 60:360], 512, 512)
    both = np.concatenate([as_rgb(photographer.pixels), cat], axis=1)
    people = cut_out(both, threshold=0.6)
    assert {one.name for one in people.people} == {"person"}
    assert people.alpha[:, 520:].max() == 0
    cats = cut_out(both, threshold=0.6, classes=["Cat"])
    assert {one.name for one in cats.people} == {"cat"}
    assert cats.alpha[200:400, 600:900].mean() > 0.9  # her face
    assert cats.alpha[:, :500].max() == 0
