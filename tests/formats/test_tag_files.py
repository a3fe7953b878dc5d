"""Names beside photographs and in copies: photographs stay, and so does what others wrote."""

import io
import os

import numpy as np
import pytest
from PIL import Image
from xmp_packets import mwg, packet, region

import opsin
from opsin.errors import DataError, PhotoError, SaveError
from opsin.formats import splice
from opsin.formats.sidecars import sidecar_of
from opsin.formats.tag_files import Tags, write_copy, write_sidecar
from opsin.formats.tag_writer import PEOPLE, THINGS
from opsin.people.metadata import names_in

ANN, BEN = ("Ann Lee", (80, 80, 120, 120)), ("Ben", (300, 20, 340, 70))
BOTH, NOBODY = Tags(PEOPLE, [ANN, BEN], 400, 200), Tags(PEOPLE)
DOG = Tags(THINGS, [("Dog", (200, 80, 260, 150))], 400, 200)
OF_DIGIKAM = packet(
    mwg(region("Cem", x=0.5)), "<dc:subject><rdf:Bag><rdf:li>beach</rdf:li></rdf:Bag></dc:subject>"
)


@pytest.fixture(scope="module")
def picture(coffee):
    """A photograph of 400 x 200 pixels as JPEG."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(coffee[:200, :400])).save(file, "jpeg")
    return file.getvalue()


@pytest.fixture
def photo(tmp_path, picture):
    path = tmp_path / "scans" / "photo.jpg"
    path.parent.mkdir()
    path.write_bytes(picture)
    return path


def names(path, **options):
    return [face.name for face in names_in(path, **options).faces]


def files(photo):
    return {path.name: path.read_bytes() for path in photo.parent.iterdir()}


def test_a_sidecar_is_written_and_taken_away_again(photo):
    before = files(photo)
    done = write_sidecar(photo, BOTH)
    assert (done.status, done.file.name, done.names) == (
        "written",
        "photo.jpg.xmp",
        ("Ann Lee", "Ben"),
    )
    assert names(photo) == []
    told = names_in(photo, own=True)
    assert [face.name for face in told.faces] == ["Ann Lee", "Ben"]
    assert told.faces[0].box == pytest.approx(ANN[1], abs=0.01)
    assert told.files == ("photo.jpg.xmp", "photo.jpg.xmp")
    again = files(photo)
    assert write_sidecar(photo, BOTH).status == "unchanged"
    assert files(photo) == again
    assert write_sidecar(photo, NOBODY).status == "removed"
    assert files(photo) == before
    assert write_sidecar(photo, NOBODY).status == "nothing"


def test_a_sidecar_of_others_is_added_to_and_kept(photo):
    side = photo.with_name("photo.jpg.xmp")
    side.write_bytes(OF_DIGIKAM)
    done = write_sidecar(photo, BOTH)
    assert done.backup.read_bytes() == OF_DIGIKAM
    assert done.backup.name == "photo.jpg.xmp.bak"
    assert b"beach" in side.read_bytes()
    assert names(photo) == ["Cem"]
    assert names(photo, own=True) == ["Cem", "Ann Lee", "Ben"]
    assert (
        write_sidecar(photo, Tags(PEOPLE, [ANN], 400, 200)).backup is None
    )  # it is ours, too, by now
    write_sidecar(photo, NOBODY)
    assert b"beach" in side.read_bytes()
    assert b"Ann" not in side.read_bytes()


def test_no_backup_is_overwritten(photo):
    photo.with_name("photo.jpg.xmp").write_bytes(OF_DIGIKAM)
    photo.with_name("photo.jpg.xmp.bak").write_bytes(b"an older one")
    assert write_sidecar(photo, BOTH).backup.name == "photo.jpg.xmp.bak2"
    assert photo.with_name("photo.jpg.xmp.bak").read_bytes() == b"an older one"


def test_a_dry_run_writes_nothing(photo, tmp_path):
    photo.with_name("photo.jpg.xmp").write_bytes(OF_DIGIKAM)
    before = files(photo)
    assert write_sidecar(photo, BOTH, dry_run=True).status == "written"
    assert write_copy(photo, BOTH, tmp_path / "out" / "photo.jpg", dry_run=True).file
    assert files(photo) == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("broken", [b"not XML", b"", b"<a/>", b"<!DOCTYPE a><a/>"])
def test_a_sidecar_that_is_no_xmp_stays(photo, broken):
    photo.with_name("photo.jpg.xmp").write_bytes(broken)
    before = files(photo)
    with pytest.raises(DataError, match=r"photo\.jpg\.xmp: this is no XMP .*; left as it is"):
        write_sidecar(photo, BOTH)
    assert files(photo) == before
    assert "photo.jpg.xmp: its XMP is broken" in names_in(photo).notes[0]


def test_a_sidecar_that_may_only_be_read_stays(photo):
    side = photo.with_name("photo.jpg.xmp")
    side.write_bytes(OF_DIGIKAM)
    side.chmod(0o444)
    with pytest.raises(SaveError, match="may only be read, left as it is"):
        write_sidecar(photo, BOTH)
    assert files(photo).keys() == {"photo.jpg", "photo.jpg.xmp"}
    assert side.read_bytes() == OF_DIGIKAM


def test_a_sidecar_that_is_a_folder_is_told(photo):
    photo.with_name("photo.jpg.xmp").mkdir()
    with pytest.raises(DataError, match=r"photo\.jpg\.xmp: "):
        write_sidecar(photo, BOTH)
    assert names_in(photo).notes


def test_lightrooms_sidecar_is_the_photographs_where_no_raw_file_is(photo):
    side = photo.with_name("photo.xmp")
    side.write_bytes(OF_DIGIKAM)
    assert sidecar_of(photo) == side
    photo.with_name("photo.cr2").write_bytes(b"raw")
    assert sidecar_of(photo).name == "photo.jpg.xmp"
    photo.with_name("photo.cr2").unlink()
    photo.with_name("photo.jpg.xmp").write_bytes(OF_DIGIKAM)
    assert sidecar_of(photo).name == "photo.jpg.xmp"


def test_a_sidecar_comes_before_what_is_in_the_photograph(photo):
    photo.write_bytes(splice.with_packet(photo.read_bytes(), packet(mwg(region("Anna"))), "jpeg"))
    assert names(photo) == ["Anna"]
    photo.with_name("photo.jpg.xmp").write_bytes(packet(mwg(region("Ann Lee"))))
    told = names_in(photo)
    assert [face.name for face in told.faces] == ["Ann Lee"]
    assert told.files == ("photo.jpg.xmp",)


def test_a_new_sidecar_says_what_the_photograph_says(photo):
    photo.write_bytes(splice.with_packet(photo.read_bytes(), OF_DIGIKAM, "jpeg"))
    write_sidecar(photo, BOTH)
    assert b"beach" in photo.with_name("photo.jpg.xmp").read_bytes()
    assert names(photo) == ["Cem"]
    assert names(photo, own=True) == ["Cem", "Ann Lee", "Ben"]


def test_broken_xmp_in_a_photograph_is_passed_over(photo):
    photo.write_bytes(splice.with_packet(photo.read_bytes(), b"<a>", "jpeg"))
    assert "inside the photograph is broken" in write_sidecar(photo, BOTH).notes[0]
    assert names(photo, own=True) == ["Ann Lee", "Ben"]
    assert "photo.jpg: its XMP is broken" in names_in(photo).notes[0]


def test_a_copy_has_the_names_and_the_same_picture(photo, tmp_path, picture):
    os.utime(photo, (1_000_000_000, 1_000_000_000))
    target = tmp_path / "out" / "a" / "photo.jpg"
    done = write_copy(photo, BOTH, target)
    assert (done.status, done.file) == ("written", target)
    assert files(photo) == {"photo.jpg": picture}
    assert names(target, own=True) == ["Ann Lee", "Ben"]
    assert target.stat().st_mtime == 1_000_000_000
    copy = target.read_bytes()
    assert np.array_equal(opsin.open(copy).pixels, opsin.open(picture).pixels)
    assert splice.with_packet(copy, None, "jpeg") == picture
    assert write_copy(photo, BOTH, target).status == "unchanged"
    assert write_copy(photo, Tags(PEOPLE, [ANN], 400, 200), target).status == "written"
    assert names(target, own=True) == ["Ann Lee"]
    assert write_copy(photo, NOBODY, target).status == "removed"
    assert target.read_bytes() == picture


def test_names_are_taken_out_of_a_copy_of_a_copy(photo, tmp_path, picture):
    copy, plain = tmp_path / "copy.jpg", tmp_path / "plain.jpg"
    write_copy(photo, BOTH, copy)
    assert write_copy(copy, NOBODY, plain).status == "removed"
    assert plain.read_bytes() == picture


def test_a_sidecar_has_people_and_things(photo):
    before = files(photo)
    assert write_sidecar(photo, BOTH).status == "written"
    with_people = files(photo)
    assert write_sidecar(photo, DOG).backup is None  # it is ours
    assert names(photo, own=True) == ["Ann Lee", "Ben"]
    assert write_sidecar(photo, DOG).status == "unchanged"
    assert write_sidecar(photo, BOTH).status == "unchanged"
    assert write_sidecar(photo, Tags(THINGS)).status == "removed"
    assert files(photo) == with_people
    assert write_sidecar(photo, Tags(THINGS)).status == "nothing"
    write_sidecar(photo, DOG)
    assert write_sidecar(photo, NOBODY).status == "removed"
    assert b"Objects|Dog" in photo.with_name("photo.jpg.xmp").read_bytes()
    assert names(photo, own=True) == []
    write_sidecar(photo, Tags(THINGS))
    assert files(photo) == before


def test_a_copy_has_people_and_things(photo, tmp_path, picture):
    target = tmp_path / "out" / "photo.jpg"
    write_copy(photo, BOTH, target)
    assert write_copy(photo, DOG, target).status == "written"
    both = target.read_bytes()
    assert names(target, own=True) == ["Ann Lee", "Ben"]
    assert b"Objects|Dog" in both
    assert write_copy(photo, BOTH, target).status == "unchanged"
    assert write_copy(photo, DOG, target).status == "unchanged"
    assert write_copy(photo, NOBODY, target).status == "removed"
    assert names(target, own=True) == []
    assert b"Objects|Dog" in target.read_bytes()
    assert write_copy(photo, Tags(THINGS), target).status == "removed"
    assert target.read_bytes() == picture


def test_a_file_that_is_there_is_not_overwritten(photo, tmp_path):
    for other in (
        b"a diary",
        photo.read_bytes(),
        splice.with_packet(photo.read_bytes(), OF_DIGIKAM, "jpeg"),
    ):
        target = tmp_path / "photo.jpg"
        target.write_bytes(other)
        with pytest.raises(SaveError, match="already there, and not written by"):
            write_copy(photo, BOTH, target)
        assert target.read_bytes() == other


def test_a_photograph_is_never_its_own_copy(photo, tmp_path):
    link = tmp_path / "link.jpg"
    link.symlink_to(photo)
    for target in (photo, link):
        with pytest.raises(SaveError, match="the photograph itself"):
            write_copy(photo, BOTH, target)


def test_other_formats_get_no_copy(photo, tmp_path, coffee):
    gif = tmp_path / "a.gif"
    Image.fromarray(coffee[:200, :400]).save(gif)
    with pytest.raises(SaveError, match="into GIF without encoding the picture again"):
        write_copy(gif, BOTH, tmp_path / "out.gif")
    assert write_copy(gif, NOBODY, tmp_path / "out.gif").status == "nothing"
    assert write_sidecar(gif, BOTH).status == "written"


def test_more_xmp_than_a_jpeg_holds_is_told(photo, tmp_path):
    large = packet("<dc:title>" + 64_500 * "x" + "</dc:title>")
    photo.write_bytes(splice.with_packet(photo.read_bytes(), large, "jpeg"))
    with pytest.raises(SaveError, match=r"a JPEG has room for 65,502\. Write a sidecar"):
        write_copy(photo, BOTH, tmp_path / "out.jpg")
    assert not (tmp_path / "out.jpg").exists()
    assert write_sidecar(photo, BOTH).status == "written"


def test_names_follow_a_photograph_that_was_made_smaller(photo):
    named = Tags(PEOPLE, [("Ann", (160, 160, 240, 240))], 800, 400)
    write_sidecar(photo, named)
    [ann] = names_in(photo, own=True).faces
    assert ann.box == pytest.approx((80, 80, 120, 120), abs=0.01)


def test_names_of_another_picture_are_refused(photo):
    with pytest.raises(DataError, match="its people were named on 200 x 400"):
        write_sidecar(photo, Tags(PEOPLE, [ANN], 200, 400))
    assert files(photo).keys() == {"photo.jpg"}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_come_back_whatever_the_orientation(tmp_path, coffee, orientation):
    exif, path = Image.Exif(), tmp_path / "photo.jpg"
    exif[0x0112] = orientation
    Image.fromarray(coffee[:200, :300]).save(path, exif=exif)
    upright = opsin.open(path)
    box = (10, 20, 60, 90)
    write_sidecar(path, Tags(PEOPLE, [("Ann", box)], upright.width, upright.height))
    [ann] = names_in(path, own=True).faces
    assert ann.box == pytest.approx(box, abs=0.01)


def test_what_is_no_photograph_is_told(tmp_path):
    path = tmp_path / "photo.jpg"
    for content in (b"", b"hello"):
        path.write_bytes(content)
        with pytest.raises(PhotoError, match="photo"):
            write_sidecar(path, BOTH)
        with pytest.raises(PhotoError, match="photo"):
            names_in(path)
    with pytest.raises(PhotoError, match="cannot be read"):
        names_in(tmp_path / "none.jpg")
