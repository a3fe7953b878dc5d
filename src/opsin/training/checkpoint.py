"""What torch keeps on disk: read without running code, and checked before it is used.

Checkpoints are passed from hand to hand. `weights_only` sees to it that none of their code is run;
here all else that may be wrong with them becomes one sentence.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from opsin.errors import DataError
from opsin.files import shown


def read_state(path: Path) -> dict[str, Any]:
    """What `torch.save` wrote to `path`; `FileNotFoundError` if there is nothing."""
    if path.exists() and not path.is_file():
        raise DataError(f"{shown(path)}: not a file. Give the checkpoint.pt of a run.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on what is no checkpoint; it is refused below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged or hostile file may raise any
        raise DataError(
            f"{shown(path)}: this checkpoint is damaged, cut off or not of opsin train "
            f"({type(error).__name__}). Copy it again, or train again."
        ) from error
    if not isinstance(state, dict):
        raise _no_run(path)
    return state


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file."""
    from safetensors.torch import load_file

    if not path.is_file():
        raise DataError(f"{shown(path)}: no such file.")
    try:
        return load_file(path)
    except Exception as error:  # its errors have no common parent but this
        raise DataError(f"{shown(path)}: not a sound .safetensors file.") from error


def weights_of(state: dict[str, Any], *keys: str, path: Path) -> dict[str, Tensor]:
    """The weights under a key of a state (or under keys of it, one below the other)."""
    found: Any = state
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()
    ):
        raise _no_run(path)
    return found


def load_weights(network: nn.Module, weights: dict[str, Tensor], path: Path, named: str) -> None:
    """Gives a network its weights; those of another network are a `DataError`.

    `named` is where the network is described, such as "recipe.json".
    """
    own = network.state_dict()
    wrong = [
        name
        for name in sorted(own.keys() | weights.keys())
        if name not in own or name not in weights or not _alike(own[name], weights[name])
    ]
    if wrong:
        raise DataError(
            f"{shown(path)}: is of another network than {named} describes: {len(wrong)} of its "
            f"parameters do not fit, as {shown(wrong[0])[:80]}."
        )
    network.load_state_dict(weights, strict=True)


def _alike(own: Tensor, other: Tensor) -> bool:
    return (
        own.shape == other.shape
        and own.is_floating_point() == other.is_floating_point()
        and own.is_complex() == other.is_complex()
        and own.layout == other.layout
        and not other.is_quantized
        and not other.is_meta
    )


def _no_run(path: Path) -> DataError:
    return DataError(
        f"{shown(path)}: holds no trained network. Give the checkpoint.pt that opsin train wrote."
    )
