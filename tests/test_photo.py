"""The door: what can be opened, how it is saved, and what is said when it cannot be."""

import builtins
import errno
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

import opsin.photo as op
from opsin.errors import PhotoError, PhotoTooLargeError, SaveError
from opsin.files import shown, write_atomically

COLOR = skimage.data.rocket()[100:200, 200:330]
GRAY = COLOR[..., 1].copy()
LOSSLESS = ["png", "tiff"]

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))
PIXELS = SHAPES.flatmap(
    lambda size: st.sampled_from([(), (1,), (2,), (3,), (4,)]).flatmap(
        lambda bands: st.sampled_from([np.uint8, np.uint16]).flatmap(
            lambda dtype: hnp.arrays(dtype, size + bands)
        )
    )
)


def parts(array):
    """Pixels and alpha that an array means."""
    array = array[..., None] if array.ndim == 2 else array
    if array.shape[2] in (2, 4):
        return array[..., :-1], array[..., -1]
    return array, None


@given(array=PIXELS, format=st.sampled_from(LOSSLESS))
@settings(max_examples=100, deadline=None)
def test_arrays_come_back_exactly(array, format):
    pixels, alpha = parts(array)
    photo = op.open(op.open(array).encode(format))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.pixels.dtype == array.dtype
    if alpha is None:
        assert photo.alpha is None
    else:
        np.testing.assert_array_equal(photo.alpha, alpha)


@given(array=hnp.arrays(np.float32, (3, 4, 3), elements=st.floats(0, 1, width=32)))
@settings(deadline=None)
def test_real_numbers_become_16_bits(array):
    photo = op.open(array)
    assert photo.depth == 16
    np.testing.assert_allclose(photo.pixels / 65535, array, atol=0.5 / 65535 + 1e-6)


def test_booleans_become_black_and_white():
    assert op.open(np.array([[True, False]])).pixels.tolist() == [[[255], [0]]]


def test_big_endian_and_strided_arrays():
    array = np.arange(12, dtype=">u2").reshape(3, 4)[::-1, ::2]
    photo = op.open(array)
    assert photo.pixels.dtype == np.uint16
    assert photo.pixels.flags.c_contiguous
    np.testing.assert_array_equal(photo.pixels[..., 0], array)


def test_arrays_are_copied():
    array = np.zeros((2, 2), np.uint8)
    photo = op.open(array)
    array[:] = 9
    assert photo.pixels.max() == 0


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (np.zeros((2, 2), np.int64), TypeError, "array.astype('uint8')"),
        (np.zeros((2, 2), complex), TypeError, "complex128"),
        (np.full((2, 2), 255.0), ValueError, "Divide values of 0..255 by 255."),
        (np.full((2, 2), np.nan), ValueError, "nan"),
        (np.zeros(4, np.uint8), ValueError, r"(H, W)"),
        (np.zeros((0, 4), np.uint8), ValueError, r"(0, 4, 1)"),
        (np.zeros((2, 2, 5), np.uint8), ValueError, "(2, 2, 5)"),
        (np.zeros((1, 2, 2, 3), np.uint8), ValueError, "pass array[i]"),
    ],
)
def test_arrays_that_cannot_be_meant(array, error, words):
    with pytest.raises(error) as caught:
        op.open(array)
    assert words in str(caught.value)


def test_a_photo_is_checked_when_made():
    with pytest.raises(ValueError, match=r"\(H, W, 1 or 3\), got \(2, 2\)"):
        op.Photo(GRAY[:2, :2])
    with pytest.raises(TypeError, match="float64"):
        op.Photo(np.zeros((2, 2, 1)))
    with pytest.raises(ValueError, match="alpha must be uint8"):
        op.Photo(COLOR, np.zeros((2, 2), np.uint8))


def test_a_photo_tells_about_itself():
    photo = op.open(COLOR.astype(np.uint16))
    assert (photo.height, photo.width, photo.depth, photo.is_gray) == (100, 130, 16, False)
    assert repr(photo) == "Photo(130 x 100, color, 16 bits)"
    preview = Image.open(io.BytesIO(photo._repr_png_()))
    assert preview.size == (130, 100)
    assert max(Image.open(io.BytesIO(op.open(np.zeros((9, 2000), bool))._repr_png_())).size) <= 512


@pytest.mark.parametrize(
    "name",
    ["plain.png", "two words.png", "Großmutter.png", "-dash.png", "a[page=2].png", "写真.png"],
)
def test_any_name_works(tmp_path, name):
    path = op.open(GRAY).save(tmp_path / name)
    photo = op.open(str(path))
    np.testing.assert_array_equal(photo.pixels[..., 0], GRAY)
    assert photo.metadata.source == name
    assert photo.metadata.format == "png"


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_names_that_are_not_utf_8_work_and_can_be_shown(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/gr\xfcn.png")
    op.open(GRAY).save(path)
    photo = op.open(path)
    assert photo.metadata.source == "gr\N{REPLACEMENT CHARACTER}n.png"
    copy = op.made_by_opsin(photo, photo.pixels, model="default", version="1")
    assert b"gr\xef\xbf\xbdn.png" in op.open(copy.encode("jpeg")).metadata.xmp
    with pytest.raises(PhotoError) as caught:
        op.open(path + "x")
    str(caught.value).encode("utf-8")


def test_all_sources_are_the_same_photo(tmp_path):
    path = op.open(COLOR).save(tmp_path / "a.png")
    data = path.read_bytes()
    with builtins.open(path, "rb") as file:
        sources = [path, str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), file]
        photos = [op.open(source) for source in sources]
    photos += [op.open(Image.open(path)), op.open(COLOR)]
    for photo in photos:
        np.testing.assert_array_equal(photo.pixels, COLOR)
    assert photos[6].metadata.source == "a.png"


def test_what_is_no_source_is_a_type_error():
    with pytest.raises(TypeError, match="got int"):
        op.open(5)
    with pytest.raises(TypeError, match="rb"):
        op.open(io.StringIO("text"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "this is a folder"),
        (lambda path: path.write_bytes(b""), "the file is empty (0 bytes)"),
        (lambda path: path.write_bytes(b"hello"), "not a photograph"),
        (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0"), "damaged or cut off"),
    ],
)
def test_reading_errors_say_what_where_and_the_fix(tmp_path, make, words):
    path = tmp_path / "a.jpg"
    make(path)
    with pytest.raises(PhotoError) as caught:
        op.open(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert words in text
    assert text.endswith(".")


def test_a_file_one_may_not_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    path = op.open(GRAY).save(tmp_path / "a.png")
    monkeypatch.setattr(op, "read_whole", refuse)
    with pytest.raises(PhotoError, match=r"a.png: no permission to read it\."):
        op.open(path)


@pytest.mark.parametrize("source", [np.zeros((20, 20), np.uint8), Image.new("L", (20, 20))])
def test_the_pixel_limit_holds_for_every_source(source):
    with pytest.raises(PhotoTooLargeError, match="20 x 20 pixels"):
        op.open(source, pixel_limit=399)


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".tif", ".TIFF", ".webp", ".bmp"])
def test_the_format_follows_the_name(tmp_path, suffix):
    path = op.open(COLOR).save(tmp_path / f"a{suffix}")
    assert op.open(path).metadata.format in ("jpeg", "png", "tiff", "webp", "bmp")
    assert op.open(path).metadata.format[0] == suffix[1].lower()


def test_a_given_format_wins(tmp_path):
    path = op.open(COLOR).save(tmp_path / "a.dat", format="tif")
    assert op.open(path).metadata.format == "tiff"


@pytest.mark.parametrize(("dtype", "format"), [(np.uint16, "png"), (np.uint16, "tiff")])
def test_16_bits_stay_16_bits(dtype, format):
    photo = op.open(COLOR.astype(dtype) * 257)
    assert photo.losses(format) == ()
    assert op.open(photo.encode(format)).depth == 16


@pytest.mark.parametrize("format", ["jpeg", "webp", "bmp"])
def test_16_bits_where_there_is_room_for_8_is_told_and_rounded(format):
    photo = op.open(np.full((16, 16, 3), 300, np.uint16))  # 300 / 257 is nearest to 1
    assert photo.losses(format) == (f"16 bits reduced to 8, the most {format.upper()} can hold",)
    assert op.open(photo.encode(format)).pixels.max() == 1


def test_avif_holds_12_bits():
    photo = op.open(COLOR.astype(np.uint16) * 257)
    assert photo.losses("avif") == ("16 bits reduced to 12, the most AVIF can hold",)
    again = op.open(photo.encode("avif", quality=95))
    assert abs(again.pixels.astype(int) - photo.pixels).mean() < 600


@pytest.mark.parametrize("format", ["jpeg", "bmp"])
def test_transparency_goes_on_white_and_is_told(format):
    photo = op.Photo(np.zeros((16, 16, 3), np.uint8), np.full((16, 16), 55, np.uint8))
    assert "transparency put on white" in photo.losses(format)[0]
    assert abs(op.open(photo.encode(format)).pixels.astype(int) - 200).max() <= 1


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_a_lower_quality_is_a_smaller_file_and_farther_from_the_photo(format):
    pixels = skimage.data.coffee()[100:228, 200:328]
    sizes, errors = [], []
    for quality in (20, 60, 95):
        packed = op.open(pixels).encode(format, quality=quality)
        sizes.append(len(packed))
        errors.append(np.abs(op.open(packed).pixels.astype(int) - pixels).mean())
    assert 1.3 * sizes[0] < sizes[1] < 0.7 * sizes[2]
    assert errors[0] > 1.1 * errors[1] > 1.3 * errors[2]


def test_jpeg_quality_is_obeyed_and_color_is_not_thinned_out():
    photo = op.open(COLOR)
    assert len(photo.encode("jpeg", quality=50)) < len(photo.encode("jpeg"))
    image = Image.open(io.BytesIO(photo.encode("jpeg")))
    assert {layer[1:3] for layer in image.layer} == {(1, 1)}  # 4:4:4


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_has_bounds(quality):
    with pytest.raises(ValueError, match="from 1 to 100"):
        op.open(COLOR).encode("jpeg", quality=quality)


def test_unknown_formats(tmp_path):
    with pytest.raises(ValueError, match=r"unknown format 'gif'\. Known: jpeg, png"):
        op.open(COLOR).encode("gif")
    with pytest.raises(SaveError, match=r"cannot tell the format from the name\. End it in"):
        op.open(COLOR).save(tmp_path / "a.xyz")


def test_too_long_a_side_is_an_error():
    with pytest.raises(SaveError, match=r"20000 x 1 pixels are more than WEBP can hold"):
        op.open(np.zeros((1, 20_000), np.uint8)).encode("webp")


def test_folders_are_made_and_files_replaced_unless_told_otherwise(tmp_path):
    path = tmp_path / "new" / "folder" / "a.png"
    op.open(GRAY).save(path)
    op.open(COLOR).save(path)
    with pytest.raises(SaveError, match="already there"):
        op.open(GRAY).save(path, overwrite=False)
    assert not op.open(path).is_gray
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


def test_a_link_is_followed(tmp_path):
    target = op.open(GRAY).save(tmp_path / "a.png")
    link = tmp_path / "link.png"
    link.symlink_to(target)
    op.open(COLOR).save(link)
    assert link.is_symlink()
    assert not op.open(target).is_gray


def test_new_files_get_ordinary_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    path = op.open(GRAY).save(tmp_path / "a.png")
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full, nothing was written"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EACCES, "no permission to write here"),
        (errno.EROFS, "no permission to write here"),
        (errno.ENAMETOOLONG, "the name is too long"),
        (errno.EIO, "cannot be written (Input/output error)"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, code, words, call
):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(SaveError) as caught:
        op.open(GRAY).save(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_knows_no_fsync_is_no_trouble(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fail)
    assert op.open(op.open(GRAY).save(tmp_path / "a.png")).is_gray


def test_an_interrupted_save_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        op.open(GRAY).save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_save_leaves_the_old_file(tmp_path):
    path = op.open(GRAY).save(tmp_path / "a.png")
    before = path.read_bytes()
    script = (
        "import os, sys, time, numpy as np, opsin.photo as op\n"
        "def wait(_):\n"
        "    print('now', flush=True)\n"
        "    time.sleep(60)\n"
        "os.fsync = wait\n"
        "op.open(np.zeros((50, 50), np.uint8)).save(sys.argv[1])\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE)
    with child:
        assert child.stdout.readline().strip() == b"now"
        child.kill()
    assert path.read_bytes() == before


def test_a_folder_cannot_be_the_target(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(SaveError, match="this is a folder"):
        op.open(GRAY).save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.png"]


def test_a_file_cannot_be_the_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SaveError, match="cannot make this folder"):
        op.open(GRAY).save(tmp_path / "file" / "a.png")
    with pytest.raises(SaveError, match="cannot make this folder"):
        op.open(GRAY).save(tmp_path / "file" / "deep" / "a.png")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SaveError, match="no permission to write here"):
        op.open(GRAY).save(tmp_path / "a.png")


def test_writing_is_whole_or_not_at_all(tmp_path):
    assert write_atomically(tmp_path / "a", b"x" * 1000) == tmp_path / "a"
    assert (tmp_path / "a").read_bytes() == b"x" * 1000
    assert shown("a\nb") == "a\N{REPLACEMENT CHARACTER}b"


def test_many_photos_at_once(tmp_path):
    flat = [op.open(np.full((40, 40, 3), n, np.uint8)) for n in range(9)]
    paths = [photo.save(tmp_path / f"{n}.png") for n, photo in enumerate(flat)]
    damaged = tmp_path / "bad.png"
    damaged.write_bytes(paths[0].read_bytes()[:60])
    wrong = []

    def read(n):
        photo = op.open(paths[n % 9])
        if photo.pixels[0, 0, 0] != n % 9 or photo.notes:
            wrong.append(photo)
        with pytest.raises(PhotoError):
            op.open(damaged)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(60)))
    assert wrong == []


def test_importing_loads_no_image_library():
    code = "import sys, opsin.photo; print([m for m in ('pyvips', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


@pytest.mark.parametrize(("deep", "shown"), [(257 * 100 + 128, 100), (257 * 100 + 129, 101)])
def test_16_bits_are_rounded_to_8_not_cut_off(deep, shown):
    photo = op.open(np.full((4, 4), deep, np.uint16))
    assert (op.open(photo.encode("bmp")).pixels == shown).all()
