"""LFW's protocol on a small set: its figures are those that one counts."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from skimage import data as skimage_data

import opsin
from opsin.cli import main
from opsin.errors import DataError, ModelError, WrongCallError
from opsin.evaluate.faces.group import bcubed, measured, pairwise
from opsin.evaluate.faces.identify import least_similarity, prototypes
from opsin.evaluate.faces.look import Seen, middle_face
from opsin.evaluate.faces.measure import evaluate
from opsin.evaluate.faces.pairs import parse_pairs, thresholds

SAMPLES = Path(__file__).parents[2] / "samples"
TEXT = "2\t1\nEileen\t1\t2\nEileen\t1\tDavid\t1\nDavid\t1\t2\nDavid\t2\tEileen\t2\n"


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """Two pictures of each of two people, two pairs of each kind in two folds."""
    folder = tmp_path_factory.mktemp("people")
    her = skimage_data.astronaut()
    him = opsin.open(SAMPLES / "admiral.jpg").pixels
    pictures = {"Eileen_0001": her, "Eileen_0002": her[:, ::-1] // 2, "David_0001": him}
    pictures |= {"David_0002": him[:, ::-1]}
    for name, pixels in pictures.items():
        place = folder / name.split("_")[0] / f"{name}.png"
        place.parent.mkdir(exist_ok=True)
        opsin.open(np.ascontiguousarray(pixels)).save(place)
    (folder / "David" / "David_0003.png").write_bytes(b"is in no pair, and never read")
    (folder / "pairs.txt").write_text(TEXT)
    (folder / "Guest").mkdir()
    photographer = opsin.open(SAMPLES / "photographer.jpg")
    photographer.save(folder / "Guest" / "Guest_0001.png")
    train, test = (
        [f"{name}/{name}_000{number}.png" for name in ("Eileen", "David")] for number in (1, 2)
    )
    (folder / "splits.json").write_text(json.dumps({"train": train, "test": test}))
    return folder


def test_two_people_are_told_apart(people: Path) -> None:
    read = []
    report = evaluate(people, on_picture=read.append)
    figures = {name: one.value for name, one in report["face-reid"].figures.items()}
    assert len(read) == 4
    assert (figures["right"], figures["auc"], figures["eer"], figures["error"]) == (1, 1, 0, 0)
    assert (figures["tar"], figures["missed"]) == (1, 0)
    assert figures["milliseconds"] > 0
    assert -0.5 < figures["at 0.01"] <= figures["at 0.0001"] < 0.5
    same = [one["similarity"] for one in report["face-reid"].scores if one["same"]]
    assert min(same) > 0.6
    assert report.pictures[1] == "Eileen/Eileen_0001 David/David_0001"
    models = [one["name"] for one in report.document()["models"]]
    assert models == ["yunet", "face-reid"]
    assert report.document()["pairs"] == 4


def test_a_tar_is_the_same_set_in_several_ways(people: Path, tmp_path: Path, capsys) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(people, arcname=".")
    words = ["evaluate", "faces", str(tmp_path / "set.tar"), "--seen", "gray,worn", "--json"]
    assert main([*words, "--each"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["system"] for one in told["systems"]] == ["face-reid, gray", "face-reid, worn"]
    assert all(one["figures"]["right"]["value"] == 1 for one in told["systems"])
    assert told["systems"][0]["scores"][0].keys() == {"right", "similarity", "same", "fold"}
    assert main(words[:3]) == 0
    assert "4 pairs; dim: 95%" in capsys.readouterr().out


def test_a_face_that_is_not_found_is_nobody_s(people: Path, tmp_path: Path) -> None:
    for name in ("Eileen", "David"):
        for number in (1, 2):
            source = people / name / f"{name}_000{number}.png"
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / source.name).write_bytes(source.read_bytes())
    opsin.open(np.full((40, 40), 9, np.uint8)).save(tmp_path / "David" / "David_0002.png")
    (tmp_path / "pairs.txt").write_text(TEXT)
    report = evaluate(tmp_path)
    assert report["face-reid"].figures["missed"].value == 1
    assert [one["similarity"] == 0 for one in report["face-reid"].scores] == [
        False,
        False,
        True,
        True,
    ]


def test_the_face_in_the_middle_is_the_one() -> None:
    small = np.repeat(opsin.open(SAMPLES / "astronaut.jpg").pixels, 3, axis=2)[:300, 80:380]
    group = np.concatenate([small // 2, small, small // 2], axis=1)
    face = middle_face(group)
    assert face is not None
    assert 300 < face.box[0] < face.box[2] < 600
    assert middle_face(np.zeros((9, 9, 3), np.uint8)) is None


def test_thresholds_let_no_more_strangers_pass() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    people = [str(number // 3) for number in range(60)]
    alike = vectors @ vectors.T
    strangers = alike[np.array(people)[:, None] != np.array(people)]
    for rate, least in zip((0.1, 0.01), thresholds(vectors, people, (0.1, 0.01)), strict=True):
        assert (strangers >= least).mean() <= rate
        assert (strangers >= least - 2e-4).mean() >= rate - 1e-3
    assert np.isnan(thresholds(vectors[:3], people[:3], (0.1,))).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line of pairs.txt must be two numbers"),
        ("ten\t300\n", "the first line"),
        ("0\t1\n", "the first line"),
        ("1\t1\nA\t1\t2\n", "has 1 pairs, its first line promises 2"),
        ("1\t1\nA\t1\t2\nA\t1\t2\n", "line 3 of pairs.txt is no pair of its kind"),
        ("1\t1\nA\t1\tB\t2\nA\t1\tB\t2\n", "line 2 of pairs.txt is no pair of its kind"),
        ("1\t1\nA\t1\tx\nA\t1\tB\t2\n", "line 2 of pairs.txt"),
    ],
)
def test_a_wrong_list_of_pairs_is_told(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_pairs(text, "set")


def test_what_is_no_such_set_is_told(people: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no pairs\.txt in it|cannot be read"):
        evaluate(SAMPLES)
    (tmp_path / "pairs.txt").write_text(TEXT)
    with pytest.raises(DataError, match=r"no pictures in it"):
        evaluate(tmp_path)
    (tmp_path / "Eileen").mkdir()
    opsin.open(SAMPLES / "cat.jpg").save(tmp_path / "Eileen" / "Eileen_0001.jpg")
    with pytest.raises(DataError, match="3 pictures are not in it"):
        evaluate(tmp_path)
    with pytest.raises(WrongCallError, match="one set"):
        evaluate([people, people])
    with pytest.raises(WrongCallError, match="'sepia' is none of"):
        evaluate(people, seen=["sepia"])
    with pytest.raises(WrongCallError, match="'guess' is none of pairs, identify"):
        evaluate(people, protocol="guess")
    with pytest.raises(DataError, match="two folds or more"):
        evaluate(people, limit=1)
    with pytest.raises(ModelError, match="recognizes no faces"):
        evaluate(people, model="yunet")


def test_people_get_their_names_and_a_stranger_gets_none(people: Path, tmp_path: Path) -> None:
    report = evaluate(people, protocol="identify", seen=["color", "gray"])
    assert report.pictures == ("Eileen/Eileen_0002", "David/David_0002")
    for row in report.rows:
        figures = {name: one.value for name, one in row.figures.items()}
        assert (figures["right"], figures["balanced"], figures["open"]) == (1, 1, 1)
        assert figures["least"] < 0.4  # the photographer's, who is nobody of them
        assert figures["missed"] == 0
    assert report.document()["protocol"] == "identify"
    assert len(evaluate(people, protocol="identify", limit=1).pictures) == 1


def test_faces_are_put_together_by_person(people: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("opsin.evaluate.faces.group.LEAST_PICTURES", 2)
    failures: list[str] = []
    report = evaluate(people, protocol="group", seen=["color", "gray"], on_skip=failures.append)
    assert [one for one in failures if "David_0003" in one] == failures != []
    assert len(report.pictures) == 4  # one of the photographer alone is left out
    for row in report.rows:
        figures = {name: one.value for name, one in row.figures.items()}
        assert (figures["bcubed"], figures["pairwise"], figures["groups"]) == (1, 1, 2)
    assert main(["evaluate", "faces", str(people), "--protocol", "group"]) == 1
    assert "2 people" in capsys.readouterr().out
    with pytest.raises(DataError, match="two people or more must have 2 pictures"):
        evaluate(people, protocol="group", limit=1)


def test_groups_are_counted_as_their_definitions_say() -> None:
    """The example of Amigo et al. 2009 has no numbers; these were counted by hand."""
    people, groups = "aaaabb", [0, 0, 0, 1, 1, 2]
    scores = bcubed(people, groups)
    assert [one["precision"] for one in scores] == [1, 1, 1, 0.5, 0.5, 1]
    assert [one["recall"] for one in scores] == [0.75, 0.75, 0.75, 0.25, 0.5, 0.5]
    assert pairwise(people, groups) == pytest.approx(2 * 3 / (4 + 7))
    assert np.isnan(pairwise("ab", [0, 1]))


def test_a_picture_without_a_face_is_alone() -> None:
    face = np.array([0.6, 0.8], np.float32)
    rows = {f"{who}/{n}": Seen(face, 1.0) for who in "ab" for n in (1, 2)}
    rows["b/2"] = Seen(None, 1.0)
    [row] = measured({"tiny, gray": rows}, {"tiny": 0.5}).rows
    assert [one["precision"] for one in row.scores] == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1])
    assert (row.figures["groups"].value, row.figures["missed"].value) == (2, 1)


def test_people_are_the_mean_of_their_pictures() -> None:
    seen = [("a", np.array([1.0, 0])), ("b", np.array([0.6, 0.8])), ("a", np.array([0, 1.0]))]
    people, known = prototypes([*seen, ("c", None)])
    assert people == ["a", "b"]
    assert np.allclose(known, [[0.5**0.5, 0.5**0.5], [0.6, 0.8]])
    with pytest.raises(DataError, match="on none of the pictures of `train`"):
        prototypes([("a", None)])


def test_no_more_strangers_than_the_rate_get_a_name() -> None:
    strangers = np.random.default_rng(0).normal(size=250)
    for rate in (0.01, 0.1):
        least = least_similarity(list(strangers), rate)
        assert rate - 0.01 < (strangers >= least).mean() <= rate
    assert np.isnan(least_similarity([], 0.01))


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": ["Eileen/Eileen_0001.png"]}, "pictures of `train` and of `test`"),
        ({"identify": {"splits": {"train": [], "test": ["x"]}}}, "pictures of `train`"),
        ([], "pictures of `train`"),
        (
            {"train": ["Eileen/Eileen_0001.png"], "test": ["David/David_0001.png"]},
            "David/David_0001 is of `test`, and nobody of `train`",
        ),
    ],
)
def test_wrong_splits_are_told(people: Path, tmp_path: Path, splits, message: str) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(people / "Eileen", arcname="Eileen")
        (tmp_path / "splits.json").write_text(json.dumps(splits))
        tar.add(tmp_path / "splits.json", arcname="splits.json")
    with pytest.raises(DataError, match=message):
        evaluate(tmp_path / "set.tar", protocol="identify")
