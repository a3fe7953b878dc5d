"""Two processes under torchrun are one run: the same weights, one log."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

RUN = """
import sys
from pathlib import Path
import torch
import torch.distributed as dist
from opsin.training import loop, run
from opsin.training.recipe import Recipe
from toy.task import TASK

def kept(recipe, objective, batches, state, **more):
    seen = []
    def watched():
        for batch in batches:
            seen.append(batch["light"].sum().item())
            yield batch
    whole(recipe, objective, watched(), state, **more)
    torch.save([objective.network.state_dict(), seen], out / f"rank-{dist.get_rank()}.pt")

if __name__ == "__main__":  # what lists the pictures is spawned
    data, out = map(Path, sys.argv[1:])
    whole, loop.train = loop.train, kept
    recipe = Recipe(
        task="brightness", name="two", steps=4, precision="float32", validate_every=2,
        network={"kind": "mean_light"},
        data={"size": 32, "batch": 4, "small_share": 0.0, "validation_size": 32},
    )
    run.train(TASK, recipe, [data], out, workers=0, on_message=lambda text: print("told:", text))
"""


def test_two_processes_learn_one_network_and_keep_one_log(
    shades: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "two.py"
    script.write_text(RUN)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    tests = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", ":".join([tests, *sys.path]))
    out = tmp_path / "run"
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *words, str(script), str(shades), str(out)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    (one, seen), (other, others) = (
        torch.load(out / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    assert seen != others  # each its own crops
    assert all(torch.equal(one[name], other[name]) for name in one)
    saved = torch.load(out / "checkpoint.pt", weights_only=True)
    assert saved["step"] == 4
    assert all(torch.equal(one[name], saved["network"][name]) for name in one)
    with open(out / "validation.csv", newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2", "4"]
    assert done.stdout.count("told: step") == 2
