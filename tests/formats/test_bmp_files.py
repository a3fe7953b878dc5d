"""BMP, checked against Pillow and by hand."""

import io
import struct
import time

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


def runs(pixels, *, four=False):
    """Rows of (H, W) indices as the worst case, runs of one pixel, and every third row as it is."""
    width = pixels.shape[1]
    body = b""
    for number, row in enumerate(pixels[::-1].tolist()):
        if number % 3 == 2 and width <= 255:
            halves = zip(row[::2], row[1::2], strict=True)
            literal = bytes(a << 4 | b for a, b in halves) if four else bytes(row)
            body += bytes([0, width]) + literal + bytes(len(literal) % 2) + b"\0\0"
        else:
            body += b"".join(bytes([1, value << 4 if four else value]) for value in row) + b"\0\0"
    return body + b"\0\1"


@pytest.mark.parametrize("four", [False, True])
def test_many_run_lengths(four):
    dice = np.random.default_rng(1)
    pixels = dice.integers(0, 16 if four else 256, (90, 202), dtype=np.uint8)
    palette = b"".join(bytes([value, value, value, 0]) for value in range(16 if four else 256))
    body = runs(pixels, four=four)
    data = bmp(202, 90, 4 if four else 8, 2 if four else 1, body, palette=palette)
    np.testing.assert_array_equal(op.open(data).pixels[..., 0], pixels)
    reference = Image.open(io.BytesIO(data)).convert("L")
    np.testing.assert_array_equal(op.open(data).pixels[..., 0], np.asarray(reference))


def test_jumps_in_run_lengths_leave_the_first_color():
    palette = b"".join(bytes([value, value, value, 0]) for value in (7, 50, 100))
    body = b"\1\1" + b"\0\2\1\1" + b"\1\2\0\0" + b"\3\1\0\1"  # one right and one up, then 2
    photo = op.open(bmp(3, 3, 8, 1, body, palette=palette))
    assert photo.pixels[..., 0].tolist() == [[50, 50, 50], [7, 7, 100], [50, 7, 7]]


def test_run_lengths_of_four_megapixels_take_seconds():
    row = np.arange(2000, dtype=np.uint8)
    data = bmp(2000, 2000, 8, 1, runs(row[None])[:-2] * 2000 + b"\0\1", palette=bytes(1024))
    began = time.process_time()
    assert op.open(data).width == 2000
    assert time.process_time() - began < 10, "a loop in Python took 20"


@pytest.mark.parametrize("rows", [0, 1, 40, 89])
def test_run_lengths_that_are_cut_off_are_taken_as_far_as_they_go(rows):
    pixels = np.random.default_rng(1).integers(0, 256, (90, 300), dtype=np.uint8)
    palette = b"".join(bytes([value, value, value, 0]) for value in range(256))
    data = bmp(300, 90, 8, 1, runs(pixels), palette=palette)
    cut = data[: 54 + 1024 + rows * 602 + 100]
    with pytest.raises(TruncatedPhotoError):
        op.open(cut)
    if rows == 0:
        with pytest.raises(TruncatedPhotoError, match="nothing of it can be read"):
            op.open(cut, damaged=True)
        return
    photo = op.open(cut, damaged=True)
    assert photo.metadata.there == (slice(90 - rows, 90), slice(0, 300))
    np.testing.assert_array_equal(photo.there.pixels[..., 0], pixels[90 - rows :])


def test_a_row_that_lacks_only_its_end_is_there():
    pixels = np.random.default_rng(1).integers(0, 256, (9, 300), dtype=np.uint8)
    palette = b"".join(bytes([value, value, value, 0]) for value in range(256))
    data = bmp(300, 9, 8, 1, runs(pixels), palette=palette)
    photo = op.open(data[: 54 + 1024 + 4 * 602 - 2], damaged=True)
    assert photo.metadata.there == (slice(5, 9), slice(0, 300))
    np.testing.assert_array_equal(photo.there.pixels[..., 0], pixels[5:])


@pytest.mark.parametrize("alphas", [(0, 0), (0, 128), (255, 255)])
def test_a_fourth_byte_is_transparency_unless_it_is_zero_everywhere(alphas):
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    body = b"".join(bytes([30, 20, 10, alpha]) for alpha in alphas)
    photo = op.open(bmp(2, 1, 32, 6, body, masks=masks))
    assert photo.pixels.tolist() == [[[10, 20, 30], [10, 20, 30]]]
    if any(alphas):
        assert photo.alpha.tolist() == [list(alphas)]
    else:
        assert photo.alpha is None
