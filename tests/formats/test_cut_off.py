"""Cut-off and damaged files, taken as far as they go."""

import contextlib
import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import opsin
import opsin.photo as op
from opsin.errors import TruncatedPhotoError
from opsin.formats import png, small
from opsin.formats.vips import vips

SAMPLES = Path(__file__).parents[2] / "samples"
GRAY = np.asarray(Image.open(SAMPLES / "photographer.jpg").convert("L"))[:300, :301]
WORDS = np.stack([GRAY, GRAY[:, ::-1], 255 - GRAY], axis=2).astype(np.uint16) * 257


def pillow(kind, *, mode="L", first=False, **how):
    image = Image.fromarray(GRAY)
    if mode != "L":
        image = Image.fromarray((WORDS // 257).astype(np.uint8)).convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **how)
    return directory_first(file.getvalue()) if first else file.getvalue()


def libvips(kind, array=GRAY, *, first=False, **how):
    data = vips().Image.new_from_array(array).write_to_buffer(f".{kind}", **how)
    return directory_first(data) if first else data


def directory_first(tiff):
    """The same TIFF as scanners write it: its first directory before the pixels."""
    (start,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, start)
    entries, sizes = [], {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from("<HHI", tiff, at)
        size, place = sizes[kind] * number, at + 8
        if size > 4:
            (place,) = struct.unpack_from("<I", tiff, place)
        entries.append((tag, kind, number, tiff[place : place + size]))
    behind = 8 + 2 + 12 * count + 4
    shift = behind + sum(len(value) + len(value) % 2 for *_, value in entries if len(value) > 4)
    shift += 2 * 4 * sum(number for tag, _, number, _ in entries if tag in (273, 324))
    records, values = b"", b""
    for tag, kind, number, value in entries:
        if tag in (273, 324):
            letter = "H" if kind == 3 else "I"
            moved = [place + shift for place in struct.unpack(f"<{number}{letter}", value)]
            kind, value = 4, struct.pack(f"<{number}I", *moved)
        field = value.ljust(4, b"\0")
        if len(value) > 4:
            field = struct.pack("<I", behind + len(values))
            values += value + bytes(len(value) % 2)
        records += struct.pack("<HHI", tag, kind, number) + field
    head = struct.pack("<2sHIH", b"II", 42, 8, count) + records + bytes(4) + values
    return head.ljust(shift, b"\0") + tiff


ROW_BY_ROW = {
    "JPEG": pillow("JPEG", quality=95),
    "JPEG in color": pillow("JPEG", mode="RGB"),
    "JPEG in CMYK": pillow("JPEG", mode="CMYK"),
    "PNG": pillow("PNG"),
    "PNG in color": pillow("PNG", mode="RGB"),
    "PNG of one bit": pillow("PNG", mode="1"),
    "PNG with a palette": pillow("PNG", mode="P"),
    "PNG with transparency": pillow("PNG", mode="LA"),
    "PNG of 16 bits": libvips("png", WORDS),
    "WebP": pillow("WEBP"),
    "WebP in chunks": libvips("webp", (WORDS // 257).astype(np.uint8)),
    "WebP without loss": pillow("WEBP", lossless=True),
    "GIF": libvips("gif"),
    "BMP": pillow("BMP"),
    "BMP in color": pillow("BMP", mode="RGB"),
    "TIFF in one strip": pillow("TIFF", tiffinfo={278: 300}),
    "TIFF in color": pillow("TIFF", mode="RGB", first=True, tiffinfo={278: 300}),
    "TIFF in strips": libvips("tif", WORDS, first=True),
    "TIFF, LZW": pillow("TIFF", first=True, compression="tiff_lzw", tiffinfo={278: 16}),
    "TIFF, Deflate": pillow("TIFF", first=True, compression="tiff_deflate", tiffinfo={278: 16}),
    "TIFF, PackBits": pillow("TIFF", first=True, compression="packbits", tiffinfo={278: 16}),
    "TIFF, JPEG": pillow("TIFF", mode="RGB", first=True, compression="jpeg", tiffinfo={278: 16}),
    "TIFF in tiles": libvips("tif", first=True, tile=True, tile_width=64, tile_height=64),
    "TIFF in packed tiles": libvips(
        "tif", WORDS, first=True, tile=True, tile_width=64, tile_height=64, compression="lzw"
    ),
}
COARSE_TO_FINE = {
    "progressive JPEG": pillow("JPEG", progressive=True),
    "interlaced PNG": libvips("png", interlace=True),
    "interlaced PNG of 16 bits": libvips("png", WORDS, interlace=True),
    "interlaced GIF": libvips("gif", interlace=True),
}
IN_ONE_PIECE = {"AVIF": pillow("AVIF"), "JPEG 2000": pillow("JPEG2000")}


@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
@pytest.mark.parametrize("kind", ROW_BY_ROW)
def test_what_is_there_is_right_and_what_is_not_is_gray(kind, share):
    data = ROW_BY_ROW[kind]
    cut = data[: int(share * len(data))]
    with pytest.raises(TruncatedPhotoError, match="as far as it goes: --damaged"):
        op.open(cut)
    photo, whole = op.open(cut, damaged=True), op.open(data)
    rows, columns = photo.metadata.there
    assert photo.pixels.shape == whole.pixels.shape
    assert abs((rows.stop - rows.start) / photo.height - share) < 0.35  # of a photograph, packed
    unlike = np.flatnonzero((photo.pixels != whole.pixels)[rows].any(axis=(1, 2)))
    assert len(unlike) <= 1, "but for JPEG's chroma at the edge of what is there"
    missing = np.ones(photo.pixels.shape[:2], bool)
    missing[rows, columns] = False
    assert (photo.pixels[missing] == (128 if photo.depth == 8 else 32768)).all()
    percent = round(100 * missing.mean())
    side = "upper" if "BMP" in kind else "lower"
    note = f"the {side} {percent} % are missing: marked gray"
    assert photo.notes == (*whole.notes, note)
    assert photo.metadata.damage == note


@pytest.mark.parametrize("kind", COARSE_TO_FINE)
def test_of_what_is_stored_coarse_to_fine_the_coarse_is_taken(kind):
    data = COARSE_TO_FINE[kind]
    whole = op.open(data).pixels.astype(float)
    errors = []
    for share in (0.25, 0.5, 0.95):
        photo = op.open(data[: int(share * len(data))], damaged=True)
        errors.append(np.abs(photo.pixels - whole).mean() / whole.max())
        assert photo.notes[-1] == "part of its detail is missing"
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 0.1, "it is the photograph"
    begun = op.open(data[: int(0.03 * len(data))], damaged=True)
    assert begun.metadata.there or begun.metadata.damage == "part of its detail is missing"


@pytest.mark.parametrize("kind", {**ROW_BY_ROW, **COARSE_TO_FINE, **IN_ONE_PIECE})
def test_a_sound_file_is_the_same(kind):
    data = {**ROW_BY_ROW, **COARSE_TO_FINE, **IN_ONE_PIECE}[kind]
    photo, plain = op.open(data, damaged=True), op.open(data)
    np.testing.assert_array_equal(photo.pixels, plain.pixels)
    assert photo.metadata == plain.metadata
    assert (photo.there is photo, photo.metadata.damage) == (True, None)


@pytest.mark.parametrize("kind", {**ROW_BY_ROW, **COARSE_TO_FINE, **IN_ONE_PIECE})
@pytest.mark.parametrize("length", [4, 12, 40])
def test_of_a_beginning_nothing_can_be_read(kind, length):
    data = {**ROW_BY_ROW, **COARSE_TO_FINE, **IN_ONE_PIECE}[kind][:length]
    with pytest.raises(opsin.PhotoError):
        op.open(data, damaged=True)


@pytest.mark.parametrize("kind", IN_ONE_PIECE)
def test_where_no_part_can_be_taken_none_is_offered(kind):
    data = IN_ONE_PIECE[kind][: len(IN_ONE_PIECE[kind]) // 2]
    with pytest.raises(TruncatedPhotoError, match=r"came from\.$"):
        op.open(data)
    with pytest.raises(TruncatedPhotoError, match="nothing of it can be read"):
        op.open(data, damaged=True)


def test_a_directory_that_is_lost_takes_its_picture_along():
    data = pillow("TIFF", compression="tiff_lzw")  # the directory is the end of it
    with pytest.raises(TruncatedPhotoError, match="nothing of it can be read"):
        op.open(data[:-10], damaged=True)


def test_a_jpeg_that_lacks_its_last_two_bytes_is_all_there():
    data = ROW_BY_ROW["JPEG"]
    photo = op.open(data[:-2], damaged=True)
    np.testing.assert_array_equal(photo.pixels, op.open(data).pixels)
    assert photo.notes == ("the file is damaged, but no row of the picture is missing",)


@pytest.mark.parametrize("kind", ["PNG", "interlaced PNG", "TIFF, LZW"])
def test_damage_in_the_middle_leaves_what_is_before_it(kind):
    data = bytearray({**ROW_BY_ROW, **COARSE_TO_FINE}[kind])
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    with pytest.raises(TruncatedPhotoError):
        op.open(bytes(data))
    photo = op.open(bytes(data), damaged=True)
    whole = op.open({**ROW_BY_ROW, **COARSE_TO_FINE}[kind]).pixels
    assert photo.metadata.damage
    np.testing.assert_array_equal(photo.pixels[:80:8, ::8], whole[:80:8, ::8])


@pytest.mark.parametrize(
    ("turn", "side"),
    list(enumerate(["lower", "lower", "upper", "upper", "right", "left", "left", "right"], 1)),
)
def test_turned_pictures_lack_the_side_that_was_stored_last(turn, side):
    exif = Image.Exif()
    exif[0x0112] = turn
    data = pillow("JPEG", exif=exif)
    photo, whole = op.open(data[: len(data) // 2], damaged=True), op.open(data)
    assert photo.notes[0].startswith(f"the {side} ")
    there = photo.metadata.there
    np.testing.assert_array_equal(photo.pixels[there], whole.pixels[there])
    assert (photo.there.height, photo.there.width) == whole.pixels[there].shape[:2]


def test_metadata_stay():
    exif = Image.Exif()
    exif[0x010E] = "at the lake"
    data = pillow("JPEG", exif=exif, dpi=(300, 300), comment="x")
    photo, whole = op.open(data[: len(data) // 2], damaged=True), op.open(data)
    assert (photo.metadata.exif, photo.metadata.dpi) == (whole.metadata.exif, (300, 300))


def test_what_is_too_large_is_refused():
    for data in (ROW_BY_ROW | COARSE_TO_FINE).values():
        with pytest.raises(opsin.PhotoTooLargeError):
            op.open(data[: len(data) // 2], damaged=True, pixel_limit=1000)


@pytest.mark.parametrize("kind", ["TIFF, JPEG", "TIFF, LZW", "JPEG", "PNG", "GIF", "TIFF in tiles"])
def test_damage_writes_nothing_to_the_terminal(kind, capfd):
    data = ROW_BY_ROW[kind]
    for seed in range(20):
        dice = np.random.default_rng(seed)
        hurt = bytearray(data)
        for at in dice.integers(len(data), size=8):
            hurt[at] = dice.integers(256)
        for marker in (b"\xff\xc0", b"\xff\xda"):  # libtiff would tell of it
            if seed % 4 == 0 and marker in hurt:
                hurt[hurt.index(marker) + 1] = 0xAA
        with contextlib.suppress(opsin.PhotoError):
            op.open(bytes(hurt), damaged=seed % 2 == 0).encode("png")
        with contextlib.suppress(vips().Error):
            small.thumbnail(bytes(hurt), 32, 32).numpy()
    assert capfd.readouterr() == ("", "")


def test_what_is_missing_is_not_transparent():
    data = pillow("PNG", mode="RGBA")
    photo = op.open(data[: len(data) // 2], damaged=True)
    assert (photo.there.height < photo.height, photo.alpha.min()) == (True, 255)


@pytest.mark.parametrize(("lost", "percent"), [(1, 1), (299, 99)])
def test_neither_nothing_nor_all_is_said_to_be_missing(lost, percent):
    data = ROW_BY_ROW["BMP"]
    photo = op.open(data[: len(data) - lost * 304], damaged=True)
    assert photo.there.height == 300 - lost
    assert photo.notes == (f"the upper {percent} % are missing: marked gray",)


def test_the_first_pass_of_an_interlaced_gif_is_the_whole_picture():
    data = libvips("gif", GRAY[:296], interlace=True)  # the pass ends 7 rows above the picture
    photo = op.open(data[: len(data) // 5], damaged=True)
    assert photo.metadata.there is None
    assert photo.notes == ("part of its detail is missing",)


def test_of_a_png_nothing_is_taken_behind_a_part_that_is_wrong():
    data = pillow("PNG", compress_level=0)
    start = data.index(b"IDAT") - 4
    stream = b"".join(data[at + 8 : at + 8 + size] for at, size in _chunks(data, start) if size)
    third = len(stream) // 3
    parts = [png.chunk(b"IDAT", stream[at : at + third]) for at in range(0, len(stream), third)]
    hurt = bytearray(parts[1])
    hurt[10_000] ^= 1
    parts[1] = bytes(hurt)
    photo = op.open(data[:start] + b"".join(parts) + png.chunk(b"IEND", b""), damaged=True)
    assert photo.there.height == 2 * third // 302
    assert photo.notes[0].startswith("the lower ")
    assert photo.notes[0].endswith("; parts may look wrong")


def _chunks(data, at):
    """Where the IDAT chunks from here on stand, and how many bytes each has."""
    while data[at + 4 : at + 8] == b"IDAT":
        size = int.from_bytes(data[at : at + 4], "big")
        yield at, size
        at += 12 + size


@pytest.mark.parametrize("share", [0.75, 0.9])
def test_a_plane_that_is_missing_leaves_the_rows_that_all_planes_have(share):
    file = io.BytesIO()
    planes = np.moveaxis((WORDS // 257).astype(np.uint8), -1, 0)
    tifffile.imwrite(file, planes, photometric="rgb", planarconfig="separate", rowsperstrip=50)
    data = file.getvalue()
    photo = op.open(data[: int(share * len(data))], damaged=True)
    there = max(0, 3 * share - 2)
    assert there - 0.2 < photo.there.height / 300 <= there
    np.testing.assert_array_equal(photo.there.pixels, (WORDS // 257)[: photo.there.height])
