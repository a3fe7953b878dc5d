"""Videos through the front door: followed, drawn, cut off, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from films import write_film
from skimage import data

import opsin
from opsin.cli import main
from opsin.drawing.pixels import resized
from opsin.formats.video import Video

CAT = resized(data.chelsea(), 120, 180)
PERSON = resized(data.astronaut(), 200, 200)
PLAIN = (120, 130, 140)


def pictures(count: int, height: int = 240, width: int = 320) -> list[np.ndarray]:
    """A person who stays, and a cat that goes by from right to left."""
    made = []
    for step in range(count):
        page = np.full((height, width, 3), PLAIN, np.uint8)
        page[height - 200 :, :200] = PERSON
        left = width - 180 + 40 - step * 4
        page[10:130, max(0, left) : left + 180] = CAT[:, max(0, -left) :][:, : width - max(0, left)]
        made.append(page)
    return made


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return write_film(tmp_path_factory.mktemp("films") / "käfer 1.mp4", pictures(14), sound=True)


def test_things_keep_their_numbers(film: Path) -> None:
    frames = list(opsin.track(film))
    assert [frame.picture.number for frame in frames] == list(range(14))
    assert frames[7].picture.seconds == pytest.approx(0.7)
    names = {thing.number: thing.name for frame in frames for thing in frame.things}
    assert set(names.values()) >= {"person", "cat"}
    cats = [thing for frame in frames for thing in frame.things if thing.name == "cat"]
    assert len({thing.number for thing in cats}) == 1
    assert cats[0].box[0] - cats[-1].box[0] == pytest.approx(4 * 13, abs=20)


def test_what_is_told_is_told_to_people_and_to_programs(film: Path, capsys) -> None:
    assert main(["track", str(film), "--classes", "cat"]) == 0
    out, err = capsys.readouterr()
    title, line = out.splitlines()
    assert title.endswith("käfer 1.mp4: 1 thing")
    assert line.split()[:2] == ["cat", "1"]
    assert "14 pictures" in line
    assert "14 pictures in" in err
    assert main(["track", str(film), "--classes", "cat", "--json"]) == 0
    told = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert [one["picture"] for one in told] == list(range(14))
    assert told[3]["input"] == str(film)
    assert {thing["number"] for one in told for thing in one["objects"]} == {1}


def test_the_drawn_video_has_the_same_times_size_and_sound(film: Path, tmp_path: Path) -> None:
    assert main(["track", str(film), "--draw", str(tmp_path)]) == 0
    with av.open(str(tmp_path / "käfer 1-tracked.mp4")) as made:
        assert [stream.type for stream in made.streams] == ["video", "audio"]
        shown = list(made.decode(video=0))
        assert [frame.time for frame in shown] == pytest.approx([i / 10 for i in range(14)])
        pixels = shown[5].to_ndarray(format="rgb24").astype(int)
        assert pixels.shape == (240, 320, 3)
        yellow = (pixels[..., 0] > 150) & (pixels[..., 1] > 120) & (pixels[..., 2] < 120)
        assert yellow.sum() > 200
    with av.open(str(tmp_path / "käfer 1-tracked.mp4")) as made:
        assert sum(frame.samples for frame in made.decode(audio=0)) >= 8000


def test_what_is_drawn_already_is_passed_over(film: Path, tmp_path: Path, capsys) -> None:
    target = tmp_path / "käfer 1-tracked.mp4"
    target.write_bytes(b"precious")
    assert main(["track", str(film), "--draw", str(tmp_path)]) == 0
    assert target.read_bytes() == b"precious"
    assert "exists, skipped" in capsys.readouterr().err
    assert main(["track", str(film), "--draw", str(tmp_path), "--overwrite"]) == 0
    assert target.stat().st_size > 1000


def test_a_video_that_is_cut_off_is_followed_as_far_as_it_goes(tmp_path: Path, capsys) -> None:
    whole = write_film(tmp_path / "whole.mkv", pictures(60), rate=20)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.5)])
    with Video(cut, pixel_limit=10**6) as video:
        count = sum(1 for _ in video)
        assert 5 < count < 60
        assert any("ends after" in note or "damaged" in note for note in video.notes)
    out = tmp_path / "o"
    assert main(["track", str(cut), "--classes", "cat", "--draw", str(out)]) == 0
    assert "after" in capsys.readouterr().err
    with av.open(str(out / "cut-tracked.mp4")) as made:
        assert sum(1 for _ in made.decode(video=0)) == count


def test_films_of_telephones_are_upright(tmp_path: Path) -> None:
    [page] = pictures(1)
    path = write_film(tmp_path / "a.mp4", [page] * 2)
    turned = path.read_bytes()
    matrix = np.array([65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30], ">i4").tobytes()
    quarter = np.array([0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30], ">i4").tobytes()
    start = turned.index(b"tkhd")
    place = turned.index(matrix, start)
    path.write_bytes(turned[:place] + quarter + turned[place + len(matrix) :])
    with Video(path, pixel_limit=10**6) as video:
        first = next(iter(video))
    assert first.pixels.shape == (320, 240, 3)
    expected = np.rot90(page, -1)  # clockwise
    assert np.abs(first.pixels.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("size", [(239, 321), (31, 17)])
def test_odd_sizes_are_written(size: tuple[int, int], tmp_path: Path) -> None:
    height, width = size
    with av.open(str(tmp_path / "a.avi"), "w") as out:
        stream = out.add_stream("ffv1", rate=5)
        stream.height, stream.width, stream.pix_fmt = height, width, "bgr0"
        for _ in range(2):
            pixels = np.full((height, width, 3), PLAIN, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    assert main(["track", str(tmp_path / "a.avi"), "--draw", str(tmp_path / "o")]) == 0
    with av.open(str(tmp_path / "o" / "a-tracked.mp4")) as made:
        assert (made.streams.video[0].height, made.streams.video[0].width) == (
            height // 2 * 2,
            width // 2 * 2,
        )


def test_a_playlist_opens_no_other_file(film: Path, tmp_path: Path, capsys) -> None:
    lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:9", "#EXTINF:9,", str(film), "#EXT-X-ENDLIST")
    (tmp_path / "list.mp4").write_text("\n".join(lines))
    assert main(["track", str(tmp_path / "list.mp4")]) == 1
    assert "no video that can be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("a.mp4", b"", 1, "no video that can be read"),
        ("a.mp4", b"no video at all" * 99, 1, "no video that can be read"),
        (None, b"", 2, "no such file"),
        ("notes.txt", b"a folder without a video", 2, "no video in"),
        ("camera:77", None, 1, "no camera answers"),
    ],
)
def test_what_is_no_video_is_one_sentence(name, content, code, words, tmp_path, capsys) -> None:
    path = tmp_path / (name or "missing.mp4")
    if content is not None and name:
        path.write_bytes(content)
    given = name if content is None else str(tmp_path if name == "notes.txt" else path)
    assert main(["track", given]) == code
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_one_bad_video_of_a_folder_leaves_the_others(film: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "good.mp4").write_bytes(film.read_bytes())
    (tmp_path / "a.mp4").write_bytes(b"bad")
    (tmp_path / ".hidden.mp4").write_bytes(b"bad")
    assert main(["track", str(tmp_path), "--classes", "cat"]) == 1
    out, err = capsys.readouterr()
    assert "good.mp4: 1 thing" in out
    assert err.count("a.mp4") == 1
    assert "hidden" not in err


def test_two_of_one_name_and_the_videos_themselves_are_not_overwritten(
    film: Path, tmp_path: Path, capsys
) -> None:
    for name in ("a.mp4", "a.mov", "b-tracked.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(film.read_bytes())
    both = [str(tmp_path / "a.mp4"), str(tmp_path / "a.mov")]
    assert main(["track", *both, "--draw", str(tmp_path / "o")]) == 2
    assert "would both be" in capsys.readouterr().err
    itself = [str(tmp_path / "b.mp4"), str(tmp_path / "b-tracked.mp4")]
    assert main(["track", *itself, "--draw", str(tmp_path), "--overwrite"]) == 2
    assert "one of the videos" in capsys.readouterr().err


def test_pictures_larger_than_the_limit_are_refused(film: Path, capsys) -> None:
    assert main(["track", str(film), "--pixel-limit", "1000"]) == 1
    assert "320 x 240" in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_done(tmp_path: Path) -> None:
    path = write_film(tmp_path / "long.mp4", pictures(14) * 20)
    words = [sys.executable, "-m", "opsin", "track", str(path), "--json", "--draw", str(tmp_path)]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    for _ in range(3):
        running.stdout.readline()
    os.kill(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "stopped" in err
    with av.open(str(tmp_path / "long-tracked.mp4")) as made:
        count = sum(1 for _ in made.decode(video=0))
    assert count in (len(out.splitlines()) + 3, len(out.splitlines()) + 2)


@pytest.mark.parametrize("wrong", [{"threshold": 0.0}, {"patience": -1.0}])
def test_wrong_numbers_are_told(wrong, film: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        opsin.track(film, **wrong)
