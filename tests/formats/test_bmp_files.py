"""BMP, checked against Pillow and by hand."""

import io
import struct

import numpy as np
import pytest
import skimage.data
from PIL import Image

import opsin.photo as op
from opsin.errors import NotAPhotoError, TruncatedPhotoError

COLOR = skimage.data.coffee()[:50, :61]  # an odd width, so that rows are padded


def bmp(width, height, bits, compression, body, *, palette=b"", masks=b""):
    offset = 54 + len(masks) + len(palette)
    head = struct.pack("<2sIII", b"BM", offset + len(body), 0, offset)
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, len(palette) // 4, 0
    )
    return head + info + masks + palette + body


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_reads_what_pillow_writes(mode):
    image = Image.fromarray(COLOR).convert(mode)
    file = io.BytesIO()
    image.save(file, "BMP", dpi=(300, 300))
    photo = op.open(file.getvalue())
    expected = np.asarray(image.convert("L" if photo.is_gray else "RGB"))
    np.testing.assert_array_equal(photo.pixels.squeeze(), expected)
    assert photo.metadata.dpi == pytest.approx((300, 300), abs=0.05)


@pytest.mark.parametrize("bands", [1, 3])
def test_pillow_reads_what_we_write(bands):
    photo = op.open(COLOR if bands == 3 else COLOR[..., 0])
    image = Image.open(io.BytesIO(photo.encode("bmp")))
    np.testing.assert_array_equal(np.asarray(image), photo.pixels.squeeze())


def test_four_bits_with_a_palette():
    palette = bytes(16 * 4 - 4) + b"\x10\x20\x30\0"  # the last entry: blue, green, red
    photo = op.open(bmp(3, 1, 4, 0, b"\x0f\xf0\0\0", palette=palette))
    assert photo.pixels.tolist() == [[[0, 0, 0], [48, 32, 16], [48, 32, 16]]]


def test_sixteen_bits_in_fields():
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    photo = op.open(bmp(2, 1, 16, 3, struct.pack("<HH", 0xF800, 0x07FF), masks=masks))
    assert photo.pixels.tolist() == [[[255, 0, 0], [0, 255, 255]]]


def test_top_down_rows():
    body = b"\1\2\3\0" + b"\4\5\6\0"
    photo = op.open(bmp(1, -2, 24, 0, body))
    assert photo.pixels.tolist() == [[[3, 2, 1]], [[6, 5, 4]]]


def test_run_lengths():
    palette = b"".join(bytes([value, value, value, 0]) for value in (0, 50, 100))
    body = b"\3\1\0\0" + b"\0\3\1\2\1\0" + b"\0\1"  # three of 1; end of row; 1 2 1 as they are
    photo = op.open(bmp(3, 2, 8, 1, body, palette=palette))
    assert photo.pixels[..., 0].tolist() == [[50, 100, 50], [50, 50, 50]]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"BM" + bytes(10), TruncatedPhotoError),
        (bmp(3, 2, 8, 1, b"\3\1", palette=bytes(12)), TruncatedPhotoError),
        (bmp(3, 2, 24, 0, b"\3\1"), TruncatedPhotoError),
        (bmp(-3, 2, 24, 0, b""), NotAPhotoError),
        (bmp(3, 2, 24, 4, b""), NotAPhotoError),
        (bmp(1, 1, 8, 0, b"\5\0\0\0", palette=bytes(4)), NotAPhotoError),
    ],
)
def test_broken_files_are_errors(data, error):
    with pytest.raises(error, match="these bytes: "):
        op.open(data)
