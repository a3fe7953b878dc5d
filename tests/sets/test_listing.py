"""Listing training pictures: what is found, what is left out, and that a listing is remembered.

Also splits of a set, and what each picture shows.
"""

import io
import json
import tarfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from opsin.cli import main
from opsin.errors import DataError
from opsin.sets import listing as shards
from opsin.sets.listing import difference_hash, list_pictures, look
from opsin.sets.sources import Picture, read


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=92)
    return out.getvalue()


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_lists_tars_and_folders(tmp_path: Path, astronaut: np.ndarray, coffee: np.ndarray) -> None:
    folder = tmp_path / "my photos"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "ä b.jpg").write_bytes(jpeg(coffee))
    tar = write_tar(tmp_path / "set-000.tar", {"a.jpg": jpeg(astronaut), "notes.txt": b"no"})
    listing = list_pictures([folder, tar])
    assert [picture.name for picture in listing.pictures] == ["ä b.jpg", "a.jpg"]
    assert listing.group_names == ["my photos", "set"]
    assert listing.short_side.tolist() == [400, 512]
    assert read(listing.pictures[1]) == jpeg(astronaut)


def test_leaves_out_gray_and_broken_pictures(tmp_path: Path, coffee: np.ndarray) -> None:
    gray = np.repeat(coffee[..., :1], 3, axis=2)
    files = {"c.jpg": jpeg(coffee), "g.jpg": jpeg(gray), "b.jpg": jpeg(coffee)[:500]}
    tar = write_tar(tmp_path / "s.tar", files)
    listing = list_pictures([tar], least_chroma=5)
    assert [picture.name for picture in listing.pictures] == ["c.jpg"]
    assert listing.left_out == {"unreadable": 1, "too little color": 1, "held out": 0}


def test_never_lists_evaluation_pictures_or_near_duplicates(
    tmp_path: Path, astronaut: np.ndarray, coffee: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar = write_tar(tmp_path / "s.tar", {"a.jpg": jpeg(astronaut), "c.jpg": jpeg(coffee)})
    smaller = np.asarray(Image.fromarray(astronaut).resize((300, 300)))
    held = tmp_path / "held.jpg"
    held.write_bytes(jpeg(smaller))
    bits = look(Picture(str(held), 0, held.stat().st_size, "held")).hash
    monkeypatch.setattr(shards, "held_out_hashes", lambda: np.array([bits], np.uint64))
    listing = list_pictures([tar])
    assert [picture.name for picture in listing.pictures] == ["c.jpg"]
    assert listing.left_out["held out"] == 1


SAME = {  # the hash is that of the picture itself
    "compressed": lambda image: image.copy(),
    "smaller": lambda image: image.resize((image.width * 3 // 5, image.height * 3 // 5)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "mirrored": ImageOps.mirror,
}
NEAR = {  # some of its bits are others
    "starker": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "trimmed": lambda image: image.crop((12, 8, image.width, image.height)),
    "framed": lambda image: ImageOps.expand(image, 8, "white"),
    "askew": lambda image: image.rotate(1),
}


@pytest.mark.parametrize("name", [*SAME, *NEAR])
def test_near_duplicates_of_evaluation_pictures_are_never_listed(
    tmp_path: Path,
    coffee: np.ndarray,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = tmp_path / "held.png"
    plain = Image.fromarray(coffee)
    hashes = []
    for image in (plain, ImageOps.mirror(plain)):  # as the shipped ones
        image.save(held)
        hashes.append(look(Picture(str(held), 0, held.stat().st_size, "held")).hash)
    monkeypatch.setattr(shards, "held_out_hashes", lambda: np.array(hashes, np.uint64))
    changed = tmp_path / "set" / "a.jpg"
    changed.parent.mkdir()
    (SAME | NEAR)[name](plain).save(changed, quality=40)
    found = look(Picture(str(changed), 0, changed.stat().st_size, "a")).hash
    assert (found in hashes) == (name in SAME)
    with pytest.raises(DataError, match="1 held out for"):
        list_pictures([changed.parent])


def test_the_smallest_pictures_are_too_alike_to_be_compared(
    tmp_path: Path, coffee: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in (31, 32):
        Image.fromarray(coffee).resize((40, side)).save(tmp_path / f"{side}.png")
    held = tmp_path / "32.png"
    bits = look(Picture(str(held), 0, held.stat().st_size, "held")).hash
    monkeypatch.setattr(shards, "held_out_hashes", lambda: np.array([bits], np.uint64))
    assert [Path(one.name).name for one in list_pictures([tmp_path]).pictures] == ["31.png"]


def test_shipped_hashes_hold_each_picture_and_its_mirror_image() -> None:
    hashes = shards.held_out_hashes()
    assert len(hashes) == 2 * (24 + 200)
    assert len(np.unique(hashes)) > 440


def test_second_listing_does_not_look_again(
    tmp_path: Path, coffee: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar = write_tar(tmp_path / "s.tar", {"c.jpg": jpeg(coffee)})
    first = list_pictures([tar])
    monkeypatch.setattr(shards, "look", None)  # would fail if called
    assert list_pictures([tar]).chroma.tolist() == first.chroma.tolist()


def test_of_many_pictures_other_processes_see_what_this_one_would(
    tmp_path: Path, coffee: np.ndarray
) -> None:
    for number in range(40):
        part = coffee[5 * number : 5 * number + 40, 9 * number : 9 * number + 40]
        Image.fromarray(part).save(tmp_path / f"{number:02}.png")
    listing = list_pictures([tmp_path], workers=2)
    seen = [look(picture) for picture in listing.pictures]
    assert len({one.hash for one in seen}) == 40
    assert listing.hashes.tolist() == [one.hash for one in seen]
    assert listing.short_side.tolist() == [40] * 40


def test_another_picture_of_the_same_name_and_size_is_looked_at_anew(
    tmp_path: Path, astronaut: np.ndarray, coffee: np.ndarray
) -> None:
    file = tmp_path / "set" / "a.tif"  # not compressed: all of one shape are of one size
    file.parent.mkdir()
    hashes = []
    for photo in (astronaut, coffee):
        Image.fromarray(photo[100:260, 100:260]).save(file)
        hashes.append(list_pictures([file.parent]).hashes[0])
    assert hashes[0] != hashes[1]


def test_difference_hash_of_a_ramp_is_all_ones() -> None:
    assert difference_hash(np.tile(np.arange(9.0), (8, 1))) == 2**64 - 1


@pytest.mark.parametrize("name", ["empty", "words.txt"])
def test_nothing_to_train_on_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.mkdir() if name == "empty" else path.write_text("x")
    with pytest.raises(DataError, match=r"no picture found|1 unreadable \(words\.txt\)"):
        list_pictures([path])


def test_all_gray_says_why(tmp_path: Path, coffee: np.ndarray) -> None:
    gray = np.repeat(coffee[..., :1], 3, axis=2)
    tar = write_tar(tmp_path / "s.tar", {"g.jpg": jpeg(gray)})
    with pytest.raises(DataError, match=r"none of the 1 pictures .* 1 gray"):
        list_pictures([tar], least_chroma=5)


@pytest.fixture
def labelled(tmp_path: Path, astronaut: np.ndarray, coffee: np.ndarray) -> Path:
    """Two classes in a tar, one picture beside them, and a split of two pictures and one."""
    told = {
        "classes": ["space", "drink"],
        "splits": {"train": ["space/a.jpg", "drink/c \u00e4.jpg"], "val": ["./b.jpg"]},
    }
    decomposed = unicodedata.normalize("NFD", "drink/c \u00e4.jpg")
    files = {
        "space/a.jpg": jpeg(astronaut),
        "splits.json": json.dumps(told).encode(),
        decomposed: jpeg(coffee),
        "b.jpg": jpeg(coffee[::2, ::2]),
    }
    return write_tar(tmp_path / "labelled.tar", files)


def unpacked(tar: Path) -> Path:
    with tarfile.open(tar) as archive:
        archive.extractall(tar.with_suffix(""), filter="data")
    return tar.with_suffix("")


@pytest.mark.parametrize("form", ["tar", "folder"])
def test_a_split_is_listed_with_its_classes(labelled: Path, form: str) -> None:
    path = labelled if form == "tar" else unpacked(labelled)
    train = list_pictures([Path(f"{path}:train")])
    assert sorted(train.short_side) == [400, 512]
    assert train.class_names == ("space", "drink")
    shown = dict(zip(train.short_side.tolist(), train.labels.tolist(), strict=True))
    assert shown == {512: 0, 400: 1}
    val = list_pictures([Path(f"{path}:val")])
    assert (val.short_side.tolist(), val.labels.tolist()) == ([200], [-1])


def test_one_look_serves_all_splits(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list_pictures([labelled])
    monkeypatch.setattr(shards, "look", None)  # would fail if called
    parts = list_pictures([Path(f"{labelled}:val"), Path(f"{labelled}:train")])
    assert sorted(parts.hashes) == sorted(whole.hashes)
    assert parts.group_names == ["labelled"]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("test", r"no split 'test'\. Available: train, val, lost\."),
        ("lost", r"1 of the 2 .* x\.jpg"),
    ],
)
def test_a_split_that_cannot_be_is_an_error(
    tmp_path: Path, coffee: np.ndarray, split: str, message: str
) -> None:
    told = {"train": ["c.jpg"], "val": [], "lost": ["c.jpg", "x.jpg"]}
    files = {"c.jpg": jpeg(coffee), "splits.json": json.dumps(told).encode()}
    tar = write_tar(tmp_path / "s.tar", files)
    with pytest.raises(DataError, match=message):
        list_pictures([Path(f"{tar}:{split}")])


def test_an_empty_split_has_no_picture(tmp_path: Path, coffee: np.ndarray) -> None:
    files = {"c.jpg": jpeg(coffee), "splits.json": b'{"val": []}'}
    tar = write_tar(tmp_path / "s.tar", files)
    with pytest.raises(DataError, match=r"no picture found in .*s\.tar:val"):
        list_pictures([Path(f"{tar}:val")])


def test_folders_are_classes_when_asked(
    tmp_path: Path, astronaut: np.ndarray, coffee: np.ndarray
) -> None:
    for folder, rgb in (("tea", coffee), ("crew", astronaut)):
        (tmp_path / "set" / folder / "deep").mkdir(parents=True)
        (tmp_path / "set" / folder / "deep" / "1.jpg").write_bytes(jpeg(rgb))
    (tmp_path / "set" / "2.jpg").write_bytes(jpeg(coffee[::2, ::2]))
    plain = list_pictures([tmp_path / "set"])
    assert (plain.labels.tolist(), plain.class_names) == ([-1, -1, -1], ())
    listing = list_pictures([tmp_path / "set"], classes=True)
    assert listing.class_names == ("crew", "tea")
    shown = dict(zip(listing.short_side.tolist(), listing.labels.tolist(), strict=True))
    assert shown == {512: 0, 400: 1, 200: -1}


def test_classes_of_the_same_name_are_one(labelled: Path, tmp_path: Path) -> None:
    other = write_tar(
        tmp_path / "other.tar",
        {"drink/7.jpg": read(list_pictures([labelled]).pictures[1]), "splits.json": b'{"classes": '
         b'["food", "drink"]}'},
    )  # fmt: skip
    listing = list_pictures([labelled, other])
    assert listing.class_names == ("space", "drink", "food")
    assert listing.labels.tolist() == [0, 1, -1, 1]


def test_some_pictures_of_a_listing(labelled: Path) -> None:
    listing = list_pictures([labelled])
    some = listing.take(np.array([2, 0]))
    assert [picture.name for picture in some.pictures] == ["b.jpg", "space/a.jpg"]
    assert some.labels.tolist() == [-1, 0]
    assert some.hashes.tolist() == listing.hashes[[2, 0]].tolist()
    assert listing._replace(labels=np.empty(0, np.int32)).take(np.array([1])).labels.size == 0


@pytest.mark.parametrize("suffix", [".bmp", ".jfif", ".jp2", ".gif", ".avif"])
def test_every_kind_that_is_read_is_learned_from(tmp_path, suffix):
    from PIL import Image
    from skimage import data

    kind = {".bmp": "BMP", ".jp2": "JPEG2000", ".gif": "GIF", ".avif": "AVIF"}.get(suffix, "JPEG")
    (tmp_path / "set").mkdir()
    mirrored = data.immunohistochemistry()[:, ::-1]  # no picture of the evaluation
    Image.fromarray(mirrored).save(tmp_path / "set" / f"one{suffix}", kind)
    listing = list_pictures([tmp_path / "set"])
    assert (len(listing.pictures), listing.short_side.tolist()) == (1, [512])
    assert listing.chroma[0] > 5


@pytest.mark.parametrize("more", [0, 100])
def test_a_tar_that_is_cut_off_is_told(
    tmp_path: Path, coffee: np.ndarray, more: int, capsys
) -> None:
    tar = write_tar(tmp_path / "s.tar", {f"{n}.jpg": jpeg(coffee) for n in range(3)})
    assert list_pictures([tar]).unreadable == ()
    with tarfile.open(tar) as archive:
        last = archive.getmembers()[-1].offset
    tar.write_bytes(tar.read_bytes()[: last + more])
    assert list_pictures([tar]).unreadable == (str(tar),)
    assert main(["evaluate", "colorize", str(tar), "--limit", "1"]) == 1
    assert "s.tar: this tar is cut off or damaged after 2 pictures." in capsys.readouterr().err
