"""Recognition as a task that `opsin train` teaches; its systems, by `network.kind`."""

from __future__ import annotations

from opsin.training.crops import Data
from opsin.training.task import Task

TASK = Task("classify", Data, {})
