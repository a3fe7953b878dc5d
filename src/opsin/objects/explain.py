"""How a detector comes to its answer: where it looks, what of that survives, and what it tells.

It is followed on the whole photograph, without tiles. Where a network looks is what it gives as
`origins`: regions that it was told, proposals that it made itself, or cells of a grid; one that
gives none is followed from its answers on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from opsin import boxes
from opsin.boxes import Floats
from opsin.drawing.boxes import framed
from opsin.drawing.pixels import as_rgb, fitted
from opsin.drawing.sheet import Cell
from opsin.machine import cores
from opsin.models.card import Card
from opsin.models.engine import MOST_THREADS
from opsin.objects.clock import Clock
from opsin.objects.pipeline import engine_of
from opsin.objects.search import Found, answer_of, scored, table_of
from opsin.photo import Photo
from opsin.photo import open as open_photo

STEPS: Final = ("picture", "proposals", "crops", "network", "suppression")
"""What takes time: the photograph is made small; regions are proposed; each is cut out; the network
looks; of answers that overlap the best are kept. One that proposes itself does so as it looks."""


@dataclass(frozen=True, eq=False)
class Explained:
    """What one detector did on a photograph; boxes are in its pixels, see `opsin.boxes`."""

    photo: Photo
    card: Card
    regions: Floats
    """(R, 4): where it looked, each region once; none if the network does not say."""
    survived: Floats
    """(S, 4): the regions of all answers that score enough; the answers themselves if it is not
    known where they are from."""
    things: Found
    """What is told: the best of the answers that overlap."""
    seconds: Mapping[str, float]
    """How long each of `STEPS` took that there was."""

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON, but for the regions, which are counted."""
        things = [
            {"name": self.card.labels[kind], "score": round(float(score), 4), "box": box}
            for box, score, kind in zip(
                self.things.boxes.round(1).tolist(),
                self.things.scores,
                self.things.labels,
                strict=True,
            )
        ]
        return {
            "model": self.card.name,
            "network": self.card.network,
            "regions": len(self.regions),
            "survived": len(self.survived),
            "objects": things,
            "seconds": {name: round(value, 4) for name, value in self.seconds.items()},
        }

    def cells(self, side: int) -> list[Cell]:
        """Three pictures in squares of `side` pixels: the regions, what survived, what is told."""
        small = fitted(as_rgb(self.photo.pixels), side)
        by = small.shape[1] / self.photo.width, small.shape[0] / self.photo.height
        names = [self.card.labels[kind] for kind in self.things.labels]
        drawn = [framed(small, boxes.scale(one, *by)) for one in (self.regions, self.survived)]
        drawn[0] = small // 2 + drawn[0] // 2  # hundreds of frames would hide what is under them
        drawn.append(framed(small, boxes.scale(self.things.boxes, *by), names=names))
        spent = "\n".join(f"{name} {value:.2f} s" for name, value in self.seconds.items())
        looks = (
            f"looks at {len(self.regions)}" if len(self.regions) else "does not say where it looks"
        )
        captions = (
            f"{self.card.name}: {looks}",
            f"{len(self.survived)} survive",
            f"{len(names)} told in {sum(self.seconds.values()):.2f} s",
        )
        first = Cell(drawn[0], f"{captions[0]}\n{spent}")
        return [first, *map(Cell, drawn[1:], captions[1:])]


def explain(
    photo: Any,
    *,
    model: str,
    threshold: float | None = None,
    threads: int | None = None,
    device: str = "cpu",
) -> Explained:
    """How a model detects what is on `photo`; arguments as of `opsin.detect`.

    It looks twice, and the second time counts: the first one makes ready what later ones use.
    """
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    engine = engine_of(model, threads=threads or min(cores(), MOST_THREADS), device=device)
    table = table_of(engine.card)
    threshold = table.threshold if threshold is None else threshold
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}")
    answer_of(photo.pixels, engine)
    clock = Clock()
    answer, by = answer_of(photo.pixels, engine, clock)
    with clock.step("suppression"):
        found, rows = scored(answer, by, threshold)
        things = found.best(table.overlap)
    origins = answer.get("origins", np.zeros((1, 0, 4), np.float32))[0] / np.tile(by, 2)
    survived = _once(origins[rows]) if len(origins) else found.boxes
    size = photo.height, photo.width
    return Explained(
        photo,
        engine.card,
        boxes.clip(_once(origins), *size),
        boxes.clip(survived, *size),
        things._replace(boxes=boxes.clip(things.boxes, *size)),
        clock.seconds,
    )


def _once(regions: Floats) -> Floats:
    """Each region once, those without an area left out."""
    found = boxes.as_boxes(np.unique(regions, axis=0))
    return found[boxes.area(found) > 0]
