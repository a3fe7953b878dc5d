"""The sheet of what a classifier names wrongly."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tiny_classifier

import opsin

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "mistakes.py"


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_only_what_is_named_wrongly_is_on_the_sheet(tmp_path, wrong):
    card = write_tiny_classifier(tmp_path)
    for number in range(4):
        dark = np.full((32, 32), 20 + number, np.uint8)
        folder = tmp_path / "set" / ("bright" if number < wrong else "dark")
        folder.mkdir(parents=True, exist_ok=True)
        opsin.open(dark).save(folder / f"{number}.png")
    sheet = tmp_path / "sheet.png"
    call = [sys.executable, str(SCRIPT), str(tmp_path / "set"), "--model", str(card)]
    done = subprocess.run([*call, "-o", str(sheet)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{wrong} of 4 are named wrongly.\n"
    assert sheet.exists() == (wrong > 0)
