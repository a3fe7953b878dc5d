"""Every kind of file comes in as the right pixels, and what was changed is told."""

import contextlib
import io
import random
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image, ImageCms

import opsin.photo as op
from opsin.errors import NotAPhotoError, PhotoTooLargeError, TruncatedPhotoError

COLOR = skimage.data.astronaut()[:120, :160]
GRAY = COLOR[..., 1].copy()
COLOR16 = COLOR.astype(np.uint16) * 257 - np.minimum(COLOR, 7)
GRAY16 = COLOR16[..., 1].copy()
PICTURE = Image.fromarray(COLOR)


def pillow(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def tiff(array, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


EXACT = {
    "png gray": (pillow(Image.fromarray(GRAY), "PNG"), GRAY[..., None]),
    "png gray 16": (pillow(Image.fromarray(GRAY16), "PNG"), GRAY16[..., None]),
    "png rgb": (pillow(PICTURE, "PNG"), COLOR),
    "png one bit": (
        pillow(Image.fromarray(GRAY > 99), "PNG"),
        np.where(GRAY > 99, 255, 0)[..., None],
    ),
    "png palette of 4 bits": (
        pillow(PICTURE.quantize(12), "PNG", bits=4),
        np.asarray(PICTURE.quantize(12).convert("RGB")),
    ),
    "png gray palette": (pillow(Image.fromarray(GRAY).convert("P"), "PNG"), GRAY[..., None]),
    "tiff gray": (tiff(GRAY), GRAY[..., None]),
    "tiff gray 16": (tiff(GRAY16), GRAY16[..., None]),
    "tiff rgb": (tiff(COLOR, photometric="rgb"), COLOR),
    "tiff rgb 16 deflate": (tiff(COLOR16, photometric="rgb", compression="zlib"), COLOR16),
    "tiff rgb 16 big-endian": (tiff(COLOR16, photometric="rgb", byteorder=">"), COLOR16),
    "tiff lzw": (pillow(PICTURE, "TIFF", compression="tiff_lzw"), COLOR),
    "tiff packbits": (pillow(PICTURE, "TIFF", compression="packbits"), COLOR),
    "tiff in tiles": (tiff(COLOR, photometric="rgb", tile=(64, 64)), COLOR),
    "tiff in planes": (
        tiff(np.moveaxis(COLOR, 2, 0).copy(), photometric="rgb", planarconfig="separate"),
        COLOR,
    ),
    "tiff big": (tiff(COLOR, photometric="rgb", bigtiff=True), COLOR),
    "tiff min is white": (tiff(255 - GRAY, photometric="miniswhite"), GRAY[..., None]),
    "tiff min is white 16": (tiff(65535 - GRAY16, photometric="miniswhite"), GRAY16[..., None]),
    "tiff one bit": (
        pillow(Image.fromarray(GRAY > 99), "TIFF", compression="group4"),
        np.where(GRAY > 99, 255, 0)[..., None],
    ),
    "tiff one bit min is white": (
        tiff(GRAY > 99, photometric="miniswhite"),
        np.where(GRAY > 99, 0, 255)[..., None],
    ),
    "tiff of real numbers": (
        tiff(GRAY.astype(np.float32) / 255),
        GRAY[..., None].astype(np.uint16) * 257,
    ),
    "webp lossless": (pillow(PICTURE, "WEBP", lossless=True), COLOR),
    "gif gray": (pillow(Image.fromarray(GRAY), "GIF"), GRAY[..., None]),
    "bmp": (pillow(PICTURE, "BMP"), COLOR),
    "bmp gray": (pillow(Image.fromarray(GRAY), "BMP"), GRAY[..., None]),
}


@pytest.mark.parametrize(("data", "expected"), EXACT.values(), ids=EXACT)
def test_lossless_files_are_read_exactly(data, expected):
    photo = op.open(data)
    assert photo.pixels.shape == expected.shape
    assert photo.depth == (16 if expected.dtype == np.uint16 else 8)
    np.testing.assert_array_equal(photo.pixels, expected)
    assert photo.notes == ()
    assert photo.pixels.flags.c_contiguous


@pytest.mark.parametrize(("format", "gray"), [("JPEG", True), ("JPEG", False), ("AVIF", False)])
def test_lossy_files_are_read_as_their_writer_meant(format, gray):
    image = Image.fromarray(GRAY if gray else COLOR)
    data = pillow(image, format, quality=95)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    photo = op.open(data)
    assert photo.is_gray == gray
    assert photo.metadata.format == format.lower()
    assert abs(photo.pixels.squeeze().astype(int) - expected).mean() < 2


@pytest.mark.parametrize("bands", [2, 4])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_kept(bands, format):
    alpha = np.linspace(1, 255, GRAY.size).reshape(GRAY.shape).astype(np.uint8)
    image = Image.fromarray(np.dstack([GRAY if bands == 2 else COLOR, alpha]))
    options = {"lossless": True} if format == "WEBP" else {}
    photo = op.open(pillow(image, format, **options))
    np.testing.assert_array_equal(photo.alpha, alpha)


def test_extra_channels_are_dropped_with_a_note():
    data = tiff(
        np.dstack([COLOR, GRAY, GRAY]),
        photometric="rgb",
        extrasamples=["unassalpha", "unspecified"],
    )
    assert op.open(data).notes == ("1 extra channels dropped",)


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (tiff(np.stack([GRAY, 255 - GRAY, GRAY]), photometric="minisblack"), "first of 3 pages"),
        (
            pillow(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(90)]),
            "first of 2 frames",
        ),
        (
            pillow(PICTURE, "WEBP", save_all=True, append_images=[PICTURE.rotate(90)]),
            "first of 2 frames",
        ),
    ],
)
def test_of_many_pages_the_first_is_taken_with_a_note(data, note):
    photo = op.open(data)
    assert (photo.height, photo.width) == GRAY.shape
    assert photo.notes == (note,)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_is_converted_with_a_note(format):
    inks = np.zeros((20, 30, 4), np.uint8)
    inks[:, 10:20, 3] = 255  # black
    inks[:, 20:, 1:3] = 255  # magenta and yellow: red
    data = pillow(Image.frombytes("CMYK", (30, 20), inks.tobytes()), format)
    photo = op.open(data)  # Pillow writes JPEG inks inverted, with Adobe's marker
    assert photo.notes == ("CMYK converted to sRGB",)
    paper, black, red = (photo.pixels[10, x].astype(int) for x in (3, 14, 26))
    assert paper.min() > 245
    assert black.max() < 70
    assert red[0] > 180 > 100 > red[1:].max()


def test_white_of_deep_avif_is_white():
    import pyvips

    white = pyvips.Image.new_from_array(np.full((16, 16, 3), 65535, np.uint16))
    data = white.copy(interpretation="rgb16").heifsave_buffer(compression="av1", bitdepth=10)
    assert op.open(data).pixels.min() >= 65535 - 64


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty (0 bytes)"),
        (b"Dear Sir or Madam", "not a photograph"),
        (b"\xff\x0a" + bytes(50), "JPEG XL"),
        (b"8BPS" + bytes(50), "Photoshop"),
        (b"%PDF-1.7" + bytes(50), "PDF"),
        (b"P5 2 2 255\n1234", "PNM"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(50), "CR2"),
        (b"\0\0\0\x18ftypcrx " + bytes(50), "CR3"),
        (b"\0\0\0\x18ftypisom" + bytes(50), "video"),
        (tiff(GRAY.astype(np.int16) - 200), "whole numbers from -"),
        (tiff(GRAY.astype(np.float32)), "real numbers from"),
        (tiff(GRAY, extratags=[(0xC612, 1, 4, b"\1\4\0\0", True)]), "raw file (DNG"),
    ],
)
def test_what_cannot_be_read_says_what_it_is(data, words):
    with pytest.raises(NotAPhotoError) as caught:
        op.open(data)
    assert words in str(caught.value)
    assert str(caught.value).startswith("these bytes: ")


def test_the_pixel_limit_is_checked_before_decoding():
    header = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    small = pillow(Image.new("L", (1, 1)), "PNG")
    bomb = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    with pytest.raises(PhotoTooLargeError, match=r"40000 x 40000 pixels \(1600.0 megapixels\)"):
        op.open(bomb)
    with pytest.raises(PhotoTooLargeError, match="raise pixel_limit"):
        op.open(EXACT["bmp"][0], pixel_limit=100)
    with pytest.raises(PhotoTooLargeError, match=r"over the limit of 100 pixels\."):
        op.open(EXACT["bmp"][0], pixel_limit=100)
    assert op.open(EXACT["bmp"][0], pixel_limit=120 * 160).width == 160


CUTS = {
    "jpeg": pillow(PICTURE, "JPEG"),
    "jpeg progressive": pillow(PICTURE, "JPEG", progressive=True),
    "png": pillow(PICTURE, "PNG"),
    "tiff strips": tiff(COLOR, photometric="rgb", rowsperstrip=16),
    "tiff tiles": tiff(COLOR, photometric="rgb", tile=(64, 64)),
    "tiff big tiles": tiff(COLOR, photometric="rgb", tile=(64, 64), bigtiff=True),
    "tiff deflate": tiff(COLOR, photometric="rgb", compression="zlib", rowsperstrip=16),
    "tiff lzw": pillow(PICTURE, "TIFF", compression="tiff_lzw"),
    "webp": pillow(PICTURE, "WEBP"),
    "gif": pillow(PICTURE, "GIF"),
    "avif": pillow(PICTURE, "AVIF"),
    "bmp": pillow(PICTURE, "BMP"),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_file_cut_anywhere_is_an_error_or_whole(name):
    data = CUTS[name]
    whole = op.open(data).pixels
    chance = random.Random(name)
    cuts = [chance.randrange(1, len(data)) for _ in range(25)] + [len(data) - n for n in (1, 2, 9)]
    for cut in cuts:
        with contextlib.suppress(TruncatedPhotoError, NotAPhotoError):
            np.testing.assert_array_equal(op.open(data[:cut]).pixels, whole)


@pytest.mark.parametrize("name", CUTS)
def test_half_a_file_says_so(name):
    data = CUTS[name]
    with pytest.raises(TruncatedPhotoError, match=r"damaged or cut off( \(.+\))?\. Copy it again"):
        op.open(data[: len(data) // 2])


def test_a_damaged_jpeg_that_is_all_there_comes_with_a_note(capfd):
    data = bytearray(pillow(PICTURE, "JPEG", progressive=True))
    data[-60:-20] = bytes(40)  # within the last scan
    photo = op.open(bytes(data))
    assert any("the file is damaged" in note for note in photo.notes)
    assert capfd.readouterr() == ("", "")


def test_warnings_about_private_tags_are_silent(capfd):
    data = tiff(GRAY, extratags=[(65000, "s", 0, "scanner", True)])
    assert op.open(data).notes == ()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"])
def test_pillow_images_of_every_mode(mode):
    image = PICTURE.convert("LA").convert(mode) if mode == "La" else PICTURE.convert(mode)
    photo = op.open(image)
    plain = image.convert("LA") if mode == "La" else image
    expected = np.asarray(plain.convert("L" if photo.is_gray else "RGB"))
    np.testing.assert_array_equal(photo.pixels.squeeze(), expected)
    assert (photo.alpha is not None) == (mode in ("LA", "La", "PA", "RGBA"))


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_pillow_images_of_16_bits(mode):
    order = ">u2" if mode == "I;16B" else "<i4" if mode == "I" else "<u2"
    image = Image.frombytes(mode, GRAY16.shape[::-1], GRAY16.astype(order).tobytes())
    np.testing.assert_array_equal(op.open(image).pixels[..., 0], GRAY16)


@pytest.mark.parametrize("scale", [1, 255])
def test_pillow_images_of_real_numbers(scale):
    image = Image.fromarray(GRAY.astype(np.float32) / 255 * scale)
    np.testing.assert_allclose(op.open(image).pixels[..., 0], GRAY * 257.0, atol=1)


def test_pillow_images_that_cannot_be_meant():
    with pytest.raises(ValueError, match="70000"):
        op.open(Image.new("I", (2, 2), 70_000))
    with pytest.raises(ValueError, match="mode F"):
        op.open(Image.new("F", (2, 2), -1))
    with pytest.raises(TypeError, match="mode LAB"):
        op.open(Image.new("LAB", (2, 2)))


def test_pillow_cmyk_and_transparent_palette():
    assert op.open(PICTURE.convert("CMYK")).notes == ("CMYK converted to sRGB",)
    palette = Image.open(io.BytesIO(pillow(PICTURE.quantize(8), "PNG", transparency=0)))
    assert set(np.unique(op.open(palette).alpha)) == {0, 255}


def test_pillow_metadata_comes_along():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    data = pillow(PICTURE, "JPEG", exif=exif, dpi=(300, 200), icc_profile=profile)
    photo = op.open(Image.open(io.BytesIO(data)))
    assert (photo.height, photo.width) == (160, 120)
    assert photo.metadata.dpi == (200, 300)
    assert photo.metadata.format == "jpeg"


def test_a_cut_off_pillow_image_is_an_error():
    data = pillow(PICTURE, "JPEG")
    with pytest.raises(TruncatedPhotoError, match="this PIL image"):
        op.open(Image.open(io.BytesIO(data[: len(data) // 2])))


def test_a_hostile_directory_costs_no_memory():
    count, size = 20_000, 10_000_000
    entries = b"".join(struct.pack("<HHII", 700 + n, 7, size, 0) for n in range(count))
    data = struct.pack("<2sHIH", b"II", 42, 8, count) + entries + bytes(4)
    tracemalloc.start()
    try:
        with pytest.raises(TruncatedPhotoError):
            op.open(data.ljust(size, b"\0"))
        assert tracemalloc.get_traced_memory()[1] < 20 * size
    finally:
        tracemalloc.stop()


def test_a_cut_off_png_is_told_without_the_names_of_libvips_functions(gray_photo):
    data = op.open(gray_photo).encode("png")
    with pytest.raises(TruncatedPhotoError) as caught:
        op.open(data[: len(data) // 2])
    assert "unable to" not in str(caught.value)


def test_another_threads_error_is_not_taken_for_ones_own():
    from opsin.formats.vips import message

    shared = Exception("unable to write to memory\n  vipspng: libpng read error\n")
    assert message(shared, about="png") == "libpng read error"
    assert message(shared, about="webp") == ""


@pytest.mark.parametrize("bits", [10, 12])
def test_white_of_an_avif_is_white_whatever_its_bits(bits):
    import pyvips

    white = np.full((64, 64, 3), 65535, np.uint16)
    white[:32, :32] = 20_000
    image = pyvips.Image.new_from_array(white).copy(interpretation="rgb16")
    photo = op.open(image.heifsave_buffer(compression="av1", bitdepth=bits, lossless=True))
    assert photo.pixels.dtype == np.uint16
    assert photo.pixels.max() == 65535
    assert abs(int(photo.pixels[10, 10, 0]) - 20_000) < 80


@pytest.mark.parametrize("brightest", [255, 256, 40_000])
def test_integers_of_pil_are_taken_as_pillow_takes_them(brightest):
    numbers = np.linspace(0, brightest, 60, dtype=np.int32).reshape(6, 10)
    photo = op.open(Image.fromarray(numbers))
    assert photo.depth == (8 if brightest == 255 else 16)
    np.testing.assert_array_equal(photo.pixels[..., 0], numbers)
    if brightest == 255:
        by_pillow = np.asarray(Image.fromarray(numbers).convert("L"))
        np.testing.assert_array_equal(photo.pixels[..., 0], by_pillow)
