"""Masks of people on real photographs: where they are, and whose a pixel is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

import opsin
import opsin.objects.segment as objects_segment
from opsin.errors import ModelError, WrongCallError
from opsin.masks import iou, mask_of, rle_to_mask
from opsin.models.store import find
from opsin.objects.masker import Masker, masker_of
from opsin.objects.matte import Part, part_of
from opsin.objects.pipeline import Thing, Things
from opsin.objects.segment import Segments, shared_out

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def found() -> Segments:
    """Two men, one the other's mirror image."""
    man = opsin.open(SAMPLES / "photographer.jpg").pixels
    return opsin.segment(np.concatenate([man, man[:, ::-1]], axis=1))


def test_each_has_his_own_pixels(found: Segments) -> None:
    left, right = sorted(found, key=lambda one: one.thing.box[0])[:: len(found) - 1]
    size = found.photo.height, found.photo.width
    assert left.mask.pasted(*size)[250:400, 60:110].all()
    assert right.mask.pasted(*size)[250:400, -110:-60].all()
    taken = sum(one.mask.pasted(*size).astype(int) for one in found)
    assert taken.max() == 1
    mirrored = np.fliplr(right.mask.pasted(*size))
    both = np.count_nonzero(left.mask.pasted(*size) & mirrored)
    assert both > 0.9 * left.mask.area


def test_a_mask_lies_in_its_box_or_a_little_beyond(found: Segments) -> None:
    for one in found:
        sides = one.thing.box[2:] - one.thing.box[:2]
        assert (one.mask.box[:2] >= one.thing.box[:2] - 0.1 * sides - 1).all()
        assert (one.mask.box[2:] <= one.thing.box[2:] + 0.1 * sides + 1).all()
        assert one.mask.area > 0.2 * sides.prod()


def test_what_is_told_is_what_was_found(found: Segments) -> None:
    told = found.document()
    assert (told["width"], told["height"]) == (1024, 512)
    assert len(told["objects"]) == len(found)
    for plain, one in zip(told["objects"], found, strict=True):
        assert plain["area"] == one.mask.area
        assert iou([rle_to_mask(plain["mask"])], [one.mask]) == 1
        assert plain["name"] == "person"
    scores = [plain["score"] for plain in told["objects"]]
    assert scores == sorted(scores, reverse=True)


def test_drawn_and_as_a_picture(found: Segments) -> None:
    drawn = found.draw().pixels
    assert drawn.shape == (512, 1024, 3)
    inside = found[0].mask.pasted(512, 1024)
    assert (np.ptp(drawn[inside], axis=1) > 10).mean() > 0.9
    sky = np.s_[20:50, 400:600]
    assert (drawn[sky] == found.photo.pixels[sky]).all()
    picture = found.picture(found[0]).pixels[..., 0]
    assert ((picture == 255) == inside).all()
    assert set(np.unique(picture)) == {0, 255}


def test_a_pixel_is_of_the_one_of_which_more_is_there() -> None:
    one = Part(np.float32([[0.9, 0.6, 0.4, 0.8, 0.7, 0.6, 0.6]]), 0, 0)
    other = Part(np.float32([[0.7, 0.45, 0.9, 0.7]]), 0, 1)
    masks = [mask.pasted(1, 7)[0].tolist() for mask in shared_out([one, other], 1, 7, 0.5)]
    first = [True, False, False, False, True, True, True]
    second = [False, True, False, True, False, False, False]
    assert masks == [first, second]


def disk(size: int, center: tuple[float, float], radius: float) -> np.ndarray:
    x, y = np.arange(size) + 0.5, np.arange(size)[:, None] + 0.5
    return np.hypot(x - center[0], y - center[1]) <= radius


@given(st.floats(30, 170), st.floats(30, 170), st.floats(12, 60), st.floats(0, 20), st.booleans())
@settings(max_examples=25)
def test_a_told_mask_lies_in_its_box(
    x: float, y: float, radius: float, more: float, is_edge: bool
) -> None:
    """A disk's mask, 28 x 28 across a box that is a little wider than the disk."""
    true = disk(200, (x, y), radius)
    pixels = (
        np.where(true, 200, 60).astype(np.uint8)[..., None]
        if is_edge
        else np.zeros((200, 200, 1), np.uint8)
    )
    box = np.clip([x - radius - more, y - radius, x + radius, y + radius], 0, 200).astype(
        np.float32
    )
    cells = (np.arange(28) + 0.5) / 28
    across, down = box[0] + (box[2] - box[0]) * cells, box[1] + (box[3] - box[1]) * cells
    mask = (np.hypot(across - x, down[:, None] - y) <= radius).astype(np.float32)
    part = part_of(
        pixels, Thing("disk", box, 1.0, mask=mask), masker_of("selfie", threads=1, device="cpu")
    )
    found = np.zeros((200, 200), np.float32)
    part.lay(found)
    [[shared]] = iou([mask_of(found >= 0.5)], [mask_of(true)])
    assert shared > 0.9
    assert found[~disk(200, (x, y), radius + 6)].max() < 0.5


def engine(*, margins: tuple[float, ...] = (0.0,), mirror: bool = False, most: float = 1.0) -> Any:
    """A mask network that answers with the red that it sees, at most so much."""
    card = find("selfie").card
    table = msgspec.structs.replace(card.segment, margins=margins, mirror=mirror)
    return SimpleNamespace(
        card=msgspec.structs.replace(card, segment=table),
        run=lambda given: {"mask": given["picture"][:, :1] * np.float32(most)},
    )


@pytest.mark.parametrize(
    "how", [{}, {"mirror": True}, {"margins": (0.0, 0.4)}, {"margins": (0.8,)}, {"most": 0.2}]
)
@pytest.mark.parametrize("center", [(100, 90), (20, 185)])
def test_an_answer_lies_where_the_network_has_seen_it(
    how: dict[str, Any], center: tuple[int, int]
) -> None:
    """However much it sees around the box, and though it is never sure."""
    true = disk(200, center, 40)
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[true] = (255, 0, 0)
    box = np.clip([center[0] - 40, center[1] - 40, center[0] + 40, center[1] + 40], 0, 200)
    found = np.zeros((200, 200), np.float32)
    part_of(pixels, Thing("disk", box.astype(np.float32), 1.0), Masker((engine(**how),))).lay(found)
    [[shared]] = iou([mask_of(found >= 0.5)], [mask_of(true)])
    assert shared > 0.95


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("margins", [(0.0,), (0.3, 0.6)])
def test_a_network_is_told_the_box_and_what_is_in_it(
    mirror: bool, margins: tuple[float, ...]
) -> None:
    """One that answers with the box itself: however it looked, the answer lies there."""
    card = find("box-mask").card
    assert card.segment is not None
    kinds = card.segment.classes
    table = msgspec.structs.replace(card.segment, margins=margins, mirror=mirror)
    looks = []

    def run(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        [[x1, y1, x2, y2]] = given["box"] * card.size
        assert [kinds[one] for one in np.flatnonzero(given["kind"][0])] == ["dog"]
        looks.append((x1, x2))
        mask = np.zeros((1, 1, card.size, card.size), np.float32)
        mask[..., round(y1) : round(y2), round(x1) : round(x2)] = 1
        return {"mask": mask}

    stub: Any = SimpleNamespace(card=msgspec.structs.replace(card, segment=table), run=run)
    pixels = np.zeros((200, 300, 3), np.uint8)
    box = np.float32([5, 60, 65, 180])  # cut at the left, so that left and right differ
    found = np.zeros((200, 300), np.float32)
    part_of(pixels, Thing("Dog", box, 1.0), Masker((stub,))).lay(found)
    true = np.zeros((200, 300), bool)
    true[60:180, 5:65] = True
    [[shared]] = iou([mask_of(found >= 0.5)], [mask_of(true)])
    assert shared > 0.95
    assert len(set(looks)) == len(margins) * (1 + mirror)


def test_of_several_networks_the_mean_counts_of_those_that_know_the_thing() -> None:
    """One answers with the red that it sees and knows disks, one with the green, and squares."""
    reds, greens = engine(), engine()
    greens.run = lambda given: {"mask": given["picture"][:, 1:2]}
    for one, name in ((reds, "disk"), (greens, "square")):
        table = msgspec.structs.replace(one.card.segment, classes=("person", name))
        one.card = msgspec.structs.replace(one.card, segment=table)
    both = Masker((reds, greens))
    assert both.classes == ("person", "disk", "square")
    assert [len(both.of(name)) for name in ("Person", "Disk", "square")] == [2, 1, 1]
    pixels = np.zeros((180, 180, 3), np.uint8)
    pixels[:, :120, 0] = pixels[:, 60:120, 1] = 255  # red, then yellow, then black
    places = np.s_[40:140, 15:45], np.s_[40:140, 75:105], np.s_[40:140, 140:160]
    for name, shares in (("person", (0.5, 1, 0)), ("Disk", (1, 1, 0)), ("square", (0, 1, 0))):
        part = part_of(pixels, Thing(name, np.float32([0, 0, 180, 180]), 1.0), both)
        found = [float(part.alpha[place].mean()) for place in places]
        assert found == pytest.approx(shares, abs=0.1)


def test_where_the_network_sees_nothing_there_is_nothing() -> None:
    black = np.zeros((100, 100, 3), np.uint8)
    found = part_of(black, Thing("disk", np.float32([20, 20, 80, 80]), 1.0), Masker((engine(),)))
    assert found.alpha.max() == 0
    unsure = engine(most=0.04, margins=(0.0, 0.4))
    faint = part_of(
        black + 255, Thing("disk", np.float32([20, 20, 80, 80]), 1.0), Masker((unsure,))
    )
    assert faint.alpha.max() < 0.5  # it is raised, but not from next to nothing


def test_nobody_has_no_mask() -> None:
    assert len(opsin.segment(data.coffee(), classes=["person"])) == 0
    assert len(opsin.segment(np.zeros((1, 1), np.uint8))) == 0
    assert opsin.segment(data.coffee(), model="selfie").document()["objects"] == []


def test_what_cannot_be_meant_is_told() -> None:
    with pytest.raises(ModelError, match="'yunet' makes no masks: its task is 'faces'"):
        opsin.segment(data.coffee(), model="yunet")
    with pytest.raises(
        WrongCallError, match="'dog' is nothing whose pixels 'selfie' tells: person"
    ):
        opsin.segment(data.coffee(), model="selfie", classes=["person", "dog"])
    with pytest.raises(WrongCallError, match="a list of names, got the text 'dog'"):
        opsin.segment(data.coffee(), classes="dog")
    with pytest.raises(WrongCallError, match="'unicorn' is nothing whose pixels 'box-mask,selfie'"):
        opsin.segment(data.coffee(), classes=["unicorn"])
    with pytest.raises(ValueError, match="threshold"):
        opsin.segment(data.coffee(), threshold=2)


def test_a_cup_is_its_porcelain_and_coffee() -> None:
    photo = opsin.open(data.coffee())
    cup = next(one for one in opsin.segment(photo) if one.thing.name == "cup")
    whole = cup.mask.pasted(photo.height, photo.width)
    assert whole[150:220, 280:360].mean() > 0.95
    assert whole[:, :80].mean() < 0.02
    assert whole[:20].mean() < 0.02


def test_a_thing_that_is_found_twice_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second box shows hardly more of the cup than the first."""
    photo = opsin.open(data.coffee())
    cup = next(one for one in opsin.detect(photo) if one.name == "cup")
    again = Thing("bowl", cup.box + np.float32([4, 3, 2, 1]), 0.5)
    apart = Thing("spoon", np.float32([400, 0, 600, 120]), 0.4)
    told = Things(photo, (cup, again, apart), find("picodet-s").card)
    monkeypatch.setattr(objects_segment, "detect", lambda *_, **__: told)
    ones = {"cup": 0.9, "bowl": 0.8, "spoon": 0.9}

    def part(pixels: np.ndarray, thing: Thing, masker: Masker) -> Part:
        x1, y1, x2, y2 = np.round(thing.box).astype(int)
        alpha = np.full((y2 - y1, x2 - x1), ones[thing.name], np.float32)
        return Part(alpha, int(y1), int(x1))

    monkeypatch.setattr(objects_segment, "part_of", part)
    assert [one.thing.name for one in opsin.segment(photo)] == ["cup", "spoon"]


def test_of_two_that_are_nearly_alike_the_surer_keeps_all_its_pixels() -> None:
    def part(width: int, alpha: float) -> Part:
        return Part(np.full((10, width), alpha, np.float32), 2, 3)

    def areas(*parts: Part) -> list[int]:
        return [mask.area for mask in shared_out(parts, 20, 30, 0.5)]

    assert areas(part(10, 0.7), part(13, 0.9)) == [100, 0]
    assert areas(part(10, 0.7), part(7, 0.9)) == [100, 0]
    assert areas(part(10, 0.7), part(5, 0.9)) == [50, 50], "a smaller thing upon a larger one"
    assert areas(part(10, 0.7), part(20, 0.9)) == [0, 200]
    assert areas(part(10, 0.7), part(13, 0.9), part(15, 0.9)) == [100, 0, 0]
    assert areas(part(10, 0.7), part(13, 0.9), part(20, 0.8)) == [0, 0, 200], (
        "what is not told claims nothing"
    )
