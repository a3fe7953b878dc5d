"""Running a model: ONNX Runtime behind one small class.

An `Engine` may be called from several threads at once; the answers are the same as from one.
Weights stored as float16 are widened once, while the model is loaded.
"""

from __future__ import annotations

import functools
import math
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.errors import ModelError
from opsin.files import shown
from opsin.machine import cores
from opsin.models.card import CHANNELS, Card
from opsin.models.store import Model, find

# Small networks at 256 pixels gain little from a fifth core, and ONNX Runtime would take all.
MOST_THREADS = 4
MOST = 1e4  # no logit and no a* or b* of a sound network comes near it
OUTSIDE = ("External data", "external data", "should be stored in")  # ONNX Runtime's words


class Engine:
    """A loaded model: `run` gives its outputs by name, `card` says what it is."""

    def __init__(self, model: Model, *, threads: int) -> None:
        self.card: Card = model.card
        self._session = session_of(model.read(), model.path, threads=threads)
        self._check(model)

    def run(
        self, inputs: Mapping[str, NDArray[np.float32]], outputs: Sequence[str] = ()
    ) -> dict[str, NDArray[np.float32]]:
        """The output that the card names, and other `outputs`, for arrays in the card's units.

        The output is as the card promises: its shape, finite, and not beyond all colors.
        """
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
            raise ModelError(f"model '{self.card.name}' failed: {first_line(error)}") from error
        self._check_answer(values[0], inputs["light"].shape[2:])
        return dict(zip([self.card.output.name, *outputs], values, strict=True))

    def _check_answer(self, answer: NDArray[np.float32], seen_hw: tuple[int, ...]) -> None:
        card = self.card
        expected = (
            1,
            CHANNELS[card.output.kind],
            *(side // card.output.stride for side in seen_hw),
        )
        if answer.shape != expected:
            raise ModelError(
                f"model '{card.name}' gave an answer of shape {answer.shape}, "
                f"its card promises {expected}."
            )
        with np.errstate(invalid="ignore"):
            low, high = float(answer.min()), float(answer.max())  # nan if one is nan
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ModelError(f"model '{card.name}' gave no finite answer for this photograph.")
        if max(-low, high) > MOST:
            raise ModelError(
                f"model '{card.name}' gave numbers beyond {MOST:,.0f}, which are no colors."
            )

    def _check(self, model: Model) -> None:
        """The network must take and give what its card says."""
        given = {entry.name: entry for entry in self._session.get_inputs()}
        if given.keys() != set(self.card.input_names()):
            raise ModelError(
                f"{shown(model.path)}: the network's inputs are {_listed(given)}, "
                f"but its card names {_listed(self.card.input_names())} in `inputs`."
            )
        outputs = {entry.name: entry for entry in self._session.get_outputs()}
        name = self.card.output.name
        if name not in outputs:
            raise ModelError(
                f"{shown(model.path)}: the network's outputs are {_listed(outputs)}, "
                f"but its card names '{name}' in `output.name`."
            )
        for entry in (*given.values(), outputs[name]):
            if entry.type != "tensor(float)":
                raise ModelError(
                    f"{shown(model.path)}: the network's '{entry.name}' is a {entry.type}, "
                    "and must be a tensor of float32."
                )
        for promised in self.card.inputs:
            shape = given[promised.name].shape
            if shape and not _same_shape(shape, promised.shape):
                raise ModelError(
                    f"{shown(model.path)}: the network takes '{promised.name}' of shape "
                    f"{_listed(shape)}, its card says {_listed(promised.shape)}."
                )


def try_out(model: Model) -> None:
    """Runs a model on a made picture, upright and across; a `ModelError` if it does not work."""
    engine = Engine(model, threads=min(cores(), MOST_THREADS))
    side = model.card.multiple * -(-32 // model.card.multiple)  # 32 or more
    for size_hw in ((side, 2 * side), (2 * side, side)):
        engine.run(made_inputs(model.card, *size_hw))


def made_inputs(card: Card, height: int, width: int) -> dict[str, NDArray[np.float32]]:
    """What a network may be given: L* that rises to the right, no hints and no condition."""
    made: dict[str, NDArray[np.float32]] = {}
    for entry in card.inputs:
        sides = zip(entry.shape, (1, 1, height, width), strict=False)
        shape = [axis if isinstance(axis, int) else side for axis, side in sides]
        top = 100 if entry.name in ("light", "thumbnail") else 0
        line = np.linspace(0, top, shape[-1], dtype=np.float32)
        made[entry.name] = np.ascontiguousarray(np.broadcast_to(line, shape))
    return made


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


def session_of(data: bytes, path: Path, *, threads: int = MOST_THREADS) -> Any:
    """ONNX Runtime's session of a network; `path` is where it came from, for the errors."""
    ort = runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised, nothing is printed
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # weights in other files are looked for below a file, where there can be none
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(path / "none")
    )
    try:
        session = ort.InferenceSession(
            data, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
        for entry in (*session.get_inputs(), *session.get_outputs()):
            str(entry)  # its names are read only now, and may be no text
        return session
    except Exception as error:  # the runtime's errors have no common parent but this
        if any(words in str(error) for words in OUTSIDE):
            raise ModelError(
                f"{shown(path)}: its weights lie in another file, which the SHA-256 of its "
                "card does not cover. Save the network as one file."
            ) from error
        raise ModelError(
            f"{shown(path)}: ONNX Runtime cannot load this network: {first_line(error)}"
        ) from error


def _same_shape(shape: Sequence[Any], promised: Sequence[int | str]) -> bool:
    """Whether a network takes all that its card promises; a free axis has no number."""
    return len(shape) == len(promised) and all(
        one == other or not isinstance(one, int) for one, other in zip(shape, promised, strict=True)
    )


def _listed(values: Iterable[Any]) -> str:
    """Names or sides in brackets, as they may be printed."""
    return shown(f"[{', '.join(map(repr, list(values)[:8]))}]")


def first_line(error: Exception) -> str:
    """What ONNX Runtime says, as it may be printed."""
    return shown((str(error).splitlines() or [type(error).__name__])[0][:300])
