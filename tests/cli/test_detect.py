"""`opsin detect` and `opsin evaluate detect`: what is told and written."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

import opsin
from opsin.cli import main
from opsin.evaluate.detect import scored
from opsin.objects.search import Found
from opsin.sets.coco import Annotation, Category


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "my scans"
    folder.mkdir()
    framed = np.pad(data.chelsea(), ((60, 60), (90, 90), (0, 0)), constant_values=200)
    opsin.open(framed).save(folder / "kätzchen.png")
    opsin.open(np.zeros((40, 60), np.uint8)).save(folder / "nothing.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return folder


def test_things_are_told_one_a_line(scans: Path, capsys) -> None:
    assert main(["detect", str(scans / "kätzchen.png"), "--classes", "cat"]) == 0
    title, cat = capsys.readouterr().out.splitlines()
    assert title.endswith("kätzchen.png: 1 thing")
    name, _, wide, by, high, score = cat.split()
    assert (name, by) == ("cat", "x")
    assert int(wide) > 250
    assert int(high) > 200
    assert 0.5 < float(score) <= 1


def test_accurate_is_another_answer_and_takes_no_model(scans: Path, tmp_path: Path, capsys) -> None:
    scores = []
    for more in ([], ["--accurate"]):
        assert main(["detect", str(scans / "kätzchen.png"), "--json", *more]) == 0
        first = json.loads(capsys.readouterr().out)["files"][0]["objects"][0]
        assert first["name"] == "cat"
        scores.append(first["score"])
    assert scores[0] != scores[1]
    for verb in ("detect", "tag"):
        assert main([verb, str(scans), "--accurate", "--model", "picodet-s"]) == 2
        assert "name no model beside it" in capsys.readouterr().err


def test_accurate_is_measured_beside_one_model(scans: Path, capsys) -> None:
    pytest.importorskip("faster_coco_eval")
    (scans / "broken.jpg").unlink()
    assert main(["detect", str(scans), "--coco", str(scans / "instances.json"), "--accurate"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "detect", str(scans), "--accurate", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["system"] for one in told["systems"]] == ["picodet-s", "--accurate"]
    figures = told["systems"][1]["figures"]
    assert [figures[name]["value"] for name in ("found", "right", "ap")] == [1, 1, 1]


def test_a_folder_for_programs_and_pictures(scans: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "o"
    words = ["detect", str(scans), "--draw", str(out), "--crop", str(out), "--json"]
    assert main(words) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["failed"]) == (2, 1)
    counts = {Path(one["input"]).name: one.get("objects") for one in told["files"]}
    assert (bool(counts["kätzchen.png"]), counts["nothing.png"]) == (True, [])
    names = {path.name for path in out.iterdir()}
    assert {"kätzchen-objects.jpg", "kätzchen-object-1.png", "nothing-objects.jpg"} <= names
    assert not any(name.startswith("nothing-object-") for name in names)


def test_a_table_as_coco_has_it_is_what_evaluate_reads(scans: Path, tmp_path: Path, capsys) -> None:
    table = scans / "found.json"
    assert main(["detect", str(scans), "--coco", str(table)]) == 1
    told = json.loads(table.read_text("utf-8"))
    assert [one["file_name"] for one in told["images"]] == ["kätzchen.png", "nothing.png"]
    assert told["images"][0] | {"file_name": ""} == {
        "id": 1,
        "file_name": "",
        "width": 631,
        "height": 420,
    }
    names = {one["id"]: one["name"] for one in told["categories"]}
    first = told["annotations"][0]
    assert names[first["category_id"]] == "cat"
    assert len(names) == 80
    x1, y1, x2, y2 = opsin.detect(scans / "kätzchen.png")[0].box
    assert min(x1, y1) > 30
    assert first["bbox"] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=0.2)
    assert first["area"] == pytest.approx((x2 - x1) * (y2 - y1), rel=0.01)
    capsys.readouterr()
    assert main(["detect", str(scans), "--coco", str(table)]) == 1  # one of them is broken
    assert "2 skipped, done already" in capsys.readouterr().err
    assert json.loads(table.read_text("utf-8")) == told

    (scans / "instances.json").write_text(json.dumps(told), "utf-8")
    (scans / "broken.jpg").unlink()
    assert main(["evaluate", "detect", str(scans), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["systems"][0]["figures"]
    assert [figures[name]["value"] for name in ("found", "right", "ap", "ap50")] == [1, 1, 1, 1]
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(scans, arcname=".")
    assert main(["evaluate", "detect", str(tmp_path / "set.tar"), "--seen", "gray", "--json"]) == 0
    assert main(["evaluate", "detect", str(scans / "instances.json")]) == 0
    assert "AP50" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: "no json", "not COCO's instances"),
        (lambda told: told | {"images": []}, "it has no images"),
        (lambda told: told | {"images": told["images"] * 2}, "two of its images have one id"),
        (
            lambda told: told | {"categories": []},
            "category_id of annotations that are no categories",
        ),
        (
            lambda told: told | {"images": told["images"][1:]},
            "image_id of annotations that are no images",
        ),
        (lambda told: {"images": 1}, "not COCO's instances"),
    ],
)
def test_a_wrong_table_is_told(scans: Path, change: Any, message: str, capsys) -> None:
    (scans / "broken.jpg").unlink()
    sizes = {"width": 451, "height": 300}
    told: Any = {
        "images": [
            {"id": 1, "file_name": "kätzchen.png", **sizes},
            {"id": 2, "file_name": "nothing.png", **sizes},
        ],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 17, "bbox": [5, 5, 9, 9]}],
        "categories": [{"id": 17, "name": "cat"}],
    }
    changed = change(told)
    text = changed if isinstance(changed, str) else json.dumps(changed)
    (scans / "instances.json").write_text(text, "utf-8")
    assert main(["evaluate", "detect", str(scans)]) == 1
    assert message in capsys.readouterr().err


def test_half_of_what_is_there_and_of_what_is_told(scans: Path, capsys) -> None:
    """One cat is found and one is not there; what the model has no label for is told."""
    (scans / "broken.jpg").unlink()
    sizes = {"width": 451, "height": 300}
    told = {
        "images": [
            {"id": 1, "file_name": "kätzchen.png", **sizes},
            {"id": 2, "file_name": "gone.png", **sizes},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 5, "bbox": [60, 10, 380, 280]},
            {"id": 2, "image_id": 1, "category_id": 5, "bbox": [0, 0, 20, 20]},
        ],
        "categories": [{"id": 5, "name": "Cat"}, {"id": 6, "name": "gnome"}],
    }
    (scans / "instances.json").write_text(json.dumps(told), "utf-8")
    assert main(["evaluate", "detect", str(scans), "--json"]) == 0
    out, err = capsys.readouterr()
    figures = json.loads(out)["systems"][0]["figures"]
    assert figures["found"]["value"] == 0.5
    assert 0.4 < figures["ap50"]["value"] < 0.6
    assert "no label for 1 classes, as gnome" in err or "gnome" in err
    assert "gone.png" in err


def test_a_thing_counts_once_and_a_crowd_not_at_all() -> None:
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60], [80, 0, 90, 10]])
    told = Found(boxes, np.float32([0.9, 0.8, 0.7, 0.1]), np.zeros(4, np.intp))
    things = [
        Annotation(1, 1, 5, (0, 0, 10, 10)),
        Annotation(2, 1, 5, (45, 45, 30, 30), iscrowd=1),
        Annotation(3, 1, 6, (80, 0, 10, 10)),
    ]
    found = scored(told, things, {Category(5, "cat"): 0, Category(6, "dog"): 1}, 0.5)
    assert found == {"hits": 1, "things": 2, "told": 2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.jpg"], "no such file or folder"),
        (["-", "--draw", "o"], "--draw: not for a pipe"),
        (["PATH", "--classes", "gnome"], "'gnome' is none of the labels"),
        (["PATH", "--classes", ","], "name one or more"),
        (["PATH", "--coco", "t.json", "--draw", "o"], "not with --draw. Call"),
        (["PATH", "--coco", ""], "give the name of a file"),
    ],
)
def test_calls_that_cannot_be_meant(scans: Path, words: list[str], message: str, capsys) -> None:
    assert main(["detect", *(word.replace("PATH", str(scans)) for word in words)]) == 2
    assert message in capsys.readouterr().err


def test_a_photograph_through_a_pipe(scans: Path, monkeypatch, capsys) -> None:
    picture = (scans / "kätzchen.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(picture)))
    assert main(["detect", "-", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)["files"]
    assert one["objects"][0]["name"] == "cat"


@pytest.mark.parametrize("verb", ["detect", "segment"])
def test_no_file_but_an_old_table_is_replaced_by_a_table(
    scans: Path, tmp_path: Path, capsys, verb: str
) -> None:
    photo = scans / "kätzchen.png"
    before = photo.read_bytes()
    notes, broken, link = (tmp_path / name for name in ("notes.json", "broken.json", "link.json"))
    notes.write_text('{"images": 3}')
    broken.write_bytes(before)
    link.symlink_to(photo)
    for name in (notes, broken, link):
        assert main([verb, str(photo), "--coco", str(name), "--overwrite"]) == 1
        assert "it exists and is no COCO instances.json" in capsys.readouterr().err
    assert main([verb, str(photo), "--coco", str(photo), "--overwrite"]) == 2
    assert "end the name with .json" in capsys.readouterr().err
    assert photo.read_bytes() == before == broken.read_bytes()
    assert notes.read_text() == '{"images": 3}'
    table = tmp_path / "table.json"
    assert main([verb, str(photo), "--coco", str(table)]) == 0
    other = [verb, str(photo), "--coco", str(table), "--threshold", "0.9"]
    assert main(other) == 1
    assert "already there, made with other settings. Choose" in capsys.readouterr().err
    assert main([*other, "--overwrite"]) == 0


@pytest.mark.parametrize(("verb", "option"), [("detect", "--crop"), ("segment", "--masks")])
def test_pictures_of_a_run_before_go_with_overwrite_and_others_stay(
    verb: str, option: str, tmp_path: Path, capsys
) -> None:
    people = np.concatenate([data.astronaut()] * 2, axis=1)
    opsin.open(people).save(tmp_path / "two.png")
    out = tmp_path / "o"
    words = [verb, str(tmp_path / "two.png"), option, str(out)]
    assert main(words) == 0
    first, *others = sorted(out.iterdir())
    assert others
    foreign = first.with_stem(first.stem.removesuffix("1") + str(len(others) + 2))
    data_of_another = (Path(__file__).parents[2] / "samples" / "cat.jpg").read_bytes()
    foreign.write_bytes(data_of_another)
    assert main([*words, "--threshold", "0.999", "--overwrite"]) == 0
    assert sorted(out.iterdir()) == [foreign]
    assert foreign.read_bytes() == data_of_another


def test_a_foreign_picture_is_not_taken_for_a_crop(tmp_path: Path, capsys) -> None:
    opsin.open(np.concatenate([data.astronaut()] * 2, axis=1)).save(tmp_path / "two.png")
    out = tmp_path / "o"
    out.mkdir()
    opsin.open(data.chelsea()).save(out / "two-object-2.png")
    before = (out / "two-object-2.png").read_bytes()
    assert main(["detect", str(tmp_path / "two.png"), "--crop", str(out)]) == 1
    assert "two-object-2.png exists and was not made from this" in capsys.readouterr().err
    assert (out / "two-object-2.png").read_bytes() == before
    assert not (out / "two-object-1.png").exists()
