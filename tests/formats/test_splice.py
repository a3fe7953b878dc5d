"""XMP is put into files without touching what else is in them."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

import opsin
from opsin.errors import PhotoError
from opsin.formats import splice
from opsin.formats.header import opened
from opsin.formats.stored import SPLICED, read_stored
from opsin.formats.vips import blob_of

ONE, OTHER = (f"<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='{i}'/>".encode() for i in "ab")
LIMIT = 10_000_000


@pytest.fixture(scope="module")
def files(astronaut):
    """A photograph with EXIF data, by format."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Kodak"
    small, made = astronaut[:199, ::2], {}
    for format, more in {
        "jpeg": {"quality": 90},
        "png": {},
        "tiff": {"compression": "tiff_deflate"},
        "webp": {"quality": 80},
    }.items():
        file = io.BytesIO()
        Image.fromarray(small).save(file, format, exif=exif, **more)
        made[format] = file.getvalue()
    return made


@pytest.mark.parametrize("format", SPLICED)
def test_the_packet_is_there_and_the_picture_is_the_same(files, format):
    plain = files[format]
    with_one = splice.with_packet(plain, ONE, format)
    with_other = splice.with_packet(with_one, OTHER, format)
    assert splice.packet_of(plain, format) is None
    assert splice.packet_of(with_one, format) == ONE
    assert splice.packet_of(with_other, format) == OTHER
    before, after = opsin.open(plain), opsin.open(with_other)
    assert np.array_equal(before.pixels, after.pixels)
    assert before.metadata.exif == after.metadata.exif
    assert before.pixels.shape[:2] == (256, 199)  # turned
    assert blob_of(opened(with_other, format, fail_on="error"), "xmp-data") == OTHER
    with Image.open(io.BytesIO(with_other)) as image:
        image.load()
        assert bytes(image.info["xmp"]) == OTHER
    assert read_stored(with_other, where="it", limit=LIMIT) == (format, (199, 256, 6), OTHER)


@pytest.mark.parametrize("format", SPLICED)
def test_a_packet_is_taken_out_again(files, format):
    plain = files[format]
    left = splice.with_packet(splice.with_packet(plain, ONE, format), None, format)
    assert splice.packet_of(left, format) is None
    assert np.array_equal(opsin.open(left).pixels, opsin.open(plain).pixels)
    assert blob_of(opened(left, format, fail_on="error"), "xmp-data") is None
    if format != "tiff":  # which keeps what is no more pointed to
        assert left == plain
        assert splice.with_packet(plain, None, format) == plain


def test_a_jpeg_keeps_every_byte_that_is_no_xmp(files):
    plain = files["jpeg"]
    done = splice.with_packet(plain, ONE, "jpeg")
    at = done.index(splice.MARK) - 4
    end = at + 4 + len(splice.MARK) + len(ONE)
    assert done[:at] + done[end:] == plain
    assert at > plain.index(b"Exif\0\0")  # behind it, where some readers look
    assert splice.with_packet(done, ONE, "jpeg") == done


def test_a_png_keeps_its_chunks(files):
    done = splice.with_packet(files["png"], ONE, "png")
    at = done.index(b"iTXt") - 4
    end = at + 12 + struct.unpack_from(">I", done, at)[0]
    assert done[:at] + done[end:] == files["png"]


def test_a_compressed_packet_of_a_png_is_read_and_replaced(files, astronaut):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", ONE.decode(), zip=True)
    file = io.BytesIO()
    Image.fromarray(astronaut[:8, :8]).save(file, "png", pnginfo=info)
    assert splice.packet_of(file.getvalue(), "png") == ONE
    done = splice.with_packet(file.getvalue(), OTHER, "png")
    assert done.count(b"iTXt") == 1
    assert splice.packet_of(done, "png") == OTHER


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("alpha", [True, False])
def test_a_simple_webp_becomes_an_extended_one(astronaut, lossless, alpha):
    picture = astronaut[:31, :50]
    if alpha:
        picture = np.dstack([picture, np.arange(31 * 50).reshape(31, 50).astype(np.uint8)])
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "webp", lossless=lossless)
    done = splice.with_packet(file.getvalue(), ONE, "webp")
    before, after = opsin.open(file.getvalue()), opsin.open(done)
    assert np.array_equal(before.pixels, after.pixels)
    assert (before.alpha is None) == (after.alpha is None) == (not alpha)
    assert after.metadata.xmp == ONE


@pytest.mark.parametrize("kind", ["plain", "BigTIFF", "big-endian"])
def test_a_tiff_of_any_kind_takes_it(astronaut, kind):
    from opsin.formats.vips import vips

    small = np.ascontiguousarray(astronaut[:40, :60])
    image = vips().Image.new_from_array(small)
    plain = image.tiffsave_buffer(bigtiff=kind == "BigTIFF")
    if kind == "big-endian":
        plain = _big_endian(small)
    done = splice.with_packet(plain, ONE, "tiff")
    assert np.array_equal(opsin.open(done).pixels, small)
    assert splice.packet_of(done, "tiff") == ONE
    assert done[16 : len(plain)] == plain[16:]


def _big_endian(pixels):
    """A TIFF as a Macintosh wrote it."""
    height, width = pixels.shape[:2]
    tags = [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 122), (259, 3, 1, 1 << 16)),
        *((262, 3, 1, 2 << 16), (273, 4, 1, 128), (277, 3, 1, 3 << 16), (278, 4, 1, height)),
        (279, 4, 1, pixels.size),
    ]
    directory = struct.pack(">H", len(tags)) + b"".join(struct.pack(">HHII", *tag) for tag in tags)
    head = struct.pack(">2sHI", b"MM", 42, 8) + directory + bytes(4)
    assert len(head) == 122
    return head + struct.pack(">HHH", 8, 8, 8) + pixels.tobytes()


def test_a_jpeg_has_room_for_so_much(files):
    packet = b"<a/>".ljust(splice.MOST)
    done = splice.with_packet(files["jpeg"], packet, "jpeg")
    assert splice.packet_of(done, "jpeg") == packet
    with pytest.raises(ValueError, match=r"65,503 bytes, and a JPEG has room for 65,502"):
        splice.with_packet(files["jpeg"], packet + b" ", "jpeg")


@pytest.mark.parametrize("format", SPLICED)
def test_a_file_that_is_cut_off_anywhere_is_one_error(files, format):
    data = splice.with_packet(files[format], ONE, format)
    for end in (*range(0, 400, 7), len(data) - 1):
        for change in (splice.packet_of, lambda cut, form: splice.with_packet(cut, OTHER, form)):
            try:
                change(data[:end], format)
            except ValueError:
                continue


def test_other_formats_are_refused():
    for call in (lambda: splice.with_packet(b"GIF", ONE, "gif"), lambda: splice.packet_of(b"", "")):
        with pytest.raises(ValueError, match=r"XMP"):
            call()


def test_what_is_no_photograph_is_told():
    with pytest.raises(PhotoError, match="it: not a photograph"):
        read_stored(b"hello", where="it", limit=LIMIT)
    with pytest.raises(PhotoError, match="damaged or cut off"):
        read_stored(b"\xff\xd8\xff\xe0 ...", where="it", limit=LIMIT)


def test_formats_without_a_head_to_read_are_decoded(astronaut):
    file = io.BytesIO()
    Image.fromarray(astronaut[:20, :30]).save(file, "bmp")
    assert read_stored(file.getvalue(), where="it", limit=LIMIT) == ("bmp", (20, 30, 1), None)
