"""EXIF, XMP, IPTC, resolution and color profiles on their way from file to file."""

import contextlib
import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, IptcImagePlugin, TiffImagePlugin

import opsin.photo as op
from opsin.formats import exif, icc, iptc

COLOR = skimage.data.chelsea()[:40, :60]
GRAY = COLOR[..., 0].copy()
IIM = b"\x1c\x02\x05\x00\x05Title" + b"\x1c\x02\x50\x00\x06Author"
WITH_EXIF = ["jpeg", "png", "tiff", "webp", "avif"]


def pillow(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def big_endian_blob(*, thumbnail=b""):
    """Orientation 6, a maker, an Exif directory with sizes, and a thumbnail at the end."""
    maker, taken = b"Leitz\0", b"1931:04:05 06:07:08\0"
    first_at, maker_at = 8, 8 + 2 + 36 + 4
    child_at = maker_at + len(maker)
    taken_at = child_at + 2 + 36 + 4
    second_at = taken_at + len(taken)
    thumbnail_at = second_at + 2 + 24 + 4
    return b"".join(
        [
            struct.pack(">2sHI", b"MM", 42, first_at),
            struct.pack(">H", 3),
            struct.pack(">HHII", 0x010F, 2, len(maker), maker_at),
            struct.pack(">HHIHxx", 0x0112, 3, 1, 6),
            struct.pack(">HHII", 0x8769, 4, 1, child_at),
            struct.pack(">I", second_at if thumbnail else 0) + maker,
            struct.pack(">H", 3),
            struct.pack(">HHII", 0x9003, 2, len(taken), taken_at),
            struct.pack(">HHII", 0xA002, 4, 1, 999),
            struct.pack(">HHIHxx", 0xA003, 3, 1, 888),
            bytes(4) + taken,
            struct.pack(">H", 2),
            struct.pack(">HHII", 0x0201, 4, 1, thumbnail_at),
            struct.pack(">HHII", 0x0202, 4, 1, len(thumbnail)),
            bytes(4) + thumbnail,
        ]
    )


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(
    turn=st.integers(1, 8),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
)
@settings(max_examples=30, deadline=None)
def test_every_orientation_is_applied_as_pillow_does(format, dtype, turn, height, width):
    pixels = np.arange(height * width, dtype=dtype).reshape(height, width)
    tags = Image.Exif()
    tags[0x0112] = turn
    data = pillow(Image.fromarray(pixels), format, exif=tags)
    photo = op.open(data)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    np.testing.assert_array_equal(photo.pixels[..., 0], expected)
    again = op.open(photo.encode(format.lower()))
    np.testing.assert_array_equal(again.pixels, photo.pixels)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_every_orientation_is_applied_once_in_lossy_formats(format, turn):
    corners = np.zeros((32, 64), np.uint8)
    corners[:16, :32], corners[16:, :32], corners[:16, 32:] = 255, 170, 85
    tags = Image.Exif()
    tags[0x0112] = turn
    data = pillow(Image.fromarray(corners).convert("RGB"), format, exif=tags)
    photo = op.open(data)
    tags_image = Image.fromarray(corners)
    tags_image.getexif()[0x0112] = turn
    upright = np.asarray(ImageOps.exif_transpose(tags_image))
    assert photo.pixels.shape[:2] == upright.shape
    assert abs(photo.pixels[..., 0].astype(int) - upright).mean() < 3
    again = op.open(photo.encode(format.lower()))
    assert abs(again.pixels[..., 0].astype(int) - upright).mean() < 3


def test_orientation_is_reset_and_sizes_follow():
    blob = big_endian_blob()
    assert exif.orientation(blob) == 6
    turned = exif.upright(blob, size_hw=(60, 40))
    tags = Image.Exif()
    tags.load(turned)
    assert tags[0x0112] == 1
    assert tags.get_ifd(0x8769)[0xA002] == 40
    assert tags.get_ifd(0x8769)[0xA003] == 60
    assert tags[0x010F] == "Leitz"


def test_the_thumbnail_is_dropped():
    blob = big_endian_blob(thumbnail=b"\xff\xd8 an old thumbnail \xff\xd9")
    turned = exif.upright(blob, size_hw=(60, 40))
    assert b"thumbnail" not in turned
    assert len(turned) < len(blob)
    data = op.Photo(COLOR, None, op.Metadata(exif=turned)).encode("jpeg")
    assert b"thumbnail" not in data


@pytest.mark.parametrize("cut", range(1, 200, 7))
def test_a_cut_off_blob_is_an_error_or_harmless(cut):
    blob = big_endian_blob(thumbnail=b"\xff\xd8\xff\xd9")
    with contextlib.suppress(ValueError):
        assert len(exif.upright(blob[:cut], size_hw=(60, 40))) <= cut


def test_broken_exif_is_dropped_with_a_note():
    data = op.Photo(COLOR, None, op.Metadata(exif=b"II*\0\xff\xff\0\0")).encode("jpeg")
    photo = op.open(data)
    assert photo.metadata.exif is None
    assert "broken EXIF data dropped" in photo.notes


@pytest.mark.parametrize("source", ["jpeg", "tiff"])
@pytest.mark.parametrize("target", WITH_EXIF)
def test_exif_goes_from_any_format_to_any(source, target):
    photo = op.Photo(
        COLOR, None, op.Metadata(exif=exif.upright(big_endian_blob(), size_hw=(40, 60)))
    )
    photo = op.open(op.open(photo.encode(source)).encode(target))
    tags = Image.open(io.BytesIO(photo.encode("jpeg"))).getexif()
    assert tags[0x010F].rstrip("\0") == "Leitz"
    assert tags.get_ifd(0x8769)[0x9003].rstrip("\0") == "1931:04:05 06:07:08"
    assert exif.orientation(photo.metadata.exif) == 1


def test_pillow_finds_exif_in_our_tiff_and_the_pixels_too():
    data = op.Photo(COLOR, None, op.Metadata(exif=big_endian_blob())).encode("tiff")
    image = Image.open(io.BytesIO(data))
    assert image.tag_v2[0x010F] == "Leitz"
    assert image.getexif().get_ifd(0x8769)[0x9003] == "1931:04:05 06:07:08"
    np.testing.assert_array_equal(np.asarray(image), COLOR)


def test_tags_of_a_tiff_file_are_kept():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x010E], tags[0x013B], tags[0x8298] = "The harbor", "A. Uncle", "free"
    photo = op.open(pillow(Image.fromarray(COLOR), "TIFF", tiffinfo=tags))
    again = Image.open(io.BytesIO(photo.encode("jpeg"))).getexif()
    assert [again[tag].rstrip("\0") for tag in (0x010E, 0x013B, 0x8298)] == [
        "The harbor",
        "A. Uncle",
        "free",
    ]


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif", "bmp"])
@pytest.mark.parametrize("dpi", [None, (300.0, 300.0), (600.0, 300.0)])
def test_resolution_is_kept_and_not_invented(format, dpi):
    photo = op.Photo(COLOR, None, op.Metadata(dpi=dpi))
    found = op.open(photo.encode(format)).metadata.dpi
    assert found == (None if dpi is None else pytest.approx(dpi, abs=0.05))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP"])
def test_resolution_agrees_with_pillow(format):
    photo = op.open(pillow(Image.fromarray(COLOR), format, dpi=(240, 240)))
    assert photo.metadata.dpi == pytest.approx((240, 240), abs=0.05)
    image = Image.open(io.BytesIO(photo.encode(format.lower())))
    assert image.info["dpi"] == pytest.approx((240, 240), abs=0.05)


@pytest.mark.parametrize("source", ["jpeg", "tiff"])
@pytest.mark.parametrize("target", ["jpeg", "tiff"])
def test_iptc_goes_between_jpeg_and_tiff(source, target):
    photo = op.Photo(COLOR, None, op.Metadata(iptc=IIM))
    again = op.open(op.open(photo.encode(source)).encode(target))
    assert again.metadata.iptc.rstrip(b"\0") == IIM
    records = IptcImagePlugin.getiptcinfo(Image.open(io.BytesIO(again.encode("jpeg"))))
    assert records[(2, 5)] == b"Title"


def test_iptc_elsewhere_is_told_as_a_loss():
    photo = op.Photo(COLOR, None, op.Metadata(iptc=IIM))
    assert photo.losses("png") == ("IPTC record dropped, PNG has no place for it",)
    assert photo.losses("jpeg") == ()


def test_iptc_is_found_behind_other_resources():
    other = b"8BIM\x04\x25\x04name\0\0\0\0\x03abc\0"
    assert iptc.from_photoshop(iptc.HEADER + other + iptc.to_photoshop(IIM)[14:]) == IIM
    assert iptc.from_photoshop(iptc.HEADER + other) is None
    assert iptc.from_photoshop(b"8BIM") is None


@pytest.mark.parametrize("format", WITH_EXIF)
def test_xmp_is_kept(format):
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><!-- \xc3\xbc --></x:xmpmeta>"
    photo = op.Photo(COLOR, None, op.Metadata(xmp=packet))
    assert op.open(photo.encode(format)).metadata.xmp == packet


def test_what_jpeg_cannot_hold_is_told():
    photo = op.Photo(COLOR, None, op.Metadata(xmp=b"<x>" + b" " * 70_000 + b"</x>"))
    assert photo.losses("jpeg") == ("XMP dropped, 70007 bytes are more than JPEG can hold",)
    assert op.open(photo.encode("jpeg")).metadata.xmp is None


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif"])
@pytest.mark.parametrize("pixels", [COLOR, GRAY])
def test_a_profile_is_written(format, pixels):
    data = op.open(pixels).encode(format)
    profile = Image.open(io.BytesIO(data)).info["icc_profile"]
    gray = pixels.ndim == 2 and format in ("jpeg", "png", "tiff")
    name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    assert ("Gray, sRGB tone curve" in name) == gray
    if not gray:
        assert icc.is_srgb(profile)


def test_the_gray_profile_has_the_curve_of_srgb():
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc.srgb_gray()))
    to_rgb = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "L", "RGB")
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    found = np.asarray(ImageCms.applyTransform(ramp, to_rgb))
    assert abs(found.astype(int) - np.arange(256)[None, :, None]).max() <= 1


def profile_of(curve_gamma, space):
    """A small profile with a plain gamma curve; RGB with Adobe RGB (1998)'s primaries."""
    curve = struct.pack(">4s4xIH", b"curv", 1, round(curve_gamma * 256))
    xyz = {
        b"rXYZ": (0.60974, 0.31111, 0.01947),
        b"gXYZ": (0.20528, 0.62567, 0.06087),
        b"bXYZ": (0.14919, 0.06322, 0.74457),
    }
    tags = {b"wtpt": (0.9642, 1.0, 0.8249), **(xyz if space == b"RGB " else {})}
    blobs = {
        tag: struct.pack(">4s4x3i", b"XYZ ", *(round(v * 65536) for v in value))
        for tag, value in tags.items()
    }
    for tag in (b"rTRC", b"gTRC", b"bTRC") if space == b"RGB " else (b"kTRC",):
        blobs[tag] = curve
    text = b"Old Monitor\0"
    blobs[b"desc"] = struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78)
    blobs[b"cprt"] = b"text\0\0\0\0none\0"
    table, body, offset = b"", b"", 132 + 12 * len(blobs)
    for tag, value in blobs.items():
        table += struct.pack(">4sII", tag, offset + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    rest = struct.pack(">I", len(blobs)) + table + body
    head = icc.srgb_gray()[:128]
    return (
        struct.pack(">I", 128 + len(rest))
        + head[4:8]
        + struct.pack(">I4s4s", 0x02100000, b"mntr", space)
        + head[20:]
        + rest
    )


@pytest.mark.parametrize("format", ["TIFF", "PNG"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_gray_profile_is_converted_and_stays_gray(format, deep):
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(4, 0)
    image = Image.fromarray(ramp.astype(np.uint16) * 257 if deep else ramp)
    photo = op.open(pillow(image, format, icc_profile=profile_of(1.8, b"GRAY")))
    light = (np.arange(256) / 255) ** 1.8  # then to sRGB by IEC 61966-2-1
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert photo.is_gray
    assert photo.notes == ("gray profile 'Old Monitor' converted to sRGB",)
    top = 65535 if deep else 255
    np.testing.assert_allclose(photo.pixels[0, :, 0] / top, srgb, atol=0.006)


@pytest.mark.parametrize("format", ["TIFF", "PNG", "JPEG"])
def test_a_color_profile_is_converted(format):
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    flat = Image.new("RGB", (16, 16), (100, 150, 100))
    photo = op.open(pillow(flat, format, icc_profile=profile_of(2.199, b"RGB "), **options))
    assert photo.notes == ("color profile 'Old Monitor' converted to sRGB",)
    # Adobe RGB (100, 150, 100) is sRGB (63, 151, 97), by the two matrices (Lindbloom).
    np.testing.assert_allclose(photo.pixels[8, 8], (63, 151, 97), atol=4)


def test_srgb_and_foreign_profiles_leave_the_pixels_alone():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"broken", icc.srgb_gray()):
        photo = op.open(pillow(Image.fromarray(COLOR), "PNG", icc_profile=profile))
        np.testing.assert_array_equal(photo.pixels, COLOR)
    photo = op.open(pillow(Image.fromarray(GRAY), "TIFF", icc_profile=srgb))
    np.testing.assert_array_equal(photo.pixels[..., 0], GRAY)
    assert photo.notes == ()


def test_a_gray_file_with_a_color_profile_is_converted_as_gray():
    image = Image.fromarray(np.full((4, 4), 100, np.uint8))
    photo = op.open(pillow(image, "TIFF", icc_profile=profile_of(1.0, b"RGB ")))
    assert photo.is_gray
    assert abs(int(photo.pixels[0, 0, 0]) - 168) <= 2  # sRGB of 100 / 255 in linear light


def test_profiles_without_a_name_are_said_to_have_none():
    assert icc.name(b"") == "without a name"
    assert icc.name(icc.srgb_gray()) == "'Gray, sRGB tone curve'"


def test_metadata_survives_a_change_of_pixels():
    photo = replace(op.open(GRAY), metadata=op.Metadata(exif=big_endian_blob(), dpi=(300, 300)))
    copy = op.made_by_opsin(photo, COLOR, model="default", version="1.0")
    assert copy.metadata.exif == photo.metadata.exif
    assert copy.metadata.dpi == (300, 300)


def test_a_resolution_that_cannot_be_meant_is_unknown():
    data = bytearray(op.Photo(COLOR, None, op.Metadata(dpi=(300, 300))).encode("bmp"))
    data[38:42] = b"\xff\xff\xff\x7f"
    assert op.open(bytes(data)).metadata.dpi is None
