"""A run keeps its records, its times add up over stops, and one page shows it all by itself."""

import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

torch = pytest.importorskip("torch")

from opsin.drawing.curves import Curve, draw, ticks  # noqa: E402
from opsin.training import best  # noqa: E402
from opsin.training.progress import read  # noqa: E402
from opsin.training.run_log import RunLog  # noqa: E402
from opsin.training.run_page import columns, page, write_report  # noqa: E402

RECIPE = {
    "name": "color <bins>",
    "steps": 300,
    "network": {"kind": "x", "widths": [1, 2], "start": None},
    "data": {"crop": True, "film": {"share": 0.5}},
}


class Tags(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.found)


def open_log(
    out: Path, first: int, *, parts: Callable[[int], dict[str, float]] | None = None, **about: str
) -> Callable[[int, int], None]:
    """Opens the log of a run; what is returned does steps, with a validation every 100."""
    sheet = np.zeros((40, 60, 3), np.uint8)

    def validate(step: int, network: torch.nn.Module) -> dict[str, float]:
        (out / "sheets").mkdir(exist_ok=True)
        Image.fromarray(sheet + np.uint8(step % 256)).save(out / "sheets" / f"step-{step:07d}.jpg")
        return {"loss": 2 + 1 / step, "psnr over gray": step / 100}

    log = RunLog(
        out,
        steps=300,
        first=first,
        validate=validate,
        on_message=lambda text: None,
        on_step=lambda step, text: None,
        about=about,
    )

    def go(start: int, end: int) -> None:
        for step in range(start + 1, end + 1):
            log.step(step, 1e-3, parts(step) if parts else {"loss": 2 + 3 / step}, 8)
            if step % 100 == 0:
                log.validation(step, torch.nn.Linear(1, 1))

    return go


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that was cut off after step 230 and went on after step 200."""
    (tmp_path / "recipe.json").write_text(json.dumps(RECIPE))
    open_log(tmp_path, 0, training="12 pictures (my <set> 12)")(0, 230)
    open_log(tmp_path, 200)(200, 300)
    return tmp_path


def test_losses_and_figures_are_kept_once_each(run: Path) -> None:
    assert columns(run / "losses.csv")["step"] == [50, 100, 150, 200, 250, 300]
    held = columns(run / "validation.csv")
    assert held["step"] == [100, 200, 300]
    assert held["psnr over gray"] == [1, 2, 3]


def test_lines_of_steps_that_are_done_again_are_taken_back(tmp_path: Path) -> None:
    open_log(tmp_path, 0)(0, 260)
    open_log(tmp_path, 130)(130, 260)
    assert columns(tmp_path / "losses.csv")["step"] == [50, 100, 150, 200, 250]
    assert columns(tmp_path / "validation.csv")["step"] == [100, 200]


def test_each_line_is_the_mean_of_its_own_steps(tmp_path: Path) -> None:
    open_log(tmp_path, 0, parts=lambda step: {"loss": float(step)})(0, 150)
    assert columns(tmp_path / "losses.csv")["loss"] == [25.5, 75.5, 125.5]


def test_times_add_up_over_a_stop(run: Path) -> None:
    found = read(run)
    assert found is not None
    assert [(one.first, one.last) for one in found.sittings] == [(0, 200), (200, 300)]
    assert [one.pictures for one in found.sittings] == [1600, 800]
    assert all(0 < one.training_seconds <= one.seconds for one in found.sittings)
    assert found.sittings[-1].machine["torch"] == torch.__version__
    assert found.about == {"training": "12 pictures (my <set> 12)"}


def test_a_run_that_begins_anew_forgets_the_old_one(run: Path) -> None:
    open_log(run, 0)(0, 100)
    found = read(run)
    assert found is not None
    assert [(one.first, one.last) for one in found.sittings] == [(0, 100)]


def test_the_page_shows_everything(run: Path) -> None:
    text = (run / "report.html").read_text("utf-8")
    for words in (
        "<h1>color &lt;bins&gt;</h1>",
        "Done: 300 steps",
        "at step 300",
        "psnr over gray<td><b>3</b><td>1",
        "12 pictures (my &lt;set&gt; 12)",
        "pictures seen<td>2,400",
        "while training",
        "steps 1 to 200 in",
        f"torch<td>{torch.__version__}",
        "[data.film]\nshare = 0.5",
        "step 100</label>",
    ):
        assert words in text, words
    assert "<set>" not in text


def test_the_page_needs_nothing_else(run: Path) -> None:
    text = (run / "report.html").read_text("utf-8")
    tags = Tags(text)
    assert tags.count("script") == tags.count("link") == 0
    assert not re.search(r"https?://|@import|url\(", text)
    sources = [attributes["src"] for tag, attributes in tags.found if tag == "img"]
    assert len(sources) == 3
    assert all(source and source.startswith("data:image/jpeg;base64,/9j/") for source in sources)
    assert sum("checked" in attributes for _, attributes in tags.found) == 1


def test_a_page_of_many_large_sheets_stays_small(
    tmp_path: Path, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsin.training.run_page.SHEET_BYTES", 400_000)
    grain = np.random.default_rng(3).integers(0, 128, (512, 1024, 3), np.uint8)
    (tmp_path / "sheets").mkdir()
    for number in range(11):
        sheet = np.roll(np.tile(astronaut, (1, 2, 1)) // 2 + grain, 50 * number, axis=1)
        name = f"step-{number * 100:07d}.{'png' if number == 10 else 'jpg'}"
        Image.fromarray(sheet).save(tmp_path / "sheets" / name)
    (tmp_path / "sheets" / "step-0000101.jpg").write_bytes(b"x" * 60_000)  # not yet whole
    path = write_report(tmp_path)
    assert path.stat().st_size < 1.4 * 400_000
    labels = re.findall(r"<label for=s\d>(.*?)</label>", path.read_text())
    assert (labels[0], labels[-1]) == ("step 0", "step 1,000")
    assert 6 <= len(labels) <= 8


def test_each_part_of_a_loss_has_its_curve(tmp_path: Path) -> None:
    def parts(step: int) -> dict[str, float]:
        rare = {"class_error": 1.0} if step > 60 else {}  # not in the first line: left out
        return {"loss": 3.0, "generator": 1.0 + step, "discriminator": 0.5, "all": 3.0, **rare}

    open_log(tmp_path, 0, parts=parts)(0, 100)
    assert list(columns(tmp_path / "losses.csv")) == [
        *("step", "loss", "generator", "discriminator", "all", "rate", "pictures_per_second")
    ]
    titles = re.findall(r"<figcaption>(.*?)</figcaption>", (tmp_path / "report.html").read_text())
    # "all" is the loss by another name
    assert titles[:4] == ["loss", "generator", "discriminator", "psnr over gray"]
    assert titles[4:] == ["rate", "pictures per second"]


def test_losses_need_not_have_a_sum(tmp_path: Path) -> None:
    open_log(tmp_path, 0, parts=lambda step: {"generator": 1.5, "nothing": float("nan")})(0, 100)
    assert columns(tmp_path / "losses.csv")["generator"] == [1.5, 1.5]


@pytest.mark.parametrize("left", [(), ("losses.csv",), ("recipe.json",), ("validation.csv",)])
def test_what_is_missing_is_left_out(run: Path, tmp_path: Path, left: tuple[str, ...]) -> None:
    folder = tmp_path / "part"
    folder.mkdir()
    for name in left:
        (folder / name).write_bytes((run / name).read_bytes())
    text = page(folder)
    assert text.count("<section>") == len(left) + (left == ("validation.csv",))
    assert ("<h1>color" in text) == (left == ("recipe.json",))


def test_damaged_progress_is_begun_anew(run: Path) -> None:
    (run / "progress.json").write_text('{"steps": ')
    open_log(run, 200)(200, 300)
    text = (run / "report.html").read_text()
    assert "the first 200 steps left no record of it" in text
    assert "done twice" not in text


def test_steps_done_twice_are_told(tmp_path: Path) -> None:
    open_log(tmp_path, 0)(0, 250)
    open_log(tmp_path, 100)(100, 300)
    assert "with 150 steps done twice" in (tmp_path / "report.html").read_text()


VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=40)


@settings(deadline=None)
@given(trained=VALUES, held=VALUES)
def test_any_numbers_give_a_drawing(trained: list[float], held: list[float]) -> None:
    curves = [Curve([10.0 * at for at in range(len(values))], values) for values in (trained, held)]
    svg = draw("a < b", training=curves[0], validation=curves[1])
    root = ElementTree.parse(io.StringIO(svg)).getroot()
    numbers = [
        float(number)
        for element in root.iter()
        for key in ("points", "cx", "cy", "y1", "x")
        for number in re.split(r"[ ,]", element.get(key) or "0")
    ]
    assert np.isfinite(numbers).all()
    assert len(root.findall("circle")) == np.isfinite(held).sum()


def test_a_curve_is_where_it_should_be() -> None:
    svg = draw("x", validation=Curve([0, 100], [1.0, 2.0]))
    root = ElementTree.fromstring(svg)
    dots = [(float(dot.get("cx") or 0), float(dot.get("cy") or 0)) for dot in root.iter("circle")]
    assert dots[0][0] < dots[1][0]
    assert dots[0][1] > dots[1][1]  # the larger is higher up
    labels = {text.text: float(text.get("y") or 0) for text in root.iter("text")}
    assert labels["1"] == pytest.approx(dots[0][1], abs=0.1)
    assert labels["2"] == pytest.approx(dots[1][1], abs=0.1)


def test_a_steep_start_does_not_flatten_the_rest() -> None:
    loss = [1000.0, *np.linspace(2, 1, 99)]
    svg = draw("loss", training=Curve(range(100), loss))
    assert "1000" not in re.findall(r'class="y"[^>]*>(.*?)<', svg)
    assert {"1.5", "2"} <= set(re.findall(r'class="y"[^>]*>(.*?)<', svg))


@settings(deadline=None)
@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-6, 1e6))
def test_ticks_are_few_and_within(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 7
    assert all(low - span * 1e-3 <= one <= low + span * (1 + 1e-3) for one in found)


def test_a_recipe_is_shown_as_toml() -> None:
    import tomllib

    from opsin import toml

    assert tomllib.loads(toml.write(RECIPE)) == {
        **RECIPE,
        "network": {"kind": "x", "widths": [1, 2]},
    }


def test_the_best_weights_are_those_of_the_lowest_loss_and_patience_ends(tmp_path: Path) -> None:
    losses = iter([0.9, float("nan"), 0.5, 0.5, 0.6, 0.4])
    log = RunLog(
        tmp_path,
        steps=9,
        first=0,
        validate=lambda step, network: {"loss": next(losses)},
        on_message=lambda text: None,
        on_step=lambda step, text: None,
        patience=2,
    )
    (tmp_path / "recipe.json").write_text(json.dumps(RECIPE))
    network = torch.nn.Linear(1, 1)
    enough, kept = [], []
    for step in range(5):
        torch.nn.init.constant_(network.weight, step)
        enough.append(log.validation(step, network))
        state = torch.load(tmp_path / "best.pt", weights_only=True)
        kept.append((state["step"], state["average"]["weight"].item()))
    assert enough == [False, False, False, False, True]
    assert kept == [(0, 0.0), (0, 0.0), (2, 2.0), (2, 2.0), (2, 2.0)]
    assert best.is_enough(tmp_path, 2)
    assert not best.is_enough(tmp_path, 3)
    assert not best.is_enough(tmp_path, 0)
