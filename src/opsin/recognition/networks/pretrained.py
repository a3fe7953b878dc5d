"""EfficientNet-lite with a new last layer, for classes of one's own (B6, end to end)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from opsin.recognition.networks.bilinear import Extractor


class Pretrained(nn.Module):
    """A picture (B, 3, H, W), sRGB in 0..1, to (B, n) numbers before the softmax."""

    def __init__(
        self, classes: int, *, backbone: str = "lite2", frozen: bool = False, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.frozen = frozen
        self.extractor = Extractor(backbone)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(self.extractor.channels, classes)
        if frozen:
            self.extractor.requires_grad_(False)

    def forward(self, picture: Tensor, seen: Tensor | None = None) -> Tensor:
        """`seen` is what `look` gave for the pictures, if that is kept."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            if seen is None:
                seen = self.look(picture)
            deepest = seen.view(-1, *self.extractor.cells(picture))
            features = self.extractor.finish(deepest).mean(dim=(2, 3))  # (B, 1280)
        return self.last(self.dropout(features))

    def look(self, picture: Tensor) -> Tensor:
        """What the extractor sees, before what is quickly computed of it, as numbers (B, K)."""
        return self.extractor.look(picture).flatten(1)


class Told(nn.Module):
    """The same with all that it knows, as it is exported: what can be learned from, and seen."""

    def __init__(self, network: Pretrained) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (B, n), features (B, 1280), and the map (B, 1280, h, w) that they are means of."""
        found = self.network.extractor(picture)
        features = found.mean(dim=(2, 3))
        return self.network.last(features), features, found
