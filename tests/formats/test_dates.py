"""When a photograph was taken: what is said of its file is no such date."""

import io

import pytest
from PIL import Image
from xmp_packets import packet

import opsin
from opsin.formats.dates import date_of, taken
from opsin.formats.metadata import Metadata

ADOBE = 'xmlns:ns="http://ns.adobe.com/{}/1.0/"'


def said(space, key, date):
    return packet(f"<ns:{key} {ADOBE.format(space)}>{date}</ns:{key}>")


def with_exif(date, tag=0x9003):
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0132] = "2019:01:02 03:04:05"  # the file was changed
    exif.get_ifd(0x8769)[tag] = date
    Image.new("L", (8, 8)).save(file, "jpeg", exif=exif)
    return opsin.open(file.getvalue()).metadata


def test_exif_says_when_it_was_taken_and_not_when_it_was_scanned():
    assert taken(with_exif("1931:07:14 12:00:00")) == "1931-07-14"
    assert taken(with_exif("1931:07:14 12:00:00", tag=0x9004)) is None
    assert taken(with_exif("    :  :     :  :  ")) is None
    assert taken(Metadata(exif=b"no EXIF")) is None
    assert taken(Metadata()) is None


@pytest.mark.parametrize(
    ("space", "key"), [("photoshop", "DateCreated"), ("exif", "DateTimeOriginal")]
)
def test_xmp_comes_before_exif_and_a_sidecar_before_both(space, key):
    exif = with_exif("2001:01:01 00:00:00").exif
    inside = Metadata(exif=exif, xmp=said(space, key, "1931-07"))
    assert taken(inside) == "1931-07"
    assert taken(inside, sidecar=said(space, key, "1930-06-05T10:00:00+01:00")) == "1930-06-05"
    assert taken(inside, sidecar=b"<a>") == "1931-07"
    assert taken(inside, sidecar=packet()) == "1931-07"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("1931", "1931"),
        ("1931-00-00", "1931"),
        ("1931-13-01", "1931"),
        ("1931-12-32", "1931-12"),
        ("1800-01-31", "1800-01-31"),
        ("1799-01-01", None),
        ("19310714", None),
        ("1931-07-145", None),
        ("about 1931", None),
        ("", None),
    ],
)
def test_what_is_no_date_is_left_out(text, date):
    assert date_of(text) == date
