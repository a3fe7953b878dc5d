"""XMP that is more than a JPEG's segment holds; colors that are coded in another way than sRGB."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import opsin
from opsin.cli import main
from opsin.formats import png, xmp

DC = "http://purl.org/dc/elements/1.1/"


def packet(**properties):
    inside = "".join(f"<dc:{name}>{text}</dc:{name}>" for name, text in properties.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        '"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:dc="{DC}">{inside}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


@pytest.fixture
def large(models, tmp_path, monkeypatch, gray_photo):
    """A PNG whose XMP has 90 KB."""
    monkeypatch.chdir(tmp_path)
    photo = opsin.open(gray_photo[::4, ::4])
    told = packet(source="a" * 90_000, title="at the lake")
    replace(photo, metadata=replace(photo.metadata, xmp=told)).save("a.png")


def test_a_jpeg_keeps_what_it_can_hold_and_says_what_it_leaves_out(large, capsys):
    assert main(["colorize", "a.png", "--model", "tiny", "-o", "a-color.jpg"]) == 0
    assert "dc:source of XMP dropped, it is more than JPEG can hold" in capsys.readouterr().err
    copy = opsin.open("a-color.jpg").metadata.xmp
    assert xmp.value(copy, DC, "title") == "at the lake"
    assert xmp.value(copy, DC, "source") is None
    assert xmp.value(copy, xmp.OPSIN, "Origin")
    assert xmp.value(copy, xmp.IPTC_EXT, "DigitalSourceType") == xmp.MADE_BY_NETWORK


def test_what_is_written_as_an_attribute_can_be_left_out_too(gray_photo):
    told = packet(title="at the lake").replace(
        b'rdf:about=""', b'rdf:about="" dc:source="' + b"a" * 90_000 + b'"'
    )
    photo = opsin.open(gray_photo)
    photo = replace(photo, metadata=replace(photo.metadata, xmp=told))
    assert photo.losses("jpeg") == ("dc:source of XMP dropped, it is more than JPEG can hold",)
    kept = opsin.open(photo.encode("jpeg")).metadata.xmp
    assert (xmp.value(kept, DC, "title"), xmp.value(kept, DC, "source")) == ("at the lake", None)


def test_other_formats_keep_all_of_it(large, capsys):
    assert main(["colorize", "a.png", "--model", "tiny"]) == 0
    assert "dropped" not in capsys.readouterr().err
    assert xmp.value(opsin.open("a-color.png").metadata.xmp, DC, "source") == "a" * 90_000


def test_extended_xmp_is_told_and_no_longer_referred_to(models, tmp_path, gray_photo, capsys):
    guid = "0123456789ABCDEF" * 2
    main_packet = packet(title="at the lake").replace(
        b'rdf:about=""',
        b'rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="'
        + guid.encode()
        + b'"',
    )
    rest = packet(source="a" * 100_000)
    segments = b""
    for at in range(0, len(rest), 60_000):
        part = rest[at : at + 60_000]
        body = b"http://ns.adobe.com/xmp/extension/\0" + guid.encode()
        body += struct.pack(">II", len(rest), at) + part
        segments += b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body
    file = io.BytesIO()
    Image.fromarray(gray_photo[::4, ::4]).save(file, "JPEG", xmp=main_packet)
    data = file.getvalue()
    start = data.index(b"\xff\xdb")
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:start] + segments + data[start:])
    assert main(["colorize", str(path), "--model", "tiny"]) == 0
    assert "XMP beyond the first 64 KiB left out" in capsys.readouterr().err
    copy = opsin.open(tmp_path / "a-color.jpg")
    assert xmp.value(copy.metadata.xmp, DC, "title") == "at the lake"
    assert xmp.EXTENDED not in copy.metadata.xmp
    assert copy.notes == ()


@pytest.mark.parametrize(
    ("numbers", "notes"),
    [
        ((1, 13), []),
        ((1, 16), ["HDR (PQ)"]),
        ((9, 18), ["HDR (HLG)", "colors of BT.2020"]),
        ((12, 13), ["colors of Display P3"]),
    ],
)
def test_a_png_that_codes_its_colors_otherwise_is_noted(numbers, notes):
    data = opsin.open(np.zeros((8, 8, 3), np.uint8)).encode("png")
    start = data.index(b"iCCP") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    coded = data[:start] + png.chunk(b"cICP", bytes([*numbers, 0, 1])) + data[end:]
    found = opsin.open(coded).notes
    assert len(found) == len(notes)
    assert all(note.startswith(begun) for note, begun in zip(found, notes, strict=True))


def test_wide_colors_that_a_profile_tells_of_are_not_noted():
    data = opsin.open(np.zeros((8, 8, 3), np.uint8)).encode("png")
    start = data.index(b"iCCP") - 4
    coded = data[:start] + png.chunk(b"cICP", bytes([12, 13, 0, 1])) + data[start:]
    assert opsin.open(coded).notes == ()


@pytest.mark.parametrize(("transfer", "count"), [(13, 0), (16, 1), (18, 1)])
def test_an_avif_in_hdr_is_noted(transfer, count):
    file = io.BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(file, "AVIF")
    data = bytearray(file.getvalue())
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">HH", 1, transfer)
    assert len(opsin.open(bytes(data)).notes) == count
