import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import color as scikit
from skimage import data

from opsin.appearance import chroma
from opsin.color import (
    XYZ_OF_RGB,
    fit_gamut,
    gray_to_light,
    lab_to_rgb,
    light_of_pixels,
    linear_to_srgb,
    pixels_of_lab,
    rgb_to_lab,
    rgb_to_light,
    srgb_to_linear,
)

# brucelindbloom.com, CIE Color Calculator: sRGB, D65, no adaptation, gamma sRGB.
LINDBLOOM = [
    ((1, 1, 1), (100, 0, 0)),
    ((0, 0, 0), (0, 0, 0)),
    ((1, 0, 0), (53.2408, 80.0925, 67.2032)),
    ((0, 1, 0), (87.7347, -86.1827, 83.1793)),
    ((0, 0, 1), (32.2970, 79.1875, -107.8602)),
    ((0, 1, 1), (91.1132, -48.0875, -14.1312)),
    ((1, 0, 1), (60.3242, 98.2343, -60.8249)),
    ((1, 1, 0), (97.1393, -21.5537, 94.4780)),
]

# Sharma, Wu, Dalal (2005), table 1: two colors and their CIEDE2000 difference.
unit = st.floats(0, 1, width=32)
colors = hnp.arrays(np.float32, st.tuples(st.integers(0, 40), st.just(3)), elements=unit)


def wild(count, *, limit=200, seed=0):
    """Random L* over the whole range, many of them dark, and a*b* far out of any gamut."""
    rng = np.random.default_rng(seed)
    light = np.concatenate([rng.uniform(0, 100, count), rng.uniform(0, 6, count)])
    ab = rng.uniform(-limit, limit, (2 * count, 2))
    return light[None].astype(np.float32), ab[None].astype(np.float32)


@pytest.mark.parametrize(("rgb", "lab"), LINDBLOOM)
def test_known_colors_have_their_published_lab_values(rgb, lab):
    assert rgb_to_lab(rgb) == pytest.approx(lab, abs=1e-3)
    assert lab_to_rgb(lab) == pytest.approx(rgb, abs=1e-4)


def test_lab_agrees_with_scikit_image():
    rgb = data.astronaut() / 255
    xyz = scikit.rgb2xyz(rgb) @ np.linalg.inv(scikit.colorconv.xyz_from_rgb).T @ XYZ_OF_RGB.T
    assert np.abs(rgb_to_lab(rgb) - scikit.xyz2lab(xyz)).max() < 1e-3
    # scikit-image's own matrix is rounded to six digits; its gray has b* = -0.005.
    assert np.abs(rgb_to_lab(rgb) - scikit.rgb2lab(rgb)).max() < 6e-3


def test_gray_has_no_chroma():
    gray = np.linspace(0, 1, 65536, dtype=np.float32)
    lab = rgb_to_lab(np.stack([gray, gray, gray], axis=-1))
    assert chroma(lab).max() < 1e-3
    assert np.abs(lab[:, 0] - gray_to_light(gray)).max() < 1e-3


@given(colors)
def test_rgb_comes_back_from_lab(rgb):
    back = lab_to_rgb(rgb_to_lab(rgb))
    assert back.dtype == np.float32
    assert back.shape == rgb.shape
    assert np.abs(back - rgb).max(initial=0) < 1e-4


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0), elements=unit))
def test_srgb_comes_back_from_linear_light(values):
    linear = srgb_to_linear(values)
    exact = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    assert np.abs(linear - exact).max(initial=0) < 1e-6
    assert np.abs(linear_to_srgb(linear) - values).max(initial=0) < 1e-5


def test_values_out_of_range_are_clipped():
    assert rgb_to_lab([2.0, 2.0, 2.0]) == pytest.approx([100, 0, 0], abs=1e-3)
    assert srgb_to_linear([-1.0, 2.0]).tolist() == pytest.approx([0, 1], abs=1e-6)
    assert lab_to_rgb([200.0, 0.0, 0.0]).tolist() == pytest.approx([1, 1, 1], abs=1e-6)


def test_light_is_the_first_of_lab():
    rgb = data.coffee()[::4, ::4] / 255
    assert np.abs(rgb_to_light(rgb) - rgb_to_lab(rgb)[..., 0]).max() < 1e-3


def test_large_arrays_in_threads_give_the_same_as_small_ones():
    rgb = np.random.default_rng(0).random((600, 700, 3), np.float32)
    assert np.array_equal(rgb_to_lab(rgb)[500:505], rgb_to_lab(rgb[500:505]))


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"colors must have shape \(\.\.\., 3\), got \(4, 4\)"):
        rgb_to_lab(np.zeros((4, 4)))


def test_colors_in_gamut_stay():
    lab = rgb_to_lab(data.coffee()[::3, ::3] / 255)
    assert np.abs(fit_gamut(lab) - lab).max() < 1e-5


def test_colors_out_of_gamut_keep_lightness_and_hue():
    light, ab = wild(100_000)
    lab = np.concatenate([light[..., None], ab], axis=-1)
    fitted = fit_gamut(lab)
    measured = rgb_to_lab(lab_to_rgb(fitted))
    assert np.abs(measured[..., 0] - light).max() < 0.3
    assert (fitted[..., 1] * ab[..., 1] - fitted[..., 2] * ab[..., 0]).max() < 0.05  # one direction
    assert (fitted[..., 1:] * ab).sum(axis=-1).min() >= 0


@pytest.mark.parametrize("limit", [5, 60, 200])
def test_lightness_survives_8_bits(limit):
    light, ab = wild(100_000, limit=limit)
    pixels = pixels_of_lab(light, ab)
    assert np.abs(rgb_to_light(pixels / 255) - light).max() <= 0.5


def test_the_edge_of_the_gamut_is_not_crossed_in_leaps():
    angle = np.linspace(0, 2 * np.pi, 100_001)
    ring = [np.full_like(angle, 60), 90 * np.cos(angle), 90 * np.sin(angle)]
    ray = [np.full_like(angle, 45), angle * 20, angle * -10]
    up = [angle * 100 / (2 * np.pi), np.full_like(angle, 50), np.full_like(angle, 30)]
    for path in (ring, ray, up):
        steps = np.diff(fit_gamut(np.stack(path, axis=-1)), axis=0)
        assert np.abs(steps).max() < 0.25


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_gray_value_comes_back_exactly(dtype, channels):
    top = np.iinfo(dtype).max
    gray = np.arange(top + 1, dtype=dtype).reshape(-1, 256, 1).repeat(channels, axis=2)
    light = light_of_pixels(gray)
    colored = pixels_of_lab(light, np.zeros((*light.shape, 2), np.float32), dtype)
    assert colored.dtype == dtype
    assert np.array_equal(colored, gray.repeat(3 // channels, axis=2))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_agree_with_the_float_functions(dtype):
    top = np.iinfo(dtype).max
    pixels = (data.coffee() / 255 * top).astype(dtype)
    lab = rgb_to_lab(pixels / top)
    assert np.abs(light_of_pixels(pixels) - lab[..., 0]).max() < 1e-3
    back = pixels_of_lab(np.ascontiguousarray(lab[..., 0]), lab[..., 1:], dtype)
    assert np.abs(back.astype(int) - pixels).max() <= top // 10_000


def test_pixels_are_written_where_told():
    out = np.zeros((10, 4, 3), np.uint16)
    part = pixels_of_lab(np.full((3, 4), 100, np.float32), np.zeros((3, 4, 2)), out=out[2:5])
    assert part.base is out
    assert (out[2:5] == 65535).all()
    assert out.sum() == 3 * 4 * 3 * 65535


def test_part_of_the_rows_is_no_place_to_write():
    out = np.zeros((2, 5, 3), np.uint8)[:, :4]
    with pytest.raises(ValueError, match="out must be C-contiguous"):
        pixels_of_lab(np.zeros((2, 4), np.float32), np.zeros((2, 4, 2)), out=out)


@settings(max_examples=20)
@given(st.integers(0, 5), st.integers(0, 5))
def test_pixels_may_have_any_size(height, width):
    light = light_of_pixels(np.full((height, width, 3), 77, np.uint8))
    assert pixels_of_lab(light, np.zeros((height, width, 2))).shape == (height, width, 3)
