"""Files as archives hold them: untidy but whole, odd but legal, broken, and hostile."""

from __future__ import annotations

import functools
import io
import os
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import fuzz
import numpy as np
import pytest
from PIL import Image, ImageCms

import opsin
from opsin.errors import NotAPhotoError, PhotoError, TruncatedPhotoError
from opsin.formats import vips as vips_module
from opsin.formats import xmp

GRAY = np.linspace(20, 230, 40 * 30).astype(np.uint8).reshape(30, 40)
TYPES = {2: 1, 3: 2, 4: 4}


def tiff(*tags: tuple[int, int, int, bytes], bits: int = 8) -> bytes:
    """A plain gray TIFF of `GRAY` with some tags of one's own: (tag, type, count, value)."""
    pixels = GRAY.tobytes() if bits == 8 else (GRAY.astype("<u2") * 257).tobytes()
    body = b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels
    own = {
        256: (3, 1, struct.pack("<H", 40)),
        257: (3, 1, struct.pack("<H", 30)),
        258: (3, 1, struct.pack("<H", bits)),
        259: (3, 1, struct.pack("<H", 1)),
        262: (3, 1, struct.pack("<H", 1)),
        273: (4, 1, struct.pack("<I", 8)),
        277: (3, 1, struct.pack("<H", 1)),
        278: (3, 1, struct.pack("<H", 30)),
        279: (4, 1, struct.pack("<I", len(pixels))),
    }
    entries = [(tag, *rest) for tag, rest in own.items()] + list(tags)
    entries.sort(key=lambda entry: entry[0])
    end = len(body) + 2 + 12 * len(entries) + 4
    table, values = struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in entries:
        field = value.ljust(4, b"\0")
        if len(value) > 4:
            field = struct.pack("<I", end + len(values))
            values += value + b"\0" * (len(value) % 2)
        table += struct.pack("<HHI", tag, kind, count) + field
    return body + table + bytes(4) + values


UNTIDY = {
    "Software without NUL": (305, 2, 7, b"SCANNER"),
    "DateTime without NUL": (306, 2, 19, b"1999:01:01 12:00:00"),
    "empty ImageDescription": (270, 2, 0, b""),
    "PageNumber with one value": (297, 3, 1, struct.pack("<H", 1)),
    "ResolutionUnit 0": (296, 3, 1, struct.pack("<H", 0)),
    "Orientation 0": (274, 3, 1, struct.pack("<H", 0)),
    "Orientation 9": (274, 3, 1, struct.pack("<H", 9)),
    "a width twice": (256, 3, 1, struct.pack("<H", 40)),
    "an unknown tag": (50999, 2, 4, b"abcd"),
}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("tag", UNTIDY)
def test_an_untidy_tiff_whose_pixels_are_all_there_is_read(tag: str, bits: int) -> None:
    photo = opsin.open(tiff(UNTIDY[tag], bits=bits))
    expected = GRAY if bits == 8 else GRAY.astype(np.uint16) * 257
    assert np.array_equal(photo.pixels[..., 0], expected)
    assert not [note for note in photo.metadata.notes if "tile" in note or "damaged" in note]


def test_an_untidy_tiff_that_is_cut_off_is_still_refused() -> None:
    whole = tiff(UNTIDY["Software without NUL"])
    start = whole.index(GRAY.tobytes())
    cut = whole[: start + 300]
    with pytest.raises(TruncatedPhotoError):
        opsin.open(cut)


def test_lab_of_8_bits_is_read(astronaut: np.ndarray) -> None:
    from PIL import ImageCms

    rgb = Image.fromarray(astronaut[:64, 200:300])
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    out = io.BytesIO()
    ImageCms.applyTransform(rgb, to_lab).save(out, "TIFF")
    photo = opsin.open(out.getvalue())
    assert np.abs(photo.pixels.astype(int) - np.asarray(rgb)).mean() < 6


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_jpeg_2000_is_read(mode: str, astronaut: np.ndarray) -> None:
    color = astronaut[:50, :70]
    array = {
        "L": color[..., 0],
        "RGB": color,
        "RGBA": np.dstack([color, color[..., 0]]),
        "I;16": color[..., 0].astype(np.uint16) * 257,
    }[mode]
    out = io.BytesIO()
    Image.fromarray(array).save(out, "JPEG2000")
    photo = opsin.open(out.getvalue())
    assert photo.metadata.format == "jp2"
    bands = 1 if array.ndim == 2 else 3
    assert np.array_equal(photo.pixels, array.reshape(50, 70, -1)[..., :bands])
    assert (photo.alpha is not None) == (mode == "RGBA")
    with pytest.raises(PhotoError):
        opsin.open(out.getvalue()[: len(out.getvalue()) // 3])
    with pytest.raises(opsin.errors.PhotoTooLargeError):
        opsin.open(out.getvalue(), pixel_limit=100)


FAR = b"II+\0\x08\0\0\0" + b"\xff" * 8
"""A BigTIFF whose first directory is 2^64 - 1 bytes away."""


def jpeg(*, exif: bytes = b"", packet: bytes = b"") -> bytes:
    out = io.BytesIO()
    Image.fromarray(GRAY).save(out, "JPEG", exif=exif)
    data = out.getvalue()
    if packet:
        segment = b"http://ns.adobe.com/xap/1.0/\0" + packet
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    return data


def bitmap(masks: tuple[int, int, int], *, bits: int = 16) -> bytes:
    pixels = bytes(4 * 4 * bits // 8)
    head = struct.pack("<2sIII", b"BM", 66 + len(pixels), 0, 66)
    info = struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, bits, 3, len(pixels), 0, 0, 0, 0)
    return head + info + struct.pack("<III", *masks) + pixels


@pytest.mark.parametrize(
    "data",
    [
        FAR,
        FAR.replace(b"II+", b"II+")[:-8] + struct.pack("<Q", 1 << 62),
        bitmap((0x1F0000, 0x7E0, 0x1F)),
        bitmap((0xF800, 0, 0x1F)),
        bitmap((0, 0, 0), bits=32),
    ],
)
def test_broken_numbers_are_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(PhotoError, match=r"^these bytes: .+\.$"):
        opsin.open(data)


def test_broken_exif_in_a_sound_jpeg_is_dropped() -> None:
    photo = opsin.open(jpeg(exif=b"Exif\0\0" + FAR))
    assert photo.metadata.exif is None
    assert "broken EXIF data dropped" in photo.metadata.notes


def test_xmp_nested_beyond_reason_is_replaced() -> None:
    deep = "<a>" * 6000 + "</a>" * 6000
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        f'"http://www.w3.org/1999/02/22-rdf-syntax-ns#">{deep}</rdf:RDF></x:xmpmeta>'
    )
    photo = opsin.open(jpeg(packet=packet.encode()))
    copy = opsin.photo.made_by_opsin(photo, photo.pixels, model="m", version="1")
    assert "broken XMP replaced" in copy.metadata.notes


def packet(**tags: str) -> bytes:
    said = " ".join(f'tiff:{key}="{value}"' for key, value in tags.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        '"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" {said}/></rdf:RDF></x:xmpmeta>'
    ).encode()


def exif_orientation(number: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif.tobytes()


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp"])
@pytest.mark.parametrize("exif", [True, False])
def test_a_turned_picture_is_upright_for_every_reader(format: str, exif: bool) -> None:
    """By EXIF, by XMP, and by both: turned once, and nobody is told to turn it again."""
    blob = exif_orientation(6) if exif else b""
    data = jpeg(exif=blob, packet=packet(Orientation="6", ImageWidth="40", ImageLength="30"))
    photo = opsin.open(data)
    assert (photo.height, photo.width) == (40, 30)
    copy = photo.encode(format)
    again = opsin.open(copy)
    assert (again.height, again.width) == (40, 30)
    assert again.metadata.xmp is not None
    for key, value in (("Orientation", "1"), ("ImageWidth", "30"), ("ImageLength", "40")):
        assert xmp.value(again.metadata.xmp, xmp.TIFF, key) == value
    from PIL import ImageOps

    assert ImageOps.exif_transpose(Image.open(io.BytesIO(copy))).size == (30, 40)


def test_the_orientation_of_exif_comes_first() -> None:
    photo = opsin.open(jpeg(exif=exif_orientation(1), packet=packet(Orientation="6")))
    assert (photo.height, photo.width) == (30, 40)


def test_prefixes_of_one_photograph_do_not_get_into_others() -> None:
    own = packet(Make="x").replace(b"xmlns:tiff", b"xmlns:zz").replace(b"tiff:Make", b"zz:Make")
    facts = {"source": None, "model": "m", "version": "1", "fingerprint": "0"}
    assert b"zz:Make" in xmp.with_provenance(own, **facts)
    assert b"zz" not in xmp.with_provenance(None, **facts)
    assert b"xmlns:tiff" in xmp.with_provenance(packet(Make="x"), **facts)


def test_packets_are_written_by_many_threads_at_once() -> None:
    facts = {"source": None, "model": "m", "version": "1", "fingerprint": "0"}
    wrong: list[bytes] = []

    def write(number: int) -> None:
        own = packet(Make="x").replace(b'"http://ns.adobe.com/tiff/1.0/"', b'"u:%d"' % number)
        for _ in range(60):
            done = xmp.with_provenance(own, **facts)
            if b'xmlns:tiff="u:%d"' % number not in done:
                wrong.append(done)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_pixels_that_are_not_numbers_are_refused() -> None:
    array = np.full((8, 8), 0.5, np.float32)
    array[3, 3] = np.nan
    out = io.BytesIO()
    Image.fromarray(array).save(out, "TIFF")
    with pytest.raises(NotAPhotoError, match="not numbers"):
        opsin.open(out.getvalue())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_is_told_instead_of_hanging() -> None:
    """In a process of its own, for this one has threads."""
    program = (
        "import multiprocessing as m, numpy as n, opsin\n"
        "def child(q):\n"
        "    try: opsin.open(data)\n"
        "    except opsin.errors.OpsinError as error: q.put(str(error))\n"
        "data = opsin.open(n.zeros((9, 9), n.uint8)).encode('png')\n"
        "opsin.open(data)\n"
        "c = m.get_context('fork'); q = c.Queue(); p = c.Process(target=child, args=(q,))\n"
        "p.start(); print(q.get(timeout=30)); p.join(10)\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert "spawn" in result.stdout, result.stderr


def test_a_photograph_is_an_array_and_a_pil_image() -> None:
    photo = opsin.open(GRAY)
    assert np.array_equal(np.asarray(photo), photo.pixels)
    assert np.asarray(photo, dtype=float).dtype == float
    assert np.array_equal(np.asarray(photo.to_pil()), GRAY)
    deep = opsin.open(GRAY.astype(np.uint16) * 257)
    assert np.array_equal(np.asarray(deep.to_pil()), GRAY.astype(np.uint16) * 257)
    both = opsin.open(np.dstack([GRAY] * 4))
    assert both.to_pil().mode == "RGBA"


def test_whatever_the_bytes_the_error_is_ours(tmp_path) -> None:
    """A short walk; `make fuzz` goes on for ten minutes."""
    failures: list[str] = []

    def report(number: int, kind: str, data: bytes, text: str) -> None:
        failures.append(f"{number} {kind}\n{text}")

    fuzz.walk(7, 300, tmp_path, report)
    assert not failures, failures[0]


def test_garbage_of_damaged_files_never_ends_the_process(tmp_path):
    jpeg = io.BytesIO()
    Image.fromarray(GRAY).save(jpeg, "JPEG", progressive=True)
    data = bytearray(jpeg.getvalue())
    data[-60:-20] = bytes(40)
    (tmp_path / "damaged.jpg").write_bytes(data)
    script = (
        "import gc, logging, sys, opsin\n"
        "logging.getLogger('pyvips').addFilter(lambda record: gc.collect() >= 0)\n"
        "opsin.open(sys.argv[1])\n"
        "image = opsin.formats.vips.vips().Image.jpegload(sys.argv[1])\n"
        "image.avg()\n"
        "loop = [image]\n"
        "loop.append(loop)\n"
        "gc.disable()\n"  # until a warning is told to Python, if it is
        "del image, loop\n"
        "opsin.open(sys.argv[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "damaged.jpg")], capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.uint32])
def test_whole_numbers_of_other_types_are_read_where_nothing_is_lost(kind):
    signed = 1 if np.dtype(kind).kind == "u" else 2
    bits = np.dtype(kind).itemsize * 8
    values = GRAY.view(np.int8) if bits == 8 else GRAY.astype(kind)
    photo = opsin.open(typed(values, bits, signed))
    np.testing.assert_array_equal(photo.pixels[..., 0], GRAY)
    assert photo.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)


def test_whole_numbers_out_of_range_are_told():
    data = typed(GRAY.astype(np.int16) - 100, 16, 2)
    with pytest.raises(NotAPhotoError, match=r"whole numbers from -80 to 130; opsin reads those"):
        opsin.open(data)


def typed(values: np.ndarray, bits: int, sample_format: int) -> bytes:
    image = opsin.formats.vips.vips().Image.new_from_array(values)
    saved = image.tiffsave_buffer()
    assert struct.pack("<HHIHH", 258, 3, 1, bits, 0) in saved
    assert struct.pack("<HHIHH", 339, 3, 1, sample_format, 0) in saved
    return saved


def test_reasons_are_those_of_the_file_whatever_else_is_read():
    """libvips' threads share one list of errors."""
    sound = io.BytesIO()
    lab = ImageCms.applyTransform(Image.fromarray(GRAY).convert("RGB"), TO_LAB)
    lab.save(sound, "TIFF")  # which libvips refuses, and the reason decides who reads it
    files = [sound.getvalue(), tiff(bits=8).replace(*NO_KIND), cut_off_jpeg(), cut_off_png()]

    def said(data: bytes) -> str:
        try:
            return str(opsin.open(data).pixels.shape)
        except PhotoError as error:
            return str(error)

    alone = [said(data) for data in files]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(said, files * 50)) == alone * 50


TO_LAB = ImageCms.buildTransform(
    ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
)
NO_KIND = (struct.pack("<HHIHH", 262, 3, 1, 1, 0), struct.pack("<HHIHH", 262, 3, 1, 999, 0))


def cut_off_jpeg() -> bytes:
    out = io.BytesIO()
    Image.fromarray(GRAY).save(out, "JPEG")
    return out.getvalue()[:-40]


def cut_off_png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(GRAY).save(out, "PNG")
    return out.getvalue()[:-100]


def test_threads_that_need_libvips_at_once_load_it_once(monkeypatch):
    loads = []

    @functools.cache
    def slowly():
        loads.append(threading.get_ident())
        time.sleep(0.05)
        return object()

    monkeypatch.setattr("opsin.formats.vips._load", slowly)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: vips_module.vips(), range(8)))) == 1
    assert len(loads) == 1
