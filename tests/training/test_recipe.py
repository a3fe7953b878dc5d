"""A wrong recipe stops before anything starts, and says which key."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsin.cli import main
from opsin.errors import RecipeError
from opsin.training.recipe import Optimizer, Recipe, read_recipe, section, told_where

RECIPES = sorted(Path(__file__).parents[2].glob("recipes/*.toml"))
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
        (GOOD + "[optimizer]\nrat = 1\n", r"line 7: optimizer\.rat is not .* mean rate\? Known"),
        (
            GOOD.replace("10", '"many"'),
            r'line 3: steps = "many", .* 1 to 1,000,000,000\. .* 1000\.',
        ),
        ('task = "colorize"\nname = "x"\n', r"steps is missing\. Write for example steps = 1000\."),
        ("steps = = 3", "not valid TOML: .*line 1"),
        (GOOD.replace("colorize", "a/b"), 'line 1: task = "a/b", .* lower-case letters'),
        (
            GOOD.replace('"x"', '"../../evil"'),
            r'line 2: name = "../../evil", .* lower-case letters',
        ),
        (GOOD.replace('"x"', '"My Model"'), r'line 2: name = "My Model", .* lower-case letters'),
        ("optimizer.rate = nan\n" + GOOD, r"line 1: optimizer\.rate = nan, .* above 0, to 10"),
        (GOOD + "[optimizer]\nbetas = [\n  0.9,\n  1.0]\n", r"line 7: .*betas = \[0\.9, 1\.0\]"),
        ("optimizer = {rate = -1}\n" + GOOD, r"line 1: optimizer\.rate = -1"),
        ("optimizer = 3\n" + GOOD, r"line 1: optimizer = 3, but it must be a table"),
    ],
)
def test_errors_name_the_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_recipe(written(tmp_path, text))


def test_of_two_changes_of_one_value_the_last_counts_and_is_blamed(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert read_recipe(path, ("steps=0", "steps=20")).steps == 20
    with pytest.raises(RecipeError, match=r"--set steps=-3: steps = -3, but it must be"):
        read_recipe(path, ("steps=20", "steps=-3"))


def test_missing_recipe_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml: no such recipe"):
        read_recipe(tmp_path / "none.toml")


def test_change_without_a_value(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="write KEY=VALUE"):
        read_recipe(written(tmp_path, GOOD), ("steps",))


def test_shipped_recipes_are_good() -> None:
    assert RECIPES
    for path in RECIPES:
        read_recipe(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = " + "[" * 100_000, r"cannot be read as a recipe \(it is nested too deeply\)"),
        ("x = " + "{a=" * 50_000, r"\(it is nested too deeply\)"),
        ("steps = " + "1" * 5000, r"\(not valid TOML: .*4300 digits"),
        ("#" * (1 << 21), r"\(it is larger than 256 KB\)"),
        ("steps = \udcff", r"cannot be read as a recipe \('utf-8' codec"),
    ],
    ids=["lists", "tables", "digits", "large", "bytes"],
)
def test_hostile_recipes_are_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RecipeError, match=message) as caught:
        read_recipe(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path, message in [
        (tmp_path, "cannot be read as a recipe"),
        (tmp_path / "pipe.toml", "it is not a file"),
        (Path("/dev/zero"), "it is not a file"),
        (Path("a\0.toml"), "its name holds a NUL"),
        (tmp_path / ("x" * 300), "cannot be read as a recipe"),
    ]:
        with pytest.raises(RecipeError, match=message):
            read_recipe(path)


def test_a_recipe_may_come_from_an_editor_that_marks_its_files(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_recipe(path).steps == 10
    path.write_bytes(path.read_bytes().replace(b"10", b"0"))
    with pytest.raises(RecipeError, match=r"recipe\.toml, line 3: steps = 0"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("steps=0", r"^--set steps=0: steps = 0, but it must be"),
        ("optimizer.betas=[0.9,2]", r"^--set optimizer\.betas=\[0\.9,2\]: optimizer\.betas = "),
        ("optimizer={rate=0}", r"^--set optimizer=\{rate=0\}: optimizer\.rate = 0"),
        ("stepz=3", r"^--set stepz=3: stepz is not a setting\. Did you mean steps\?"),
        ("name=\x1b[2J", r"^--set name=.\[2J: name = "),
        ("name.x=3", r"^--set name\.x=3: name is not a table\."),
        ("=3", r"^--set =3: write KEY=VALUE"),
        ("steps=" + "[" * 100_000, r"steps = "),
    ],
)
def test_a_wrong_change_is_told_as_such(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        read_recipe(written(tmp_path, GOOD), ("seed=3", change))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        ("data.least_area=3", "data.least_area", "must be a number from 0.001 to 1"),
        ("data.size=40", "data.small_size", "must be at most data.size = 40"),
        ("objective.class_weight=1", "objective.class_weight", "the network learns no classes"),
        ("network.kind=nosuch", "network.kind", "must be one of"),
    ],
)
def test_a_task_s_table_is_told_by_file_and_line(
    tmp_path: Path, change: str, key: str, message: str
) -> None:
    pytest.importorskip("torch")
    from colorization.running import tables_of

    path = written(tmp_path, f'{GOOD}[network]\nkind = "fusion"\n')
    recipe = read_recipe(path, (change,))
    with pytest.raises(RecipeError, match=message) as caught, told_where(path, (change,)):
        tables_of(recipe)
    assert caught.value.__cause__.key == key  # type: ignore[union-attr]
    place = f"--set {change}: " if change.startswith(key) or "=40" not in change else str(path)
    assert str(caught.value).startswith(place)


def test_train_tells_file_line_and_value(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("torch")
    path = written(tmp_path, f'{GOOD}batch = 0\n[network]\nkind = "color_bins"\n')
    arguments = ["train", str(path), "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"opsin: {path}, line 6: data.batch = 0, but it must be a whole number")
    assert not (tmp_path / "run").exists()


KEYS = [key for kind in (Recipe, Optimizer) for key in kind.__struct_fields__]
TOML = st.sampled_from(
    ["nan", "-inf", "1e400", "0x7f", "[[", "{", "true", "1979-05-27", '"""', "9" * 40, "[]", "''"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_a_recipe_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """A shipped recipe with bytes of it changed, and a change from the command line."""
    shipped = data.draw(st.sampled_from(RECIPES))
    content = bytearray(shipped.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(at, min(len(content), at + 12)))
        content[at:end] = data.draw(st.binary(max_size=8) | TOML.map(str.encode))
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    key = data.draw(st.sampled_from(KEYS) | st.text(max_size=8))
    change = f"{key}={data.draw(TOML | st.text(max_size=8) | st.floats().map(str))}"
    said = ""
    try:
        recipe = read_recipe(path, (change,))
    except RecipeError as error:
        said = str(error)
    else:
        assert section(msgspec.to_builtins(recipe), Recipe) == recipe
    assert said.isprintable()
    assert len(said) < 1000


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_shipped_recipes_fit_their_networks(path: Path) -> None:
    pytest.importorskip("torch")
    from opsin import tasks
    from opsin.training.crops import check_sizes

    recipe = read_recipe(path)
    assert f"recipes/{path.name}" in path.read_text("utf-8")  # its own command
    if tasks.own_way(recipe.task, recipe.network.get("kind")):  # tests/faces trains by it
        return
    if recipe.task in ("classify", "detect"):  # its classes are those of the pictures
        network = {**recipe.network, "classes": ["one", "other"]}
        recipe = msgspec.structs.replace(recipe, network=network)
    system, data, _ = tasks.task_of(recipe.task).tables(recipe)
    check_sizes(data, multiple=system.multiple(system.build()))
