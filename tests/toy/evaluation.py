"""How it is judged: is the class the folder that the picture lies in?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from opsin.evaluate.report import Metric, Report, provenance, report
from opsin.models.engine import load_engine
from opsin.sets.pictures import read
from opsin.sets.sources import Paths
from toy.answer import classify

RIGHT = Metric("right", "right", ".0%", "higher", "pictures whose class is right")


def evaluate(
    data: Paths,
    *,
    model: str | Sequence[str],
    limit: int | None = None,
    on_picture: Callable[[Any], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> Report:
    models = [model] if isinstance(model, str) else model

    def work(picture: tuple[str, Any]) -> tuple[str, dict[str, dict[str, float]], str]:
        name, rgb = picture
        truth = PurePosixPath(name).parts[0]
        return (
            name,
            {one: {"right": next(iter(classify(rgb, one))) == truth} for one in models},
            name,
        )

    found = report(work, read(data, limit=limit, on_skip=on_skip), [RIGHT], on_item=on_picture)
    cards = [load_engine(one).card for one in models]
    return replace(found, provenance=provenance(cards, data=list(map(str, data))))
