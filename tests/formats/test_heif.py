"""HEIC: the pictures of telephones, made here by pillow-heif and read by opsin."""

import contextlib
import io
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

import opsin
from opsin.cli import main
from opsin.errors import NotAPhotoError, PhotoTooLargeError, TruncatedPhotoError
from opsin.formats import small

pillow_heif = pytest.importorskip("pillow_heif")

FAST = {"enc_params": {"preset": "ultrafast"}}
COLOR = np.ascontiguousarray(data.coffee()[:120, :160])


def heic(pixels=COLOR, mode="RGB", **more):
    """The file of pixels (H, W) or (H, W, 3)."""
    out = io.BytesIO()
    size = (pixels.shape[1], pixels.shape[0])
    file = pillow_heif.from_bytes(mode=mode, size=size, data=np.ascontiguousarray(pixels).tobytes())
    file.save(out, quality=95, chroma=444, **FAST, **more)
    return out.getvalue()


def turned(orientation):
    """As a telephone that was held upright writes it."""
    out = io.BytesIO()
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = "the sea"
    # Pillow's plugin turns its picture by a box of the file, as telephones do
    pillow_heif.register_heif_opener()
    Image.fromarray(COLOR).save(out, "HEIF", quality=95, **FAST, exif=tags.tobytes())
    return out.getvalue()


def error_of(photo, expected):
    assert photo.pixels.shape == expected.shape
    return np.abs(photo.pixels.astype(float) - expected).mean()


@pytest.mark.parametrize("suffix", [".heic", ".heif", ".HIF"])
def test_a_heic_is_opened(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(heic())
    photo = opsin.open(path)
    assert error_of(photo, COLOR) < 3
    assert (photo.metadata.format, photo.metadata.source, photo.depth) == ("heic", path.name, 8)


def test_gray_stays_gray():
    assert error_of(opsin.open(heic(COLOR[..., 1], "L")), COLOR[..., 1:2]) < 3


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_it_is_turned_once_and_says_so(orientation):
    upright = {3: np.rot90(COLOR, 2), 6: np.rot90(COLOR, -1), 8: np.rot90(COLOR)}[orientation]
    photo = opsin.open(turned(orientation))
    assert error_of(photo, upright) < 3
    tags = Image.Exif()
    tags.load(photo.metadata.exif)
    assert (tags.get(0x0112, 1), tags[0x010E]) == (1, "the sea")


def test_a_turn_that_xmp_tells_too_is_done_once():
    file = pillow_heif.from_pillow(Image.fromarray(COLOR))
    packet = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
        xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
        xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""
    out = io.BytesIO()
    file.save(out, quality=95, xmp=packet.encode(), **FAST)  # which writes the turn as a box
    photo = opsin.open(out.getvalue())
    assert error_of(photo, np.rot90(COLOR, -1)) < 3


def test_white_of_ten_bits_is_white():
    pixels = np.full((64, 64, 3), 65535, np.uint16)
    pixels[:32] = 20_000
    photo = opsin.open(heic(pixels, "RGB;16"))
    assert photo.depth == 16
    assert photo.pixels[40:].min() > 65_000
    assert photo.pixels[40:].max() == 65_535
    assert abs(int(photo.pixels[10, 10, 0]) - 20_000) < 300


def test_colors_of_another_space_are_converted():
    import pyvips

    p3 = bytes(pyvips.Image.profile_load("p3"))
    red = np.full((64, 64, 3), (200, 40, 40), np.uint8)
    photo = opsin.open(heic(red, icc_profile=p3))
    assert photo.pixels[20, 20, 0] > 205  # the same red is a larger number in the smaller space
    assert any("converted to sRGB" in note for note in photo.notes)


def test_the_limit_on_pixels_holds():
    with pytest.raises(PhotoTooLargeError):
        opsin.open(heic(), pixel_limit=1000)


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("length", [30, 400, 1500])
def test_a_part_of_a_heic_cannot_be_read(length, damaged):
    with pytest.raises(TruncatedPhotoError):
        opsin.open(heic()[:length], damaged=damaged)


def test_flipped_bytes_are_an_error_or_a_picture():
    whole = heic()
    dice = np.random.default_rng(1)
    for _ in range(40):
        hurt = bytearray(whole)
        for place in dice.integers(0, len(hurt), 4):
            hurt[place] = int(dice.integers(0, 256))
        with contextlib.suppress(opsin.errors.PhotoError):
            assert opsin.open(bytes(hurt), pixel_limit=1_000_000).pixels.size


def test_it_can_be_trained_on():
    pixels = small.whole(heic()).numpy()
    assert np.abs(pixels.astype(float) - COLOR).mean() < 3


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path, models, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(heic())
    with pytest.raises(NotAPhotoError, match=r"pip install 'opsin\[heif\]'"):
        opsin.open(tmp_path / "a.heic")
    assert main(["colorize", str(tmp_path / "a.heic"), "--model", "tiny"]) == 1
    said = capsys.readouterr().err
    assert said.count("pip install 'opsin[heif]'") == 1


def test_a_heic_becomes_a_png(tmp_path, models):
    (tmp_path / "a.heic").write_bytes(turned(6))
    assert main(["colorize", str(tmp_path), "--model", "tiny"]) == 0
    copy = opsin.open(tmp_path / "a-color.png")
    assert (copy.width, copy.height) == (120, 160)
