"""Running a model: ONNX Runtime behind one small class.

An `Engine` may be called from several threads at once; the answers are the same as from one.
Weights stored as float16 are widened once, while the model is loaded.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.errors import ModelError
from opsin.models.card import Card
from opsin.models.store import Model, find

# Small networks at 256 pixels gain little from a fifth core, and ONNX Runtime would take all.
MOST_THREADS = 4


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Engine:
    """A loaded model: `run` gives its outputs by name, `card` says what it is."""

    def __init__(self, model: Model, *, threads: int) -> None:
        self.card: Card = model.card
        self._session = _session(model, threads)
        self._check_names(model)

    def run(
        self, inputs: Mapping[str, NDArray[np.float32]], outputs: Sequence[str] = ()
    ) -> dict[str, NDArray[np.float32]]:
        """The output that the card names, and other `outputs`, for arrays in the card's units."""
        feeds = {
            entry.name: (
                inputs[entry.name]
                if (entry.mean, entry.std) == (0.0, 1.0)
                else (inputs[entry.name] - np.float32(entry.mean)) / np.float32(entry.std)
            )
            for entry in self.card.inputs
        }
        try:
            values = self._session.run([self.card.output.name, *outputs], feeds)
        except Exception as error:  # the runtime's errors have no common parent but this
            raise ModelError(f"model '{self.card.name}' failed: {_first_line(error)}") from error
        return dict(zip([self.card.output.name, *outputs], values, strict=True))

    def _check_names(self, model: Model) -> None:
        given = {entry.name for entry in self._session.get_inputs()}
        if given != set(self.card.input_names()):
            raise ModelError(
                f"{model.path}: the network's inputs are {sorted(given)}, "
                f"but its card names {sorted(self.card.input_names())} in `inputs`."
            )
        outputs = {entry.name for entry in self._session.get_outputs()}
        if self.card.output.name not in outputs:
            raise ModelError(
                f"{model.path}: the network's outputs are {sorted(outputs)}, "
                f"but its card names '{self.card.output.name}' in `output.name`."
            )


def load_engine(name: str = "default", *, threads: int | None = None) -> Engine:
    """The engine of the model `name`, loaded once and kept."""
    with _loading:  # two threads that ask at once shall not both load it
        return _loaded(find(name), threads or min(cores(), MOST_THREADS))


@functools.cache
def runtime() -> Any:
    """The onnxruntime module, told to send nothing: opsin is offline.

    From 1.29 on, ONNX Runtime for Linux and macOS writes a device number and a queue of events
    into the user's cache folder and sends them to its makers, unless this variable is set when
    it is loaded (its pull request 27379). The call is the same for Windows.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


_loading = threading.Lock()


@functools.lru_cache(maxsize=8)
def _loaded(model: Model, threads: int) -> Engine:
    return Engine(model, threads=threads)


def _session(model: Model, threads: int) -> Any:
    data = model.read()
    ort = runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised, nothing is printed
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no common parent but this
        raise ModelError(
            f"{model.path}: ONNX Runtime cannot load this network: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
