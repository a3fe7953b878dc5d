"""What the default colorizer learns: class-rebalanced soft cross-entropy over color bins.

The true color of a position is shared out among the four grid points around it (bilinearly), so
that the mean over the target's bins is exactly the true color. Zhang et al. 2016 (arXiv
1603.08511, section 2.2) share it among the five nearest by a Gaussian instead, whose mean is not.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor

from opsin.colorization.bins import BIN_OF_CELL, BINS, GRID, GRID_RADIUS
from opsin.colorization.decode import decode
from opsin.colorization.networks.color_bins import ColorBins
from opsin.colorization.networks.colorizer import Colorizer
from opsin.colorization.objectives import ColorObjective
from opsin.training.loop import Batch, Stepper
from opsin.training.objective import Loss
from opsin.training.recipe import PartialShare, Share, Weight


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[objective]` table of the default's recipe."""

    frozen_blocks: Annotated[int, Meta(ge=0, le=16)] = 3
    """Of the encoder's first blocks, how many (and the stem) are not trained."""
    encoder_rate: Share = 0.3
    """The encoder's learning rate, as a share of the decoder's."""
    uniform: Share = 0.95
    """Rebalancing: how far each bin's weight goes from 1 / prior (0) to equal weights (1)."""
    positions: PartialShare = 0.5
    """Share of a picture's positions, drawn at random, on which the loss is taken."""
    mean_weight: Weight = 0.0
    """Weight of an added Huber loss on the mean color."""
    local: Weight = 2.0
    """Weight of what hints change beyond the thing that they are about."""


class BinsObjective(ColorObjective):
    """The default network with its loss and its optimizer."""

    def __init__(self, network: ColorBins, settings: Settings, *, stepper: Stepper) -> None:
        network.encoder.freeze(settings.frozen_blocks)
        super().__init__(
            network,
            stepper,
            [
                (list(network.encoder.parameters()), settings.encoder_rate),
                ([p for n, p in network.named_parameters() if not n.startswith("encoder")], 1),
            ],
        )
        self.settings = settings
        device = stepper.device
        self.bins = torch.from_numpy(BINS).to(device)
        self.bin_of_cell = torch.from_numpy(BIN_OF_CELL.astype(np.int64)).to(device)
        self.weight = torch.from_numpy(rebalancing(settings.uniform)).to(device)

    def loss(self, network: ColorBins, batch: Batch) -> Loss:
        """The loss to minimize, and its parts.

        Where hints are given they are to change their things and nothing else: beyond those, what
        the network says without the hints is what it shall say with them.
        """
        maps = network.encoder(batch["light"])
        features = _rows(network.decode(maps, batch["hints"], batch["condition"]))
        ab = _rows(batch["ab"])
        hinted = batch["hints"][:, 2].amax(dim=(1, 2)) > 0  # (B,)
        things = batch["things"].flatten() > 0  # (B h w,)
        beyond = hinted.repeat_interleave(batch["things"][0].numel()) & ~things
        inside = (~beyond).nonzero()[:, 0]
        if network.training and self.settings.positions < 1:
            count = round(len(inside) * self.settings.positions)
            chosen = torch.randint(len(inside), (count,), device=inside.device)
            inside = torch.cat([inside[chosen], things.nonzero()[:, 0]])
        total, parts = self.rows_loss(_logits(network, features[inside]), ab[inside])
        if self.settings.local and bool(beyond.any()):
            change = self._change(network, batch, maps, features, hinted, beyond)
            parts["beyond_hints"] = change.detach()
            total = total + self.settings.local * change
        parts["loss"] = total.detach()
        return total, parts

    def _change(
        self,
        network: ColorBins,
        batch: Batch,
        maps: list[Tensor],
        features: Tensor,
        hinted: Tensor,
        beyond: Tensor,
    ) -> Tensor:
        """How much hints change what they are not about: Kullback-Leibler divergence, in nats."""
        with torch.no_grad():
            none = torch.zeros_like(batch["hints"][hinted])
            plain = network.decode([one[hinted] for one in maps], none, batch["condition"][hinted])
            cells = beyond.reshape(len(hinted), -1)[hinted].flatten()
            before = F.log_softmax(_logits(network, _rows(plain)[cells]), dim=1)
        after = F.log_softmax(_logits(network, features[beyond]), dim=1)
        return F.kl_div(after, before, reduction="batchmean", log_target=True)

    def rows_loss(self, logits: Tensor, ab: Tensor) -> Loss:
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
        at = ab / GRID + GRID_RADIUS
        low = at.floor().clamp(0, 2 * GRID_RADIUS - 1)
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
    def answers(self, network: Colorizer, light: Tensor) -> dict[str, NDArray[np.float32]]:
        given = network.given(light)
        with self.stepper.autocast():
            logits = network(**self.stepper.to_device(given)).float().cpu().numpy()
        return {
            name: np.stack([decode(one, temperature=temperature)[0] for one in logits])
            .repeat(network.stride, axis=1)
            .repeat(network.stride, axis=2)
            for name, temperature in (("muted", 1.0), ("T=0.4", 0.4))
        }


def _rows(maps: Tensor) -> Tensor:
    """A row for each position: (B, C, h, w) -> (B h w, C)."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _logits(network: ColorBins, rows: Tensor) -> Tensor:
    """The head's answer on rows of features: (N, C) -> (N, 313)."""
    return F.linear(rows, network.head.weight.flatten(1), network.head.bias).float()


def rebalancing(uniform: float) -> NDArray[np.float32]:
    """Weight of each bin, (313,), 1 on average over the colors of photographs.

    Zhang et al. 2016, equation 4: 1 / ((1 - uniform) prior + uniform / 313), the prior here a
    plain exponential of chroma, chosen by hand: `opsin.colorization.prior` has the measured shares,
    of which it has too few beyond a chroma of 50.
    """
    distance = np.hypot(BINS[:, 0], BINS[:, 1])
    prior = np.exp(-distance / 9.0)
    prior /= prior.sum()
    weight = 1 / ((1 - uniform) * prior + uniform / len(BINS))
    weight = weight / (weight * prior).sum()
    return np.asarray(weight, np.float32)
