"""`opsin background` on videos: people stay, what is behind them goes, and edges are steady."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from films import pictures_of, write_film
from skimage import data

from opsin.cli import main
from opsin.drawing.pixels import resized
from opsin.objects.films import Films

PERSON = resized(data.astronaut(), 240, 240)


def party(count: int, noise: float = 0.0) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    page = np.full((240, 320, 3), (40, 90, 160), np.uint8)
    page[:, 40:280] = PERSON
    grain = (rng.normal(0, noise, (*page.shape[:2], 1)) for _ in range(count))
    return [np.clip(page + one, 0, 255).astype(np.uint8) for one in grain]


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return write_film(tmp_path_factory.mktemp("films") / "party 1.mp4", party(4), sound=True)


def test_people_stay_and_what_is_behind_them_goes(film: Path, tmp_path: Path, capsys) -> None:
    assert main(["background", str(film), "--replace", "#20c040", "-o", str(tmp_path)]) == 0
    assert "4 pictures in" in capsys.readouterr().err
    made = pictures_of(tmp_path / "party 1-new-background.mp4")
    assert len(made) == 4
    face = np.s_[40:70, 140:170]
    for picture in made:
        assert np.abs(picture[:20, :20].astype(int) - (0x20, 0xC0, 0x40)).max() < 30
        assert np.abs(picture[face].astype(int) - party(1)[0][face]).mean() < 12
    with av.open(str(tmp_path / "party 1-new-background.mp4")) as out:
        assert [stream.type for stream in out.streams] == ["video", "audio"]


def test_where_nothing_changes_edges_do_not_tremble(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", party(8, noise=6))
    steady = np.array([found.alpha for _, found in Films(path)])
    alone = []
    for _, found in (films := Films(path)):
        films._before = None
        alone.append(found.alpha)
    trembling = [np.abs(np.diff(one[2:], axis=0)).mean() for one in (steady, np.array(alone))]
    assert trembling[0] < 0.7 * trembling[1]


def test_what_has_changed_is_not_held_back(tmp_path: Path) -> None:
    empty = np.full((240, 320, 3), (40, 90, 160), np.uint8)
    path = write_film(tmp_path / "a.mp4", [*party(3), *[empty] * 2])
    last = [found.alpha for _, found in Films(path)][-1]
    assert last[60:200, 120:200].mean() < 0.1


def test_nobody_on_it_is_all_background(tmp_path: Path) -> None:
    write_film(tmp_path / "sea.mp4", [np.full((64, 96, 3), 90, np.uint8)] * 2)
    assert main(["background", str(tmp_path / "sea.mp4"), "--replace", "white"]) == 0
    assert all(one.min() > 240 for one in pictures_of(tmp_path / "sea-new-background.mp4"))


def test_a_cat_stays_where_cats_are_named(tmp_path: Path) -> None:
    cat = np.full((200, 300, 3), 60, np.uint8)
    cat[10:190, 40:260] = resized(data.chelsea()[:, 60:360], 180, 220)
    write_film(tmp_path / "cat.mp4", [cat] * 2)
    words = ["--replace", "#20c040", "--classes", "cat"]
    assert main(["background", str(tmp_path / "cat.mp4"), *words]) == 0
    for picture in pictures_of(tmp_path / "cat-new-background.mp4"):
        assert np.abs(picture[60:110, 110:190].astype(int) - cat[60:110, 110:190]).mean() < 12
        assert np.abs(picture[80:120, :20].astype(int) - (0x20, 0xC0, 0x40)).max() < 30


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--transparent"], "no transparency"),
        (["--blur", "9", "-o", "out.mp4"], "name a folder"),
        (["--blur", "9", "photo.jpg"], "one after the other"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(
    words: list[str], told: str, film: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["background", str(film), *words]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
