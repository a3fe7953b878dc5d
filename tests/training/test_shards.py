"""Listing training pictures: what is found, what is left out, and that a listing is remembered."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opsin.errors import DataError
from opsin.training import shards
from opsin.training.shards import difference_hash, list_pictures, look, read


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
    bits = look(shards.Picture(str(held), 0, held.stat().st_size, "held"))[2]
    monkeypatch.setattr(shards, "held_out_hashes", lambda: np.array([bits], np.uint64))
    listing = list_pictures([tar])
    assert [picture.name for picture in listing.pictures] == ["c.jpg"]
    assert listing.left_out["held out"] == 1


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


def test_difference_hash_of_a_ramp_is_all_ones() -> None:
    assert difference_hash(np.tile(np.arange(9.0), (8, 1))) == 2**64 - 1


@pytest.mark.parametrize("name", ["empty", "words.txt"])
def test_nothing_to_train_on_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.mkdir() if name == "empty" else path.write_text("x")
    with pytest.raises(DataError, match=r"no picture found|neither a folder"):
        list_pictures([path])


def test_all_gray_says_why(tmp_path: Path, coffee: np.ndarray) -> None:
    gray = np.repeat(coffee[..., :1], 3, axis=2)
    tar = write_tar(tmp_path / "s.tar", {"g.jpg": jpeg(gray)})
    with pytest.raises(DataError, match=r"none of the 1 pictures .* 1 gray"):
        list_pictures([tar], least_chroma=5)
