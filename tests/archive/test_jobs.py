import unicodedata
from pathlib import Path

import pytest

from opsin.archive.jobs import plan
from opsin.errors import WrongCallError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def pairs(*paths, **options):
    return {str(job.source): str(job.outputs["output"]) for job in plan(paths, **options)[0]}


def test_the_picture_goes_beside_the_photograph(folder):
    touch("a photo.JPG")
    assert pairs("a photo.JPG") == {"a photo.JPG": "a photo-color.JPG"}


def test_a_folder_is_searched_for_images_only_and_hidden_files_are_left(folder):
    touch("in/a.jpg", "in/b.txt", "in/.c.jpg", "in/.d/e.jpg", "in/sub/ü ß.tif", "in/README")
    assert pairs("in") == {
        "in/a.jpg": "in/a-color.jpg",
        "in/sub/ü ß.tif": "in/sub/ü ß-color.tif",
    }


def test_own_pictures_are_not_taken_again(folder):
    touch("a.jpg", "a-color.jpg", "a-compare.jpg", "a-confidence.png")
    own = {"a.jpg": "a-color.jpg"}
    assert pairs(".") == pairs("*") == own
    assert pairs("a.jpg", "a-color.jpg", "a-compare.jpg", "a-confidence.png") == own


def test_an_own_picture_that_is_named_without_its_photograph_is_taken(folder):
    touch("a.jpg", "a-color.jpg", "b.png", "b-color.png", "b-cutout.png")
    assert pairs("a-color.jpg") == {"a-color.jpg": "a-color-color.jpg"}
    assert list(pairs("./a-color.jpg", "b.png", "b-color.png")) == ["a-color.jpg", "b.png"]
    assert list(pairs("b-cutout.png", "a-color.jpg")) == ["b-cutout.png", "a-color.jpg"]


def test_a_photograph_that_only_sounds_like_an_own_picture_can_be_named(folder):
    touch("red-color.jpg")
    assert pairs("red-color.jpg") == {"red-color.jpg": "red-color-color.jpg"}


def test_structure_is_kept_under_the_output_folder(folder):
    touch("in/a.jpg", "in/x/a.jpg")
    assert pairs("in", output="out") == {
        "in/a.jpg": "out/a-color.jpg",
        "in/x/a.jpg": "out/x/a-color.jpg",
    }


def test_the_output_folder_is_not_searched(folder):
    touch("in/a.jpg", "in/out/b.jpg")
    assert pairs("in", output="in/out") == {"in/a.jpg": "in/out/a-color.jpg"}


def test_globs_are_understood(folder):
    touch("in/a.jpg", "in/b.png", "in/x/c.jpg", "in/[1].jpg")
    assert list(pairs("in/*.jpg")) == ["in/[1].jpg", "in/a.jpg"]
    assert pairs("in/**/*.jpg", output="out")["in/x/c.jpg"] == "out/x/c-color.jpg"
    assert list(pairs("in/[1].jpg")) == ["in/[1].jpg"]


def test_folders_that_a_glob_means_keep_their_names_under_the_output(folder):
    touch("in/x/a.jpg", "in/y/z/a.jpg")
    assert pairs("in/*", output="out") == {
        "in/x/a.jpg": "out/x/a-color.jpg",
        "in/y/z/a.jpg": "out/y/z/a-color.jpg",
    }


def test_a_photograph_named_twice_is_done_once(folder):
    touch("in/a.jpg")
    assert len(plan(["in", "in/a.jpg", "in/*.jpg", str(folder / "in")])[0]) == 1


def test_one_photograph_may_go_to_a_file(folder):
    touch("a.jpg", "b.jpg")
    assert pairs("a.jpg", output="new/x.png") == {"a.jpg": "new/x.png"}
    with pytest.raises(WrongCallError, match=r"-o x.png is one file, but there are 2 photographs"):
        plan(["a.jpg", "b.jpg"], output="x.png")


def test_a_format_that_cannot_be_written_becomes_png(folder):
    touch("a.gif", "b.bmp")
    assert pairs("a.gif", "b.bmp") == {"a.gif": "a-color.png", "b.bmp": "b-color.png"}


def test_the_format_can_be_chosen(folder):
    touch("a.png", "b.jpeg")
    assert pairs("a.png", format="tif") == {"a.png": "a-color.tif"}
    assert pairs("b.jpeg", format="JPG") == {"b.jpeg": "b-color.jpeg"}
    with pytest.raises(WrongCallError, match=r"cannot write 'gif'\. Formats: jpeg, png"):
        plan(["a.png"], format="gif")
    with pytest.raises(WrongCallError, match=r"--format png does not fit the name x\.jpg"):
        plan(["a.png"], output="x.jpg", format="png")


@pytest.mark.parametrize(
    ("names", "options", "second"),
    [
        (["A.jpg", "a.jpg"], {}, "a-2-color.jpg"),
        (["A.tif", "a.tif"], {"format": "jpg"}, "a-tif-2-color.jpg"),
        (["x/a.jpg", "y/a.jpg"], {"output": "out"}, "out/a-2-color.jpg"),
        (["a\u0308.jpg", "\u00e4.jpg"], {}, "\u00e4-2-color.jpg"),
        (["scan.JPG", "scan.jpg"], {}, "scan-2-color.jpg"),
    ],
)
def test_two_photographs_never_write_one_picture(folder, names, options, second):
    touch(*names)
    found = pairs(*names, **options)
    assert len(found) == 2
    assert len({unicodedata.normalize("NFC", name).casefold() for name in found.values()}) == 2
    assert second in found.values() or "tif" in second


def test_suffixes_tell_photographs_of_one_name_apart(folder):
    touch("a.png", "a.bmp", "a.GIF", "b.bmp")
    colored = {
        "a.GIF": "a-GIF-color.png",
        "a.bmp": "a-bmp-color.png",
        "a.png": "a-color.png",
        "b.bmp": "b-color.png",
    }
    assert pairs(".") == colored
    touch(*colored.values())
    assert pairs(".") == pairs("*") == colored
    assert pairs("a.png", "a.bmp", format="jpg") == {
        "a.png": "a-png-color.jpg",
        "a.bmp": "a-bmp-color.jpg",
    }


def test_suffixes_tell_extras_apart(folder):
    touch("a.jpg", "a.tif")
    outputs = [
        [path.name for path in job.outputs.values()]
        for job in plan(["."], extras={"compare": ".jpg"})[0]
    ]
    assert outputs == [["a-color.jpg", "a-compare.jpg"], ["a-color.tif", "a-tif-compare.jpg"]]


def test_own_pictures_are_known_whatever_the_case_of_the_suffix(folder):
    touch("A.JPG", "A-color.JPG")
    assert pairs("A.JPG", "A-color.JPG") == {"A.JPG": "A-color.JPG"}


def test_a_misspelled_suffix_makes_no_folder(folder):
    touch("a.jpg")
    with pytest.raises(WrongCallError, match=r"cannot write '\.jgp'.* end the name with /\."):
        plan(["a.jpg"], output="b.jgp")
    assert pairs("a.jpg", output="b.jgp/") == {"a.jpg": "b.jgp/a-color.jpg"}
    assert pairs(".", output="scans.v2") == {"a.jpg": "scans.v2/a-color.jpg"}


def test_a_photograph_is_never_overwritten(folder):
    touch("a.jpg")
    with pytest.raises(WrongCallError, match="it would be overwritten"):
        plan(["a.jpg"], output="A.jpg")


def test_nothing_found_is_a_clear_error(folder):
    (folder / "empty").mkdir()
    with pytest.raises(WrongCallError, match="no photograph in empty"):
        plan(["empty"])
    with pytest.raises(WrongCallError, match=r"nothing matches '\*\.jpg'"):
        plan(["*.jpg"])
    with pytest.raises(WrongCallError, match=r"x\.jpg: no such file or folder"):
        plan(["x.jpg"])


def test_extras_lie_beside_the_picture(folder):
    touch("in/a.tif")
    [job], _ = plan(["in"], output="out", extras={"compare": ".jpg", "confidence": ".png"})
    assert [str(path) for path in job.outputs.values()] == [
        "out/a-color.tif",
        "out/a-compare.jpg",
        "out/a-confidence.png",
    ]


def test_another_picture_is_called_as_the_file_that_was_named(folder):
    touch("in/a.tif")
    extras = {"color-2": "", "confidence": ".png"}
    [job], _ = plan(["in"], output="out/", extras=extras)
    assert [job.path(role).name for role in extras] == ["a-color-2.tif", "a-confidence.png"]
    [job], _ = plan(["in"], output="new.jpg", extras=extras)
    assert [job.path(role).name for role in extras] == ["new-2.jpg", "new-confidence.png"]
