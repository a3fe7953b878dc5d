"""report.html: one file that shows how a training run went, made of what its folder holds.

Pictures and style are inside, there are no scripts, and nothing is fetched. Read are
losses.csv, validation.csv, recipe.json, progress.json and sheets/; what is missing is left out.
"""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from opsin import toml
from opsin.drawing.curves import Curve, draw
from opsin.drawing.page import duration, head, picture
from opsin.files import write_atomically
from opsin.training.progress import Progress
from opsin.training.progress import read as read_progress

FILE: Final = "report.html"
VALIDATION: Final = "validation.csv"
MOST_SHEETS: Final = 8
SHEET_BYTES: Final = 3_300_000  # all of them together; a third more as text
ASIDE: Final = ("rate", "pictures_per_second")
"""Columns of losses.csv that are no losses."""


def write_report(out: Path) -> Path:
    """The page of the run in `out`, written into it."""
    return write_atomically(out / FILE, page(out).encode())


def page(out: Path) -> str:
    """The page as text."""
    recipe, progress = _json(out / "recipe.json"), read_progress(out)
    losses, held = columns(out / "losses.csv"), columns(out / VALIDATION)
    name = str(recipe.get("name") or out.name)
    style = resources.files("opsin.training").joinpath("run_page.css").read_text("utf-8")
    sections = [
        f"<h1>{html.escape(name)}</h1>",
        f"<p class=lead>{html.escape(_state(losses, held, progress, recipe))}</p>",
        _section("Figures on the validation pictures", _figures(held)),
        _section("Curves, over steps", _curves(losses, held)),
        _section("Answers over time", _sheets(out / "sheets")),
        _section("Data", _table(progress.about if progress else {})),
        _section("Machine and time", _table(_times(progress)) if progress else ""),
        _section("Recipe", f"<pre>{html.escape(toml.write(recipe))}</pre>" if recipe else ""),
    ]
    body = "\n".join(filter(None, sections))
    return f"{head(f'{name}: a training run', style=style)}{body}\n</html>\n"


def columns(path: Path) -> dict[str, list[float]]:
    """A CSV of numbers by its columns; {} if there is none."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file)) or [[]]
    whole = [row for row in rows if len(row) == len(head)]
    return {name: [float(row[at]) for row in whole] for at, name in enumerate(head)}


def _state(
    losses: Mapping[str, list[float]],
    held: Mapping[str, list[float]],
    progress: Progress | None,
    recipe: Mapping[str, Any],
) -> str:
    """How far it is, in one line."""
    done = int(max([*losses.get("step", []), *held.get("step", []), 0]))
    steps = progress.steps if progress else int(recipe.get("steps") or done)
    told = [f"Step {done:,} of {steps:,}" if done < steps else f"Done: {done:,} steps"]
    if progress and progress.sittings:
        told.append(duration(sum(one.seconds for one in progress.sittings)))
        told.append(progress.sittings[-1].ended[:16].replace("T", " "))
    return " · ".join(told)


def _figures(held: Mapping[str, list[float]]) -> str:
    """The last validation, beside the first and the extremes."""
    steps = held.get("step", [])
    rows = []
    for name, values in held.items():
        points = Curve(steps, values).points()
        if name == "step" or not points:
            continue
        extremes = (pick(points, key=lambda point: point[1]) for pick in (min, max))
        cells = [f"<th>{html.escape(name)}", f"<td><b>{points[-1][1]:.4g}</b>"]
        cells.append(f"<td>{points[0][1]:.4g}")
        cells += [f"<td>{value:.4g} <small>at {step:,.0f}</small>" for step, value in extremes]
        rows.append("<tr>" + "".join(cells))
    if not rows:
        return ""
    head = f"<th>at step {steps[-1]:,.0f}<th>first<th>lowest<th>highest"
    return f"<table class=figures><tr><th>{head}{''.join(rows)}</table>"


def _pairs(
    losses: Mapping[str, list[float]], held: Mapping[str, list[float]]
) -> list[tuple[str, Curve | None, Curve | None]]:
    """What is drawn: each loss and each figure, training and validation of a name together."""
    steps = losses.get("step", [])
    names = [name for name in losses if name not in ("step", "loss", *ASIDE)]
    names = [name for name in names if losses[name] != losses.get("loss")]
    names += [name for name in held if name not in ("step", "loss", *names)]
    if "loss" in losses or "loss" in held:
        names.insert(0, "loss")
    return [
        (
            name.replace("_", " "),
            Curve(steps, losses[name]) if name in losses else None,
            Curve(held["step"], held[name]) if name in held else None,
        )
        for name in names
    ]


def _curves(losses: Mapping[str, list[float]], held: Mapping[str, list[float]]) -> str:
    """A chart for each loss and each figure."""
    charts = [_chart(name, training=one, validation=two) for name, one, two in _pairs(losses, held)]
    aside = [
        _chart(name.replace("_", " "), training=Curve(losses["step"], losses[name]))
        for name in ASIDE
        if name in losses
    ]
    if not charts:
        return ""
    key = (
        "<p class=key><span class=training>training</span> <span class=validation>validation</span>"
    )
    more = f"<details><summary>Learning rate and speed</summary>{_grid(aside)}</details>"
    return key + _grid(charts) + (more if aside else "")


def _chart(name: str, *, training: Curve | None = None, validation: Curve | None = None) -> str:
    svg = draw(name, training=training, validation=validation)
    return f"<figure><figcaption>{html.escape(name)}</figcaption>{svg}</figure>"


def _grid(charts: Iterable[str]) -> str:
    return f"<div class=grid>{''.join(charts)}</div>"


def _sheets(folder: Path) -> str:
    """Some of the sample sheets, one above the other, to be leafed through."""
    files = sorted(file for file in folder.glob("*") if file.suffix in (".jpg", ".png"))
    count = min(MOST_SHEETS, len(files))
    chosen = [files[round(at * (len(files) - 1) / max(1, count - 1))] for at in range(count)]
    pictures = [
        (file.stem, data) for file in chosen if (data := _small(file, SHEET_BYTES // count))
    ]
    marks, views = [], []
    for at, (stem, data) in enumerate(pictures):
        label = f"step {int(found[0]):,}" if (found := re.findall(r"\d+", stem)) else stem
        last = " checked" if at == len(pictures) - 1 else ""
        marks.append(
            f"<input type=radio name=sheet id=s{at}{last}><label for=s{at}>"
            f"{html.escape(label)}</label>"
        )
        views.append(picture(data, label, more=f"id=p{at}"))
    leaves = f"{''.join(marks)}<div>{''.join(views)}</div>"
    return f"<div class=sheets>{leaves}</div>" if pictures else ""


def _small(file: Path, limit: int) -> bytes | None:
    """The sheet as a JPEG of at most about `limit` bytes; None if it cannot be read."""
    from opsin.formats.vips import vips

    try:
        data = file.read_bytes()
        if len(data) <= limit and file.suffix == ".jpg":
            return data
        for width in (2000, 1600, 1280, 1024, 800, 640, 480):
            image = vips().Image.thumbnail_buffer(data, width, height=4 * width, size="down")
            image = image.flatten(background=255) if image.hasalpha() else image
            data_now: bytes = image.jpegsave_buffer(Q=84, keep="none")
            if len(data_now) <= limit:
                return data_now
    except (OSError, vips().Error):
        return None
    return data_now


def _times(progress: Progress) -> dict[str, str]:
    """Machine, duration and speed; of the last sitting what may differ between them."""
    sittings = progress.sittings
    last = sittings[-1]
    seconds = sum(one.seconds for one in sittings)
    training = sum(one.training_seconds for one in sittings)
    pictures = sum(one.pictures for one in sittings)
    steps = sum(one.last - one.first for one in sittings)
    found = dict(last.machine)
    found["started"] = sittings[0].started.replace("T", " ")
    found["last record"] = last.ended.replace("T", " ")
    found["duration"] = f"{duration(seconds)}, of which training {duration(training)}"
    if before := sittings[0].first:
        found["duration"] += f"; the first {before:,} steps left no record of it"
    found["pictures seen"] = f"{pictures:,}"
    if steps > last.last - before:
        found["pictures seen"] += (
            f", with {steps - last.last + before:,} steps done twice after a stop"
        )
    if training > 0:
        found["pictures seen per second"] = f"{pictures / training:.1f} while training"
    if len(sittings) > 1:
        found["sittings"] = "; ".join(
            f"steps {one.first + 1:,} to {one.last:,} in {duration(one.seconds)}"
            for one in sittings
        )
    return found


def _table(rows: Mapping[str, str]) -> str:
    cells = (f"<tr><th>{html.escape(k)}<td>{html.escape(v)}" for k, v in rows.items())
    return f"<table>{''.join(cells)}</table>" if rows else ""


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>" if content else ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
