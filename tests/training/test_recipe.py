"""A wrong recipe stops before anything starts, and says which key."""

from pathlib import Path

import pytest

from opsin.errors import RecipeError
from opsin.training.recipe import read_recipe

GOOD = 'task = "colorize"\nname = "x"\nsteps = 10\n[data]\nsize = 96\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_reads_values_and_defaults(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, GOOD))
    assert (recipe.steps, recipe.data, recipe.seed) == (10, {"size": 96}, 1)


def test_changes_from_the_command_line(tmp_path: Path) -> None:
    changes = ("steps=20", "data.size=128", "optimizer.rate=0.5", "name=other")
    recipe = read_recipe(written(tmp_path, GOOD), changes)
    assert (recipe.steps, recipe.data["size"]) == (20, 128)
    assert (recipe.optimizer.rate, recipe.name) == (0.5, "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "[optimizer]\nrat = 1\n", r"unknown field `rat`.*\$\.optimizer"),
        ('steps = "many"\n' + GOOD.replace("steps = 10\n", ""), r"Expected `int`.*\$\.steps"),
        ('task = "colorize"\nname = "x"\n', "missing required field `steps`"),
        ("steps = = 3", "not valid TOML: .*line 1"),
        (GOOD.replace("colorize", "paint"), "Invalid enum value 'paint'"),
    ],
)
def test_errors_name_the_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_recipe(written(tmp_path, text))


def test_missing_recipe_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml: no such recipe"):
        read_recipe(tmp_path / "none.toml")


def test_change_without_a_value(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="write KEY=VALUE"):
        read_recipe(written(tmp_path, GOOD), ("steps",))


def test_shipped_recipes_are_good() -> None:
    recipes = sorted(Path(__file__).parents[2].glob("recipes/*.toml"))
    assert recipes
    for path in recipes:
        read_recipe(path)
