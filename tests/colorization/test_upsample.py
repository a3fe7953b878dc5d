import numpy as np
import pytest
from skimage import data

from opsin.color import rgb_to_lab
from opsin.colorization.upsample import apply, fit, upsample
from opsin.evaluate.colorization.scores import near_edges


def averages(planes, size):
    """Means over size x size pixels of (H, W) or (H, W, C)."""
    h, w = planes.shape[0] // size, planes.shape[1] // size
    return planes[: h * size, : w * size].reshape(h, size, w, size, -1).mean(axis=(1, 3))


def light_and_color(rgb):
    """L* (H, W) and a*b* (H, W, 2) of a photograph, cut to whole cells."""
    height, width = (side // 16 * 16 for side in rgb.shape[:2])
    lab = rgb_to_lab(rgb[:height, :width] / 255)
    return lab[..., 0], lab[..., 1:]


def astronaut():
    """L* (512, 512) and a*b* (512, 512, 2)."""
    return light_and_color(data.astronaut())


def bilinear(ab, shape):
    flat = np.full(shape, 50, np.float32)
    return upsample(ab, np.full(ab.shape[:2], 50, np.float32), flat)


def leaking(ab, true, light):
    """Mean error near strong edges of L*, and elsewhere."""
    error, near = np.hypot(*np.moveaxis(ab - true, -1, 0)), near_edges(light)
    return error[near].mean(), error[~near].mean()


def step(size, at):
    """A picture of two halves: dark and blue, light and orange."""
    right = (np.arange(size) >= at)[None].repeat(size, axis=0)
    light = np.where(right, 80, 30).astype(np.float32)
    return light, np.where(right[..., None], (20, 40), (5, -45)).astype(np.float32)


def test_even_color_stays_even():
    light = np.random.default_rng(0).uniform(0, 100, (50, 70)).astype(np.float32)
    ab = upsample(np.full((8, 12, 2), (7, -20.0)), averages(light[:48, :], 1)[:32, :48, 0], light)
    assert ab.shape == (50, 70, 2)
    assert ab.dtype == np.float32
    assert ab == pytest.approx(np.full((50, 70, 2), (7, -20)), abs=1e-4)


def test_color_follows_the_edge_of_lightness():
    light, true = step(480, 230)  # the edge lies within a cell of 30 pixels
    ab = upsample(averages(true, 30), averages(light, 10)[..., 0], light)
    assert (
        leaking(ab, true, light)[0]
        < 0.6 * leaking(bilinear(averages(true, 30), (480, 480)), true, light)[0]
    )


def test_no_color_beyond_those_answered():
    light, true = step(480, 230)
    ab = upsample(averages(true, 30), averages(light, 30)[..., 0], light)
    assert ab.min() >= true.min()
    assert ab.max() <= true.max()


def test_texture_without_color_stays_without():
    rng = np.random.default_rng(0)
    ab = np.linspace(-20, 20, 16)[:, None, None] * np.ones((16, 16, 2))
    light = (50 + rng.normal(0, 5, (256, 256))).astype(np.float32)
    rough = upsample(ab, averages(light, 4)[..., 0], light)
    assert np.abs(rough - bilinear(ab, (256, 256))).mean() < 0.3


def test_a_real_photograph_loses_less_than_bilinearly():
    light, true = astronaut()
    small, light_small = averages(true, 8), averages(light, 2)[..., 0]
    ours = upsample(small, light_small, light)
    plain = bilinear(small, light.shape)
    near, far = leaking(ours, true, light)
    near_plain, far_plain = leaking(plain, true, light)
    assert near < 0.95 * near_plain
    assert far < 0.95 * far_plain


def softened(ab):
    """a*b* blurred by 1 2 1 each way, as soft as a network's."""
    for axis in (0, 1):
        padded = np.pad(ab, [(1, 1) if a == axis else (0, 0) for a in (0, 1, 2)], "edge")
        left, middle, right = (
            np.take(padded, range(k, k + ab.shape[axis]), axis) for k in (0, 1, 2)
        )
        ab = (left + 2 * middle + right) / 4
    return ab


@pytest.mark.parametrize(
    ("photo", "near", "far"), [(data.coffee, 6.71, 2.79), (data.astronaut, 7.72, 2.57)]
)
def test_soft_colors_are_sharpened_before_they_are_enlarged(photo, near, far):
    """Errors of colors softer than their cells, near edges and elsewhere.

    Without the sharpening they are 7.53 and 3.30 (coffee), 8.28 and 2.83 (astronaut).
    """
    light, true = light_and_color(photo())
    ab = upsample(softened(averages(true, 8)), averages(light, 2)[..., 0], light)
    assert leaking(ab, true, light) == pytest.approx((near, far), rel=0.015)


@pytest.mark.parametrize(
    ("photo", "moved"), [(data.coffee, 0.313), (data.astronaut, 0.202), (data.chelsea, 0.118)]
)
def test_grain_moves_color_very_little(photo, moved):
    """How far the colors go when noise of 3 L* is laid over the photograph.

    Twice as far with a tenth of `VARIANCE`; a fifth to a half farther if the slope did not
    shrink where lightness explains little of the color.
    """
    light, true = light_and_color(photo())
    noise = np.random.default_rng(0).normal(0, 3, light.shape)
    grainy = (light + noise).astype(np.float32)
    small = softened(averages(true, 8))
    clean, other = (upsample(small, averages(one, 2)[..., 0], one) for one in (light, grainy))
    assert np.hypot(*np.moveaxis(other - clean, -1, 0)).mean() == pytest.approx(moved, rel=0.06)


@pytest.mark.parametrize("height", [1, 3, 7, 64, 100])
def test_the_height_of_strips_changes_nothing(height):
    light, true = astronaut()
    light = light[:203, :150]
    plan = fit(averages(true, 8)[:16, :12], averages(light[:128, :96], 2)[..., 0])
    whole = apply(plan, light, slice(0, 203), light.shape)
    strips = [
        apply(plan, light[top : top + height], slice(top, min(top + height, 203)), light.shape)
        for top in range(0, 203, height)
    ]
    assert np.array_equal(np.concatenate(strips), whole)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 2), (64, 64), (300, 20)])
@pytest.mark.parametrize("small", [(1, 1), (1, 3), (8, 6)])
def test_any_size_to_any_size(shape, small):
    plan = fit(np.ones((*small, 2)), np.full((small[0] * 4, small[1] * 4), 50.0))
    ab = apply(plan, np.full(shape, 50, np.float32), slice(0, shape[0]), shape)
    assert ab == pytest.approx(np.ones((*shape, 2)))


def test_the_last_cells_may_reach_over_the_edge():
    light, _ = astronaut()
    assert upsample(np.ones((16, 22, 2)), light[:63, :85], light).shape == (512, 512, 2)


def test_sizes_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match=r"light \(64, 64\) is no whole multiple of ab \(16, 10\)"):
        fit(np.zeros((16, 10, 2)), np.zeros((64, 64)))
    with pytest.raises(ValueError, match=r"ab must have shape \(h, w, 2\), got \(2, 8, 8\)"):
        fit(np.zeros((2, 8, 8)), np.zeros((8, 8)))
    plan = fit(np.zeros((8, 8, 2)), np.zeros((8, 8)))
    with pytest.raises(ValueError, match=r"light must have shape \(4, 20\), got \(3, 20\)"):
        apply(plan, np.zeros((3, 20), np.float32), slice(4, 8), (20, 20))


def test_light_beyond_what_was_seen_gives_no_color_beyond_what_was_answered():
    light, true = step(128, 64)
    plan = fit(averages(true, 8), averages(light, 2)[..., 0])
    for brighter in (-60, 60):
        ab = apply(plan, light + np.float32(brighter), slice(0, 128), light.shape)
        assert ab.min(axis=(0, 1)) == pytest.approx(true.min(axis=(0, 1)), abs=1e-3)
        assert ab.max(axis=(0, 1)) == pytest.approx(true.max(axis=(0, 1)), abs=1e-3)


def test_cells_that_reach_over_the_edge_are_as_light_as_what_is_in_them():
    ab = np.linspace(-30, 30, 22)[None, :, None] * np.ones((16, 22, 2))
    light = np.linspace(20, 90, 88)[None].repeat(61, axis=0)  # the last row of cells is cut off
    found = upsample(ab, light, light)
    assert found == pytest.approx(found[:1].repeat(61, axis=0), abs=1e-3)
