"""Running a model: ONNX Runtime behind one small class.

An `Engine` may be called from several threads at once; the answers are the same as from one.
Weights stored as float16 are widened once, while the model is loaded.
"""

from __future__ import annotations

import functools
import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.errors import ModelError
from opsin.files import shown
from opsin.machine import cores
from opsin.models.card import Card, sides
from opsin.models.halves import Halves, halves_of
from opsin.models.store import Model, find

# Small networks at 256 pixels gain little from a fifth core, and ONNX Runtime would take all.
MOST_THREADS = 4
MOST = 1e4  # no logit, color or coordinate of a sound network comes near it
OUTSIDE = ("External data", "external data", "should be stored in")  # ONNX Runtime's words


class Provider(NamedTuple):
    """Where ONNX Runtime computes, and the package that brings it."""

    name: str
    package: str


DEVICES: Final = {
    "cpu": Provider("CPUExecutionProvider", "onnxruntime"),
    "cuda": Provider("CUDAExecutionProvider", "onnxruntime-gpu"),
    "coreml": Provider("CoreMLExecutionProvider", "onnxruntime"),
    "directml": Provider("DmlExecutionProvider", "onnxruntime-directml"),
    "openvino": Provider("OpenVINOExecutionProvider", "onnxruntime-openvino"),
}


class Engine:
    """A loaded model: `run` gives its outputs by name, `card` says what it is."""

    def __init__(
        self, model: Model, *, threads: int, device: str = "cpu", data: bytes | None = None
    ) -> None:
        """`data` is another network than the model's file, with the same inputs and outputs."""
        self.card: Card = model.card
        self.device = device
        if model.card.file.endswith(".xml"):
            raise ModelError(
                f"model '{model.card.name}' is a cascade, no network: faces are found by it, "
                "on the CPU, and there is nothing else to run or to look into."
            )
        optional = [entry.name for entry in model.card.inputs if entry.optional]
        halves = None
        if data is None:
            data = model.read()
            halves = halves_of(data, optional) if optional and device == "cpu" else None
        load = functools.partial(session_of, path=model.path, threads=threads, device=device)
        self._cut, self._sessions = _in_halves(halves, load) or ((), [load(data)])
        self._turn = nullcontext() if device == "cpu" else threading.Lock()
        self._check(model)

    def run(
        self,
        inputs: Mapping[str, NDArray[np.float32]],
        outputs: Sequence[str] = (),
        *,
        kept: dict[str, Any] | None = None,
    ) -> dict[str, NDArray[np.float32]]:
        """The outputs that the card names, and other `outputs`, for arrays in the card's units.

        Inputs that the card calls optional may be left out and are all 0 then; a missing one and
        one that the network does not take are a `ValueError`. The outputs are as the card
        promises: their shape, finite, and not beyond what sound networks give.

        `kept` is a dictionary, empty at first, of a caller who asks again with the same required
        inputs: what is known from those alone, as of an encoder, is kept there and not computed
        again.
        """
        feeds, sizes = self._feeds(inputs)
        names = [*self.card.output_names(), *outputs]
        try:
            with self._turn:
                values = dict(zip(names, self._answer(names, feeds, kept), strict=True))
        except Exception as error:  # the runtime's errors have no common parent but this
            raise ModelError(f"model '{self.card.name}' failed: {first_line(error)}") from error
        for promised in self.card.outputs:
            self._check_output(values[promised.name], sides(promised.shape, sizes))
        return values

    def _answer(
        self, names: Sequence[str], feeds: dict[str, Any], kept: dict[str, Any] | None
    ) -> Any:
        """What the network gives; of one in halves both are asked, the first if it must be."""
        if len(self._sessions) == 1:
            return self._sessions[0].run(names, feeds)
        first, second = self._sessions
        known = {} if kept is None else kept
        if not known:
            known |= dict(zip(self._cut, first.run(self._cut, _taken(first, feeds)), strict=True))
        return second.run(names, _taken(second, {**feeds, **known}))

    def _feeds(
        self, inputs: Mapping[str, NDArray[np.float32]]
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, int]]:
        """What the network is given, and the size of each free axis."""
        name, known = self.card.name, {entry.name: entry for entry in self.card.inputs}
        required = {entry.name for entry in self.card.inputs if not entry.optional}
        if wrong := (inputs.keys() - known.keys()) | (required - inputs.keys()):
            raise ValueError(
                f"model '{name}' takes {_listed(known)} and must have {_listed(sorted(required))}; "
                f"wrong or missing: {_listed(sorted(wrong))}."
            )
        sizes = {
            axis: size
            for key, values in inputs.items()
            for axis, size in zip(known[key].shape, values.shape, strict=False)
            if isinstance(axis, str)
        }
        feeds = {}
        for entry in self.card.inputs:
            values = inputs.get(entry.name)
            if values is None:
                values = np.zeros([side or 1 for side in sides(entry.shape, sizes)], np.float32)
            if (entry.mean, entry.std) != (0.0, 1.0):
                values = (values - np.float32(entry.mean)) / np.float32(entry.std)
            feeds[entry.name] = values
        return feeds, sizes

    def _check_output(self, output: NDArray[np.float32], promised: tuple[int | None, ...]) -> None:
        card = self.card
        if len(output.shape) != len(promised) or any(
            side not in (None, size) for side, size in zip(promised, output.shape, strict=True)
        ):
            raise ModelError(
                f"model '{card.name}' gave an answer of shape {output.shape}, "
                f"its card promises {promised}."
            )
        with np.errstate(invalid="ignore"):  # nan if one is nan
            low, high = float(output.min(initial=0)), float(output.max(initial=0))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ModelError(f"model '{card.name}' gave no finite answer for this photograph.")
        if max(-low, high) > MOST:
            raise ModelError(
                f"model '{card.name}' gave numbers beyond {MOST:,.0f}, as no sound network does."
            )

    def _check(self, model: Model) -> None:
        """The network must take and give what its card says."""
        given = {
            entry.name: entry
            for session in self._sessions
            for entry in session.get_inputs()
            if entry.name not in self._cut
        }
        if given.keys() != set(self.card.input_names()):
            raise ModelError(
                f"{shown(model.path)}: the network's inputs are {_listed(given)}, "
                f"but its card names {_listed(self.card.input_names())} in `inputs`."
            )
        outputs = {entry.name: entry for entry in self._sessions[-1].get_outputs()}
        names = self.card.output_names()
        if missing := [name for name in names if name not in outputs]:
            raise ModelError(
                f"{shown(model.path)}: the network's outputs are {_listed(outputs)}, "
                f"but its card names '{missing[0]}' in `outputs`."
            )
        for entry in (*given.values(), *(outputs[name] for name in names)):
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


def _in_halves(
    halves: Halves | None, load: Callable[[bytes], Any]
) -> tuple[Sequence[str], list[Any]] | None:
    """What the second half is given of the first, and both, loaded; None if it is one network."""
    if halves is None:
        return None
    first = load(halves.first)
    second = halves.second([entry.type for entry in first.get_outputs()])
    return None if second is None else (halves.cut, [first, load(second)])


def _taken(session: Any, feeds: Mapping[str, Any]) -> dict[str, Any]:
    return {entry.name: feeds[entry.name] for entry in session.get_inputs()}


def load_engine(
    name: str = "default", *, threads: int | None = None, device: str = "cpu"
) -> Engine:
    """The engine of the model `name` on a device, loaded once and kept.

    `device` is "cpu", "cuda", "coreml", "directml" or "openvino"; one that this ONNX Runtime does
    not have is a `ModelError`.
    """
    with _loading:  # two threads that ask at once shall not both load it
        return _loaded(find(name), threads or min(cores(), MOST_THREADS), device)


def devices() -> list[str]:
    """The devices that the installed ONNX Runtime knows.

    >>> devices()[0]
    'cpu'
    """
    there = runtime().get_available_providers()
    return [device for device, provider in DEVICES.items() if provider.name in there]


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
def _loaded(model: Model, threads: int, device: str) -> Engine:
    return Engine(model, threads=threads, device=device)


def session_of(data: bytes, path: Path, *, threads: int = MOST_THREADS, device: str = "cpu") -> Any:
    """ONNX Runtime's session of a network; `path` is where it came from, for the errors."""
    ort, provider = runtime(), _provider(device)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised, nothing is printed
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # weights in other files are looked for below a file, where there can be none
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(path / "none")
    )
    options.enable_mem_pattern = device != "directml"  # which allows none
    providers = list(dict.fromkeys([provider.name, DEVICES["cpu"].name]))
    try:
        session = ort.InferenceSession(data, options, providers=providers, enable_fallback=0)
        for entry in (*session.get_inputs(), *session.get_outputs()):
            str(entry)  # its names are read only now, and may be no text
    except Exception as error:  # the runtime's errors have no common parent but this
        if any(words in str(error) for words in OUTSIDE):
            raise ModelError(
                f"{shown(path)}: its weights lie in another file, which the SHA-256 of its "
                "card does not cover. Save the network as one file."
            ) from error
        raise ModelError(
            f"{shown(path)}: ONNX Runtime cannot load this network: {first_line(error)}"
        ) from error
    if provider.name not in session.get_providers():  # its libraries or its hardware are missing
        raise ModelError(f"device '{device}' does not work on this machine. {_there()}")
    return session


def _provider(device: str) -> Provider:
    if device not in DEVICES:
        raise ModelError(f"unknown device '{shown(device)}'. {_there()}")
    if device not in devices():
        raise ModelError(
            f"device '{device}' is not in this ONNX Runtime. {_there()} For others: "
            f"pip install {DEVICES[device].package} (in place of onnxruntime)."
        )
    return DEVICES[device]


def _there() -> str:
    return f"There are: {', '.join(devices())}."


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
