"""Where a photograph was taken and how large its print is, through every format and turn."""

import io

import numpy as np
import pytest
from PIL import Image

import opsin.photo as op
from opsin.formats import iptc

GRAY = np.linspace(0, 255, 24 * 32).reshape(24, 32).astype(np.uint8)
GPS, EXPOSURE, SPEED, CAMERA = 0x8825, 0x8769, 0x8827, "Leitz"


def with_exif(format, *, orientation=1, order="big", dpi=None, unit=2):
    """A file by Pillow whose EXIF has a place, a camera and perhaps a resolution."""
    exif = Image.Exif()
    exif.endian = {"big": ">", "little": "<"}[order]
    exif[0x010F], exif[0x0112] = CAMERA, orientation
    if dpi:
        exif[0x011A], exif[0x011B], exif[0x0128] = *dpi, unit
    exif.get_ifd(EXPOSURE)[SPEED] = 400  # a number of two bytes
    place = exif.get_ifd(GPS)
    place[1], place[2] = "N", (47.0, 22.0, 30.5)
    file = io.BytesIO()
    Image.fromarray(GRAY).save(file, format, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("order", ["big", "little"])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("target", ["jpeg", "png", "tiff", "webp"])
def test_the_place_and_the_camera_are_kept(order, source, target):
    photo = op.open(with_exif(source, order=order))
    exif = Image.open(io.BytesIO(photo.encode(target))).getexif()
    assert exif[0x010F] == CAMERA
    assert exif.get_ifd(EXPOSURE)[SPEED] == 400
    place = exif.get_ifd(GPS)
    assert place[1] == "N"
    assert [float(part) for part in place[2]] == [47, 22, 30.5]


@pytest.mark.parametrize(("unit", "expected"), [(2, (300, 150)), (3, (762, 381))])
def test_resolutions_in_exif_are_of_inches_or_centimeters(unit, expected):
    photo = op.open(with_exif("WEBP", dpi=(300, 150), unit=unit))
    assert photo.metadata.dpi == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("orientation", "turned"), [(1, False), (3, False), (6, True), (8, True)])
@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_resolutions_are_turned_with_the_picture(format, orientation, turned):
    image, file = Image.fromarray(GRAY), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(file, format, exif=exif, dpi=(300, 150))
    photo = op.open(file.getvalue())
    assert photo.pixels.shape[:2] == ((32, 24) if turned else (24, 32))
    assert photo.metadata.dpi == pytest.approx((150, 300) if turned else (300, 150), abs=0.05)


@pytest.mark.parametrize("name", [b"", b"a", b"ab", b"abc"])
def test_iptc_is_found_behind_names_of_any_length(name):
    iim = b"\x1c\x02\x78\0\x05Lucca"
    head = b"8BIM\x04\x25" + bytes([len(name)]) + name
    other = head + bytes(len(head) % 2) + b"\0\0\0\x03abc\0"
    block = iptc.HEADER + other + iptc.to_photoshop(iim)[len(iptc.HEADER) :]
    assert iptc.from_photoshop(block) == iim
