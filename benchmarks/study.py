"""The colorization systems side by side: trains, measures and tabulates all of them.

    python benchmarks/study.py --data PHOTOGRAPHS... --runs RUNS --on SET.tar... [--set KEY=VALUE]

Every system is trained by recipes/study.toml: the same photographs, crops and steps. A stopped
study goes on where it was: what is in RUNS is not done again. At the end the tables and pictures
of docs/systems.md are made anew from RUNS; its words are written by hand.

A paler system is nearer to the truth whatever it knows. So each is measured twice: with a*b* as it
gives them (a gain of 1), and with the gain at which all have the same colorfulness.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tint import table, tints

from opsin.evaluate.colorization.compare import compare
from opsin.evaluate.colorization.measure import evaluate
from opsin.models.engine import load_engine
from opsin.models.trial import made_inputs
from opsin.training.recipe import read_recipe

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "systems.md"
PICTURES = ROOT / "docs" / "pictures" / "systems.jpg"
SIZE = 128  # short side at which the networks see photographs, about as large as they learned

SCENES = '["buildings", "forest", "glacier", "mountain", "sea", "street"]'
GLOBAL = ('network.kind="global_local"', f"network.classes={SCENES}", "network.global_size=64")
GAN = ('network.kind="conditional_gan"', "network.size=64", "optimizer.rate=2e-4")
GAN = (*GAN, "optimizer.betas=[0.5, 0.999]", "optimizer.weight_decay=0.0", "optimizer.clip=1e6")
SYSTEMS = {  # name: (what it is, changes of recipes/study.toml)
    "a1-encoder-decoder": ("A1 encoder-decoder", ()),
    "a2-classifier-map": ("A2 classifier's map", ('network.kind="classifier_decoder"',)),
    "a2-classifier-words": (
        "A2 classifier's probabilities",
        ('network.kind="classifier_decoder"', 'network.variant="probabilities"'),
    ),
    "a3-fusion": ("A3 fusion", ('network.kind="fusion"',)),
    "a4-fusion-faces": (
        "A4 fusion, for faces",
        ('network.kind="fusion"', 'network.variant="faces"'),
    ),
    "a5-global-local": (
        "A5 global and local, with classes",
        (*GLOBAL, "objective.class_weight=0.00333"),
    ),
    "a6-gan": ("A6 conditional GAN", GAN),
    "a6-u-net": ("A6 without discriminator", (*GAN, "objective.adversarial=0.0")),
    "a7-color-bins": ("A7 color bins", ('network.kind="color_bins"',)),
}
TOGETHER = "a3-fusion+a7-color-bins"  # averaged, as one more row
FIGURES = ("psnr", "ssim", "delta_e", "colorfulness", "auc", "channel")
FORMS = (".2f", ".3f", ".2f", ".1f", ".1%", ".1%")
HEADS = ("PSNR", "SSIM", "CIEDE2000", "CF", "AuC", "larger channel")
SHARE = 0.6  # of the truth's colorfulness, when all have the same
TERMS = {"as-given": {"gain": 1.0}, "equal": {"gain": 1.0, "colorfulness": SHARE}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--validation", nargs="*", type=Path, default=[])
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--on", nargs="+", type=Path, required=True, help="evaluation sets")
    parser.add_argument("--show", nargs="*", type=Path, default=[ROOT / "samples"])
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--only", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    arguments = parser.parse_args()
    for name in arguments.only:
        train(name, arguments)
    trained = [name for name in SYSTEMS if card_of(name, arguments.runs).exists()]
    write_page(trained, arguments)


def card_of(name: str, runs: Path) -> Path:
    return runs / "models" / f"{name}.toml"


def rows_of(trained: Sequence[str]) -> dict[str, str]:
    """What is measured, by name, and what the tables call it."""
    rows = {name: SYSTEMS[name][0] for name in trained}
    if set(parts_of(TOGETHER)) <= set(trained):
        rows[TOGETHER] = "A3 and A7, averaged"
    return {**rows, "default": "the default model"}


def parts_of(name: str) -> list[str]:
    """The systems of a row."""
    return name.split("+")


def model_of(name: str, runs: Path) -> str:
    """What `--model` is given for a row."""
    models = [str(card_of(part, runs)) for part in parts_of(name)]
    return "default" if name == "default" else ",".join(models)


def train(name: str, arguments: argparse.Namespace) -> None:
    """The run of a system and its model, unless they are there."""
    from opsin.colorization.task import TASK
    from opsin.training.finished import export
    from opsin.training.run import train as run

    out = arguments.runs / name
    if card_of(name, arguments.runs).exists():
        return
    changes = (*SYSTEMS[name][1], f'name="{name}"', *arguments.changes)
    recipe = read_recipe(ROOT / "recipes" / "study.toml", changes)
    run(
        TASK,
        recipe,
        arguments.data,
        out,
        validation=arguments.validation,
        on_message=lambda text: print(f"{name}: {text}", flush=True),
    )
    export(TASK, out, arguments.runs / "models", name=name, size=SIZE, license="Apache-2.0")
    write_json(out / "facts.json", weigh(recipe.network))


def weigh(table: dict[str, Any]) -> dict[str, float]:
    """Parameters, and multiplications at 256x256, of what a recipe's [network] describes."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from opsin.colorization.task import TASK

    system = TASK.system(table)
    network = system.build().eval()
    inputs = network.given(torch.zeros(1, 1, 256, 256))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs.values())
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "macs": counter.get_total_flops() / 2,
    }


def speeds(names: Sequence[str], runs: Path) -> dict[str, float]:
    """`milliseconds` of all models, one after the other so that they can be compared."""
    path = runs / "figures" / "milliseconds.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if set(found) != set(names):
        found = {name: milliseconds(str(card_of(name, runs))) for name in names}
        write_json(path, found)
    return dict(found)


def milliseconds(model: str) -> float:
    """The network at 256x256 on this machine, the median of 15 runs."""
    engine = load_engine(model)
    feeds = made_inputs(engine.card, 256, 256)
    times = []
    for _ in range(18):
        began = time.perf_counter()
        engine.run(feeds)
        times.append(time.perf_counter() - began)
    return float(np.median(times[3:]) * 1000)


def measure(rows: Sequence[str], data: Path, terms: str, runs: Path) -> dict[str, Any]:
    """The figures of all rows on an evaluation set, measured unless they are there."""
    path = runs / "figures" / f"{data.stem}-{terms}.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    models = {name: model_of(name, runs) for name in rows if name not in found}
    if models:
        report = evaluate(data, model=list(models.values()), **TERMS[terms])
        found |= named(report.document(), list(models))
        write_json(path, found)
        print(f"measured on {data.stem}, {terms}: {', '.join(models)}", flush=True)
    return dict(found)


def named(report: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The rows of a report by the names of the study: gray and one color, then the models."""
    gray, plain, *models, _ = report["systems"]
    gains = list((report["gains"] or dict.fromkeys(names)).values())
    rows = {"gray": gray, "mean color": plain}
    for name, row, gain in zip(names, models, gains, strict=True):
        rows[name] = {**row, "gain": gain}
    return rows


def write_page(trained: Sequence[str], arguments: argparse.Namespace) -> None:
    """Puts the tables between their marks in docs/systems.md, and makes its pictures."""
    page = PAGE.read_text("utf-8")
    page = put(page, "networks", networks_table(trained, arguments.runs))
    for data in arguments.on:
        for terms in TERMS:
            table_of = figures_table(trained, data, terms, arguments.runs)
            page = put(page, f"{data.stem} {terms}", table_of)
    page = put(page, "tint", tint_table(trained, arguments.on, arguments.runs))
    PAGE.write_text(page, "utf-8")
    models = [str(card_of(name, arguments.runs)) for name in trained]
    compare(arguments.show, PICTURES, models=[*models, "default"], plain=True, cell=220, rows=8)


def put(page: str, mark: str, text: str) -> str:
    """The page with `text` between the comments of that mark."""
    begin, end = f"<!-- {mark} -->", f"<!-- end {mark} -->"
    if begin not in page or end not in page:
        raise SystemExit(f"{PAGE}: has no place for '{mark}': add {begin} and {end}.")
    before, rest = page.split(begin)
    return f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end)[1]}"


def networks_table(trained: Sequence[str], runs: Path) -> str:
    """Size and cost of each network."""
    lines = ["| system | parameters | GMACs at 256² | ms at 256² | minutes of training |"]
    lines.append("|---|---|---|---|---|")
    milliseconds = speeds(trained, runs)
    for name in trained:
        facts = json.loads((runs / name / "facts.json").read_text("utf-8"))
        sittings = json.loads((runs / name / "progress.json").read_text("utf-8"))["sittings"]
        minutes = sum(sitting["training_seconds"] for sitting in sittings) / 60
        lines.append(
            f"| {SYSTEMS[name][0]} | {facts['parameters'] / 1e6:.2f} M | {facts['macs'] / 1e9:.2f} "
            f"| {milliseconds[name]:.0f} | {minutes:.0f} |"
        )
    return "\n".join(lines)


def figures_table(trained: Sequence[str], data: Path, terms: str, runs: Path) -> str:
    """Figures with their intervals, on one evaluation set."""
    rows = rows_of(trained)
    found = measure(list(rows), data, terms, runs)
    equal = terms == "equal"
    heads = ("gain", *HEADS) if equal else HEADS
    lines = [f"| system | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    plain = {name: name for name in ("gray", "mean color")}
    for name, label in (rows if equal else plain | rows).items():
        cells = [f"{found[name]['gain']:.2f}"] if equal else []
        for key, form in zip(FIGURES, FORMS, strict=True):
            figure = found[name]["figures"][key]
            cells.append(
                f"{figure['value']:{form}} [{figure['low']:{form}}, {figure['high']:{form}}]"
            )
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tint_table(trained: Sequence[str], data: Sequence[Path], runs: Path) -> str:
    """How brown, and how much of one color, the answers are, over all evaluation sets."""
    path = runs / "figures" / "tint.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    rows = rows_of(trained)
    for name in rows:
        if name not in found:
            truth, answer = tints(data, [model_of(name, runs)], gain=1.0).values()
            found |= {"truth": list(truth), name: list(answer)}
            write_json(path, found)
    return table({label: found[name] for name, label in {"truth": "truth", **rows}.items()})


def write_json(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1), "utf-8")


if __name__ == "__main__":
    main()
