"""8-bit Lab TIFFs: colors of every hue come back."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

import opsin
from opsin.color import rgb_to_lab

TO_LAB = ImageCms.buildTransform(
    ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
)


@pytest.mark.parametrize(
    "rgb", [(200, 60, 60), (60, 150, 70), (60, 80, 190), (190, 170, 60), (128, 128, 128)]
)
def test_each_hue_comes_back(rgb):
    """Green has a negative a*, blue a negative b*: bytes that count down from 256.

    The white of such files is D50, which moves a* and b* by some units.
    """
    file = io.BytesIO()
    ImageCms.applyTransform(Image.new("RGB", (32, 24), rgb), TO_LAB).save(file, "TIFF")
    found, true = (
        rgb_to_lab(np.asarray(color, np.float32) / 255)
        for color in (opsin.open(file.getvalue()).pixels, rgb)
    )
    assert np.abs(found - true).max() < 12
