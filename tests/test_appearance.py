import io

import numpy as np
import pytest
from PIL import Image
from skimage import color as scikit
from skimage import data

from opsin.appearance import colorfulness, delta_e_2000, tone_of
from opsin.color import rgb_to_lab

SHARMA = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def scan(tone=(1, 1, 1), *, noise=0.0, quality=None):
    """A gray photograph times a tone, as a scanner might give it."""
    gray = scikit.rgb2gray(data.astronaut())[..., None]
    noisy = gray * np.array(tone) + np.random.default_rng(0).normal(0, noise, (*gray.shape[:2], 3))
    pixels = (noisy.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels if quality is None else jpeg(pixels, quality)


def jpeg(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def test_ciede2000_gives_the_values_of_sharma():
    table = np.array([line.split() for line in SHARMA.strip().splitlines()], float)
    assert len(table) == 34
    assert delta_e_2000(table[:, :3], table[:, 3:6]) == pytest.approx(table[:, 6], abs=1e-4)
    assert delta_e_2000(table[:, 3:6], table[:, :3]) == pytest.approx(table[:, 6], abs=1e-4)


def test_ciede2000_agrees_with_scikit_image():
    lab = rgb_to_lab(np.random.default_rng(0).random((2, 5000, 3)))
    theirs = scikit.deltaE_ciede2000(lab[0], lab[1])
    assert np.abs(delta_e_2000(lab[0], lab[1]) - theirs).max() < 1e-3


def test_colorfulness_follows_its_definition():
    rgb = data.astronaut().astype(float)
    rg, yb = rgb[..., 0] - rgb[..., 1], (rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]
    m3 = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert colorfulness(rgb / 255) == pytest.approx(m3, rel=1e-4)
    assert colorfulness(np.full((4, 4, 3), 0.5)) == 0


@pytest.mark.parametrize(
    ("tone", "pixels"),
    [
        ("gray", scan()),
        ("gray", scan(noise=0.04)),
        ("gray", scan((1.02, 1, 0.96), quality=50)),
        ("toned", scan((1.1, 0.9, 0.65))),
        ("toned", scan((1.1, 0.9, 0.65), noise=0.02, quality=60)),
        ("toned", scan((0.7, 0.9, 1.1), quality=60)),
        ("color", data.astronaut()),
        ("color", data.chelsea()),
        ("color", data.rocket()),
    ],
)
def test_tone(tone, pixels):
    assert tone_of(pixels) == tone
    assert tone_of(pixels.astype(np.uint16) * 257) == tone


def test_tiny_pictures_have_a_tone():
    assert tone_of(np.full((1, 1, 3), 9, np.uint8)) == "gray"
