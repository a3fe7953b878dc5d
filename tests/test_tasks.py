"""The table of tasks: what is in it can be had, what is not is one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opsin import tasks
from opsin.cli import main
from opsin.errors import RecipeError, WrongCallError

ROOT = Path(__file__).parents[1]
TAUGHT = [name for name, room in tasks.ROOMS.items() if room.training]


@pytest.mark.parametrize("name", TAUGHT)
def test_a_task_s_doors_open(name: str) -> None:
    pytest.importorskip("torch")
    assert tasks.task_of(name).name == name
    assert callable(tasks.load(tasks.room_of(name).evaluation))


@pytest.mark.parametrize("name", tasks.ROOMS)
def test_the_door_to_evaluation_needs_no_torch(name: str) -> None:
    code = (
        "import sys; from opsin import tasks; "
        f"tasks.load(tasks.room_of({name!r}).evaluation); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_task_is_one_sentence_that_names_those_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WrongCallError, match=r"^unknown task 'paint'\. Known: colorize"):
        tasks.room_of("paint")
    with pytest.raises(RecipeError, match=r'^task = "paint", but it must be one of "colorize"'):
        tasks.task_of("paint")
    recipe = tmp_path / "paint.toml"
    recipe.write_text('# mine\ntask = "paint"\nname = "x"\nsteps = 1\n')
    run = tmp_path / "run"
    assert main(["train", str(recipe), "--data", str(tmp_path), "-o", str(run)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f'opsin: {recipe}, line 2: task = "paint", but it must be one of')
    assert not run.exists()


def test_what_a_task_is_called_is_what_its_recipes_say() -> None:
    known = {f'task = "{name}"' for name in tasks.ROOMS}
    for recipe in (ROOT / "recipes").glob("*.toml"):
        assert known & set(recipe.read_text("utf-8").splitlines()), recipe.name
