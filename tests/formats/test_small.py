"""What learns reads what `opsin.open` reads."""

import io

import numpy as np
import pytest
from PIL import Image

import opsin
from opsin.formats import small
from opsin.formats.vips import vips


def packed(image, kind, **how):
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["BMP", "JPEG2000", "GIF", "AVIF", "WEBP", "TIFF", "PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_kind_is_read(coffee, kind, mode):
    data = packed(Image.fromarray(coffee[::4, ::4]).convert(mode), kind)
    expected = np.broadcast_to(opsin.open(data).pixels, (100, 150, 3)).astype(float)
    assert (small.header(data).width, small.header(data).height) == (150, 100)
    assert np.abs(small.whole(data).numpy() - expected).mean() < 1
    tiny = small.thumbnail(data, 36, 32, size="force").numpy()
    assert tiny.shape == (32, 36, 3)
    assert abs(tiny.mean() - expected.mean()) < 2


@pytest.mark.parametrize("kind", ["BMP", "JPEG2000"])
def test_what_is_cut_off_is_an_error_of_libvips(coffee, kind):
    data = packed(Image.fromarray(coffee), kind)
    with pytest.raises(vips().Error, match="damaged or cut off"):
        small.whole(data[: len(data) // 2])


def test_what_is_transparent_is_laid_on_white(coffee):
    image = Image.fromarray(coffee[::4, ::4])
    alpha = np.full((100, 150), 255, np.uint8)
    alpha[:, :75] = 0
    image.putalpha(Image.fromarray(alpha))
    pixels = small.whole(packed(image, "JPEG2000")).numpy()
    assert pixels[:, :75].min() > 250
    assert pixels[:, 75:].mean() < 200
