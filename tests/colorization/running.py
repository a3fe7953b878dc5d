"""Training and export of colorizers, as `opsin train` and `opsin export` look them up."""

from __future__ import annotations

from functools import partial

from opsin.colorization.data import Data
from opsin.colorization.task import TASK
from opsin.sets.listing import Listing
from opsin.training import crops, finished, run

train = partial(run.train, TASK)
export = partial(finished.export, TASK)
system_of = TASK.system
tables_of = TASK.tables


def Crops(listing: Listing, settings: Data, **place: int) -> crops.Crops:  # noqa: N802
    """The batches of the default network."""
    crop = partial(system_of({"kind": "color_bins"}).crop, settings=settings)
    return crops.Crops(listing, settings, crop, **place)
