"""`opsin segment` and `opsin evaluate segment`: what is told, written and measured."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from skimage import data

import opsin
from opsin.cli import main
from opsin.cli.instances import Table
from opsin.evaluate.segment import Told, scored
from opsin.masks import Mask, mask_to_rle
from opsin.models.store import find
from opsin.objects.matte import part_of
from opsin.objects.segmenting import Segmenting
from opsin.sets.coco import Annotation, Image

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "my scans"
    folder.mkdir()
    shutil.copy(SAMPLES / "photographer.jpg", folder / "großvater.jpg")
    opsin.open(data.coffee()).save(folder / "cup.png")
    return folder


def test_people_are_told_one_a_line(scans: Path, capsys) -> None:
    assert main(["segment", str(scans / "großvater.jpg")]) == 0
    title, person = capsys.readouterr().out.splitlines()
    assert title.endswith("großvater.jpg: 1 thing")
    name, _, wide, by, _, share, score = person.split()
    assert (name, by) == ("person", "x")
    assert int(wide) > 200
    assert 15 < float(share.rstrip("%")) < 40
    assert 0.5 < float(score) <= 1


def test_a_folder_drawn_and_as_masks(scans: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "o"
    words = ["segment", str(scans), "--draw", str(out), "--masks", str(out), "--classes", "person"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    counts = {Path(one["input"]).name: len(one["objects"]) for one in told["files"]}
    assert counts == {"großvater.jpg": 1, "cup.png": 0}
    names = {path.name for path in out.iterdir()}
    assert names == {"großvater-segments.jpg", "großvater-mask-1.png", "cup-segments.jpg"}
    mask = opsin.open(out / "großvater-mask-1.png").pixels
    assert mask.shape == (512, 512, 1)
    assert set(np.unique(mask)) == {0, 255}


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_a_folder_that_cannot_be_made_is_told(scans: Path, capsys) -> None:
    assert main(["segment", str(scans), "--draw", "/proc/drawn"]) == 1
    assert capsys.readouterr().err.startswith("opsin: /proc: cannot be written (No such file")


def test_a_table_as_coco_has_it_is_what_evaluate_reads(scans: Path, capsys) -> None:
    pytest.importorskip("faster_coco_eval")
    table = scans / "instances.json"
    assert main(["segment", str(scans), "--coco", str(table), "--classes", "person"]) == 0
    told = json.loads(table.read_text("utf-8"))
    [one] = told["annotations"]
    assert one["segmentation"]["size"] == [512, 512]
    assert one["area"] == opsin.segment(scans / "großvater.jpg")[0].mask.area
    capsys.readouterr()
    assert main(["segment", str(scans), "--coco", str(table), "--draw", "o"]) == 2
    assert "--coco: not with --draw" in capsys.readouterr().err
    assert main(["evaluate", "segment", str(scans), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["systems"][0]["figures"]
    values = {name: one["value"] for name, one in figures.items()}
    # others who claim a pixel of him are told at lower scores
    assert values["ap50"] == 1
    assert min(values["ap"], values["ar"]) >= 0.9
    # a background is changed for people of a lower score as well, who are not in the table
    assert 0.9 < values["boundary"] == values["portraits"] <= 1
    assert 0.95 < values["iou"] <= 1
    # the same mask four times as far as its half: what is found is too much
    half = opsin.segment(scans / "großvater.jpg")[0].mask.pasted(512, 512)
    half[280:] = False
    one["segmentation"] = mask_to_rle(Mask(half), 512, 512)
    table.write_text(json.dumps(told), "utf-8")
    assert main(["evaluate", "segment", str(table), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["systems"][0]["figures"]
    assert 0.3 < figures["iou"]["value"] < 0.8
    assert figures["ap"]["value"] < 0.5
    assert 0.2 < figures["boundary"]["value"] < 0.9


def test_a_table_that_was_stopped_is_gone_on_with(
    scans: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    table = scans / "found.json"
    words = ["segment", str(scans), "--coco", str(table), "--classes", "person,cup"]
    do = Segmenting.do

    def once(self: Segmenting, source: Path, **how: Any) -> Any:
        if source.name == "großvater.jpg":
            raise KeyboardInterrupt
        return do(self, source, **how)

    monkeypatch.setattr(Segmenting, "do", once)
    assert main([*words, "--workers", "1"]) == 130
    assert "stopped after 1 of 2. The same command again goes on" in capsys.readouterr().err
    told = json.loads(table.read_text("utf-8"))
    assert [one["file_name"] for one in told["images"]] == ["cup.png"]
    # what the user corrects, and adds, stays
    told["annotations"][0]["bbox"] = [1, 2, 3, 4]
    told["categories"].append({"id": 500, "name": "saucer"})
    table.write_text(json.dumps(told), "utf-8")
    monkeypatch.setattr(Segmenting, "do", do)
    assert main(words) == 0
    assert "1 looked at" in (err := capsys.readouterr().err)
    assert "1 skipped, done already" in err
    whole = json.loads(table.read_text("utf-8"))
    assert whole["annotations"][: len(told["annotations"])] == told["annotations"]
    assert [one["file_name"] for one in whole["images"]] == ["cup.png", "großvater.jpg"]
    assert whole["categories"] == told["categories"]
    for name in ("images", "annotations"):
        assert len({one["id"] for one in whole[name]}) == len(whole[name])
    last = whole["annotations"][-1]
    names = {one["id"]: one["name"] for one in whole["categories"]}
    assert (names[last["category_id"]], last["image_id"]) == ("person", whole["images"][1]["id"])


def test_a_table_of_others_or_of_other_settings_stays(scans: Path, capsys) -> None:
    table = scans / "found.json"
    words = ["segment", str(scans / "cup.png"), "--coco", str(table)]
    assert main([*words, "--classes", "cup"]) == 0
    told = json.loads(table.read_text("utf-8"))
    capsys.readouterr()
    assert main([*words, "--classes", "dog"]) == 1
    assert "already there, made with other settings. Choose" in capsys.readouterr().err
    for changed, message in (
        ({**told, "info": {"version": "1"}}, "already there. Choose another name, or --overwrite"),
        ({**told, "images": [{"id": 1}]}, "it cannot be gone on with (Object missing required"),
    ):
        table.write_text(json.dumps(changed), "utf-8")
        assert main([*words, "--classes", "cup"]) == 1
        assert message in capsys.readouterr().err
        assert json.loads(table.read_text("utf-8")) == changed


def test_a_table_is_written_now_and_then(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    write = Table.write

    def counted(self: Table, told: Any, labels: Any) -> None:
        counts.append(len(told))
        write(self, told, labels)

    monkeypatch.setattr(Table, "write", counted)
    monkeypatch.setattr("opsin.cli.things.OFTEN", 0)
    assert main(["segment", str(scans), "--coco", str(scans / "found.json")]) == 0
    assert counts == [1, 2, 2]


def test_what_keeps_nothing_does_not_go_on(scans: Path, monkeypatch, capsys) -> None:
    def stopped(self: Segmenting, source: Path, **how: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Segmenting, "do", stopped)
    assert main(["segment", str(scans)]) == 130
    assert capsys.readouterr().err.endswith("stopped after 0 of 2.\n")


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2, 3]], "annotation 1 is neither polygons nor runs"),
        ({"size": [9, 9], "counts": [81]}, "its size is not that of image 1"),
        ({"size": [512, 512]}, "neither polygons nor runs"),
        ({"size": [512, 512], "counts": "~~"}, "neither polygons nor runs"),
        ("all", "neither polygons nor runs"),
    ],
)
def test_an_outline_that_is_none_is_told(
    scans: Path, segmentation: Any, message: str, capsys
) -> None:
    told = {
        "images": [{"id": 1, "file_name": "großvater.jpg", "width": 512, "height": 512}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [5, 5, 9, 9],
                "segmentation": segmentation,
            }
        ],
        "categories": [{"id": 1, "name": "Person"}],
    }
    (scans / "instances.json").write_text(json.dumps(told), "utf-8")
    assert main(["evaluate", "segment", str(scans)]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert f"{scans / 'instances.json'}: the segmentation of annotation 1 is neither" in told
    assert main(["evaluate", "detect", str(scans)]) == 0  # which needs no outlines


def test_a_set_without_people_has_nothing_to_measure(scans: Path, capsys) -> None:
    told = {
        "images": [{"id": 1, "file_name": "cup.png", "width": 600, "height": 400}],
        "annotations": [],
        "categories": [{"id": 1, "name": "saucer"}],
    }
    (scans / "instances.json").write_text(json.dumps(told), "utf-8")
    assert main(["evaluate", "segment", str(scans)]) == 1
    assert "'box-mask,selfie' masks none of the classes" in capsys.readouterr().err


def test_crowds_and_boxes_alone_count_for_nothing() -> None:
    square = np.zeros((20, 30), bool)
    square[5:15, 5:15] = True
    mask = Mask(square)
    image = Image(1, "a.jpg", 30, 20)
    outline = {"segmentation": mask_to_rle(mask, 20, 30), "bbox": (5, 5, 10, 10)}
    person = Annotation(1, 1, 1, **outline)
    told = Told((), [], mask, 1.0)
    assert scored(told, image, [person]) == {
        "f": 1,
        "iou": 1,
        "cut": 1,
        "f large": 1,
        "cut large": 1,
    }
    nothing = dict.fromkeys(("f", "iou", "cut", "f large", "cut large"), 0)
    assert scored(told, image, []) == nothing
    assert scored(told, image, [person, Annotation(2, 1, 1, (0, 0, 9, 9))]) == nothing
    assert scored(told, image, [Annotation(2, 1, 1, iscrowd=1, **outline)]) == nothing
    small = Annotation(1, 1, 1, (5, 5, 3, 3), segmentation=[[5, 5, 8, 5, 8, 8, 5, 8]])
    assert scored(told, image, [small])["cut large"] == 0


def test_a_photograph_through_a_pipe(scans: Path, monkeypatch, capsys) -> None:
    picture = (scans / "großvater.jpg").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(picture)))
    assert main(["segment", "-", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)["files"]
    assert one["objects"][0]["mask"]["size"] == [512, 512]
    assert main(["segment", "-", "--masks", "o"]) == 2
    assert "--masks: not for a pipe" in capsys.readouterr().err


def test_accurate_is_another_answer_and_is_measured(scans: Path, capsys) -> None:
    pytest.importorskip("faster_coco_eval")
    table = scans / "instances.json"
    assert main(["segment", str(scans), "--coco", str(table), "--classes", "person"]) == 0
    scores, measured = [], []
    for more in ([], ["--accurate"]):
        capsys.readouterr()
        assert main(["segment", str(scans / "großvater.jpg"), "--json", *more]) == 0
        told = json.loads(capsys.readouterr().out)["files"][0]["objects"]
        scores.append([one["score"] for one in told if one["name"] == "person"])
        assert main(["evaluate", "segment", str(scans), "--json", *more]) == 0
        [row] = json.loads(capsys.readouterr().out)["systems"]
        assert row["system"] == " ".join(["box-mask,selfie", *more])
        measured.append(row["figures"]["iou"]["value"])
    assert scores[0] != scores[1]
    assert min(measured) > 0.8
    assert main(["evaluate", "segment", str(scans), "--classes", "unicorn"]) == 2
    assert "'unicorn' is nothing whose pixels" in capsys.readouterr().err


def test_a_set_without_people_is_measured_by_all_that_is_on_it(scans: Path, capsys) -> None:
    pytest.importorskip("faster_coco_eval")
    words = ["segment", str(scans / "cup.png"), "--coco", str(scans / "instances.json")]
    assert main([*words, "--classes", "cup"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "segment", str(scans), "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["systems"]
    assert row["figures"]["ap50"]["value"] > 0.4  # not of people, of whom there are none


def test_a_set_of_boxes_has_no_masks_to_measure(scans: Path, capsys) -> None:
    table = scans / "instances.json"
    assert main(["detect", str(scans), "--coco", str(table)]) == 0
    capsys.readouterr()
    assert main(["evaluate", "segment", str(scans)]) == 1
    told = capsys.readouterr().err
    assert f"{table}: none of the things that 'box-mask,selfie' masks has an outline." in told


def test_a_picture_with_a_box_alone_counts_for_nothing(scans: Path, capsys) -> None:
    pytest.importorskip("faster_coco_eval")
    table = scans / "instances.json"
    assert main(["segment", str(scans), "--coco", str(table), "--classes", "person"]) == 0
    told = json.loads(table.read_text("utf-8"))
    measured = []
    for count in (0, 1):
        cup = next(one["id"] for one in told["images"] if one["file_name"] == "cup.png")
        boxed = {"image_id": cup, "category_id": 1, "bbox": [9, 9, 50, 50]}
        boxes = [{"id": 99 + number, **boxed} for number in range(count)]
        more = {**told, "annotations": [*told["annotations"], *boxes]}
        table.write_text(json.dumps(more), "utf-8")
        capsys.readouterr()
        assert main(["evaluate", "segment", str(scans), "--json"]) == 0
        out, err = capsys.readouterr()
        assert (f"{table}: on 1 of its pictures are things of which" in err) == bool(count)
        figures = json.loads(out)["systems"][0]["figures"]
        measured.append([figures[name]["value"] for name in ("ap", "ap50", "ar", "boundary")])
    assert measured[0] == measured[1]
    assert measured[0][1] == 1


def test_what_is_below_the_threshold_takes_no_time(scans: Path, monkeypatch) -> None:
    """On this clock looking at the pixels of a thing takes a second, and all else nothing."""
    from opsin.evaluate import segment

    scores: list[float] = []

    def looked_at(pixels: Any, thing: Any, masker: Any) -> Any:
        scores.append(thing.score)
        return part_of(pixels, thing, masker)

    monkeypatch.setattr(segment, "part_of", looked_at)
    clock = SimpleNamespace(perf_counter=lambda: float(len(scores)))
    monkeypatch.setattr(segment, "time", clock)
    least = find("picodet-s").card.detect.threshold
    table = scans / "instances.json"
    assert main(["segment", str(scans), "--coco", str(table), "--classes", "person"]) == 0
    (scans / "cup.png").unlink()
    report = segment.evaluate([scans], model="selfie")
    sure = sum(score >= least for score in scores)
    assert 1 <= sure < len(scores)
    assert report.rows[0].figures["milliseconds"].value == 1000 * sure


def test_of_a_crowd_alone_there_is_no_precision(scans: Path, capsys) -> None:
    pytest.importorskip("faster_coco_eval")
    table = scans / "instances.json"
    assert main(["segment", str(scans), "--coco", str(table), "--classes", "person"]) == 0
    told = json.loads(table.read_text("utf-8"))
    told["annotations"] = [{**one, "iscrowd": 1} for one in told["annotations"]]
    table.write_text(json.dumps(told), "utf-8")
    capsys.readouterr()
    assert main(["evaluate", "segment", str(scans), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["systems"][0]["figures"]
    assert [figures[name]["value"] for name in ("ap", "ap50", "ar", "boundary")] == [None] * 4
