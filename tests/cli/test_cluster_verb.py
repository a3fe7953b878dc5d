"""opsin colorize --cluster: the pictures of the plain command, made by several processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed")

import opsin
from opsin.cli import main


@pytest.fixture
def scans(tmp_path: Path, gray_photo: np.ndarray, models: Path) -> Path:
    """A folder of photographs with some that are none."""
    folder = tmp_path / "scans"
    for number, name in enumerate(("a.jpg", "b.tif", "1950/a.jpg", "1950/c d.png")):
        opsin.open(gray_photo[number * 10 :]).save(folder / name)
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:3000])
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("not asked for")
    return folder


def pictures(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*-co*.*")
    }


def test_a_local_cluster_makes_what_the_plain_command_makes(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["colorize", str(scans), "--model", "tiny", "--compare", "-o"]
    assert main([*call, str(tmp_path / "plain")]) == 1
    capsys.readouterr()
    on_cluster = [*call, str(tmp_path / "out"), "--cluster", "local", "--workers", "2"]
    assert main([*on_cluster, "--json"]) == 1
    found = capsys.readouterr()
    assert "opsin: empty.png: the file is empty" in found.err
    document = json.loads(found.out)
    assert (document["done"], document["failed"], document["left"]) == (4, 2, 0)
    files = {entry["input"]: entry for entry in document["files"]}
    assert files["1950/a.jpg"]["compare"] == "1950/a-compare.jpg"
    assert files["broken.jpg"]["error"].startswith("the picture is damaged")
    made = pictures(tmp_path / "out")
    for name in ("b-tif-compare.jpg", "1950/c d-png-compare.jpg"):  # a stream sees no neighbors
        made[name.replace("-tif-", "-").replace("-png-", "-")] = made.pop(name)
    assert made == pictures(tmp_path / "plain")

    assert main(on_cluster) == 1  # again: only what failed is tried
    assert "4 skipped; 2 failed. Each is told of in" in capsys.readouterr().err
    assert len(pictures(tmp_path / "out")) == len(made)


def test_a_stop_is_told(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from opsin.archive import cluster

    def stopped(order: object, address: str, *, state: cluster.State, **_: object) -> None:
        state.counts["done"], state.total = 2, 4
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "run", stopped)
    call = ["colorize", str(scans), "-o", str(tmp_path / "out"), "--cluster", "local"]
    assert main(call) == 130
    assert "stopped after 2 of 4 photographs" in capsys.readouterr().err


def test_a_dry_run_tells_and_writes_nothing(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["colorize", str(scans), "-o", str(tmp_path / "out"), "--cluster", "local", "--dry-run"]
    assert main(call) == 0
    assert "1950/a.jpg -> 1950/a-color.jpg" in capsys.readouterr().out.splitlines()
    assert main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["planned"] == len(told["files"]) > 0
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["scans"], "--cluster takes one folder or address, and -o with another."),
        (["a", "b", "-o", "out"], "--cluster takes one folder or address, and -o with another."),
        (["scans", "-o", "out", "--overwrite"], "--overwrite: not with --cluster."),
        (["nonsense://a", "-o", "out"], "nonsense://a: Protocol not known"),
        (["no such folder", "-o", "out"], "no such folder: there is no such folder."),
    ],
)
def test_a_wrong_call_is_told_in_a_sentence(
    words: list[str],
    text: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from opsin.archive import cluster

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "_scheduler", NoScheduler)
    assert main(["colorize", *words, "--cluster", "local"]) in (1, 2)
    assert f"opsin: {text}" in capsys.readouterr().err


class NoScheduler:
    """In place of a cluster, which is not needed to see that a call is wrong."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def test_without_the_extra_the_install_command_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["colorize", str(tmp_path), "-o", str(tmp_path / "o"), "--cluster", "local"]) == 1
    assert capsys.readouterr().err == (
        "opsin: --cluster needs packages that are not installed: pip install 'opsin[cluster]'\n"
    )
