"""What networks that find things share: boxes in torch, regions of maps, a feature pyramid.

Three operators of ONNX that torch itself lacks (`NonMaxSuppression`, `RoiAlign`, `MaxRoiPool`) are
written out here, which trains; in an exported graph they stand by their names.

Letters: B pictures, C channels, H and W the height and width of a map, N boxes, P the side of what
is pooled of a region. Boxes are x1, y1, x2, y2 in pixels of the network's picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin import boxes

SAMPLES: Final = 2  # across each cell of a region, for ROI align
MOST_GROWTH: Final = 4.0  # of a side, as a logarithm: what a network may say before it has learned


def decode(deltas: Tensor, anchors: Tensor) -> Tensor:
    """`opsin.boxes.decode` in torch: deltas and anchors (..., 4) to boxes (..., 4)."""
    sides = anchors[..., 2:] - anchors[..., :2]
    centers = (anchors[..., :2] + anchors[..., 2:]) / 2 + deltas[..., :2] * sides
    half = sides * deltas[..., 2:].clamp(max=MOST_GROWTH).exp() / 2
    return torch.cat([centers - half, centers + half], dim=-1)


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """`opsin.boxes.encode` in torch; boxes without an area give numbers of no use, but finite."""
    sides = (anchors[..., 2:] - anchors[..., :2]).clamp(min=1e-3)
    theirs = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1e-3)
    way = (boxes[..., :2] + boxes[..., 2:] - anchors[..., :2] - anchors[..., 2:]) / 2
    return torch.cat([way / sides, (theirs / sides).log()], dim=-1)


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """(..., N, M): as `opsin.boxes.iou`, of boxes (..., N, 4) and (..., M, 4)."""
    shared, covered, _ = _overlap(boxes[..., :, None, :], others[..., None, :, :])
    return shared / covered.clamp(min=1e-6)


def giou(boxes: Tensor, others: Tensor) -> Tensor:
    """(...): of each box with the other of its place, from -1 to 1, less the farther apart they
    are (Rezatofighi et al. 2019, algorithm 1)."""
    shared, covered, around = _overlap(boxes, others)
    return shared / covered.clamp(min=1e-6) - (around - covered) / around.clamp(min=1e-6)


def _overlap(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The areas of what two share, of what both cover, and of the least box around both."""
    first, last = boxes[..., :2], boxes[..., 2:]
    start, end = others[..., :2], others[..., 2:]
    shared = (torch.minimum(last, end) - torch.maximum(first, start)).clamp(min=0).prod(-1)
    covered = (last - first).clamp(min=0).prod(-1) + (end - start).clamp(min=0).prod(-1) - shared
    around = (torch.maximum(last, end) - torch.minimum(first, start)).clamp(min=0).prod(-1)
    return shared, covered, around


def best_of(boxes: Tensor, scores: Tensor, *, most: float, limit: int) -> Tensor:
    """(K,): which of boxes (N, 4) to keep, the best first, as `opsin.boxes.nms`; K <= limit."""
    kept: Tensor = _Suppression.apply(boxes, scores, most, limit)  # type: ignore[no-untyped-call]
    return kept


class _Suppression(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, found: Tensor, scores: Tensor, most: float, limit: int) -> Tensor:
        given = found.detach().cpu().numpy(), scores.detach().cpu().numpy()
        kept = torch.from_numpy(boxes.nms(*given, most=most, limit=limit)).to(found.device)
        ctx.mark_non_differentiable(kept)
        return kept

    @staticmethod
    def symbolic(g: Any, found: Any, scores: Any, most: float, limit: int) -> Any:
        def constant(value: Any, dtype: torch.dtype) -> Any:
            return g.op("Constant", value_t=torch.tensor([value], dtype=dtype))

        batched = g.op("Unsqueeze", found, constant(0, torch.int64))
        lines = g.op("Constant", value_t=torch.tensor([0, 1]))
        limits = constant(limit, torch.int64), constant(most, torch.float32)
        rows = g.op("NonMaxSuppression", batched, g.op("Unsqueeze", scores, lines), *limits)
        column = constant(2, torch.int64)  # of batch, class and box
        return g.op("Squeeze", g.op("Gather", rows, column, axis_i=1), constant(1, torch.int64))


def roi_align(maps: Tensor, regions: Tensor, *, scale: float, side: int) -> Tensor:
    """(N, C, P, P): the mean of samples, between pixels, of each cell of each region.

    He et al. 2017, section 3. `maps` is (1, C, H, W), `regions` (N, 4) in pixels of the picture,
    `scale` what a pixel of it is on the map (1 / stride), `side` is P.
    """
    if torch.onnx.is_in_onnx_export():
        named: Tensor = _Align.apply(maps, regions, scale, side)  # type: ignore[no-untyped-call]
        return named
    return _aligned(maps, regions, scale, side)


class _Align(torch.autograd.Function):
    """What ONNX has a name for."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, regions: Tensor, scale: float, side: int) -> Tensor:
        return _aligned(maps, regions, scale, side)

    @staticmethod
    def symbolic(g: Any, maps: Any, regions: Any, scale: float, side: int) -> Any:
        how = {"spatial_scale_f": scale, "sampling_ratio_i": SAMPLES, "mode_s": "avg"}
        how |= {"output_height_i": side, "output_width_i": side}
        first = _zeros(g, regions)
        return g.op("RoiAlign", maps, regions, first, **how)


def _aligned(maps: Tensor, regions: Tensor, scale: float, side: int) -> Tensor:
    """`roi_align` written out: every sample is read between the four pixels around it."""
    height, width = maps.shape[-2:]
    steps = (torch.arange(side * SAMPLES, device=maps.device) + 0.5) / (side * SAMPLES)
    first, last = regions[:, None, :2] * scale, regions[:, None, 2:] * scale
    at = first + (last - first) * steps[None, :, None]  # (N, P * samples, 2): x and y
    x, y = at[..., 0], at[..., 1]
    # grid_sample counts from -1 to 1 between the map's outer edges
    across = (2 * x / width - 1)[:, None, :].expand(-1, side * SAMPLES, -1)
    down = (2 * y / height - 1)[:, :, None].expand(-1, -1, side * SAMPLES)
    places = torch.stack([across, down], dim=-1)  # (N, P * samples, P * samples, 2)
    found = F.grid_sample(
        maps, places.flatten(0, 1)[None], padding_mode="border", align_corners=False
    )
    found = (
        found[0].reshape(len(maps[0]), len(regions), side * SAMPLES, side * SAMPLES).transpose(0, 1)
    )  # (N, C, ., .)
    outside_x = (x - 0.5 < -1) | (x - 0.5 > width)
    outside_y = (y - 0.5 < -1) | (y - 0.5 > height)
    outside = outside_x[:, None, None, :] | outside_y[:, None, :, None]
    return F.avg_pool2d(found.masked_fill(outside, 0), SAMPLES)


def roi_pool(maps: Tensor, regions: Tensor, *, scale: float, side: int) -> Tensor:
    """(N, C, P, P): the largest number in each cell of each region, cells of whole pixels.

    Girshick 2015, section 2.1; arguments as of `roi_align`. A region's corners are rounded to
    pixels of the map, both of which belong to it, and lie on the map.
    """
    height, width = maps.shape[-2:]
    most = regions.new_tensor([width - 1, height - 1, width - 1, height - 1])
    pixels = torch.minimum((regions * scale + 0.5).floor().clamp(min=0), most)
    if torch.onnx.is_in_onnx_export():
        named: Tensor = _Pool.apply(maps, pixels, side)  # type: ignore[no-untyped-call]
        return named
    return _pooled(maps, pixels, side)


def _pooled(maps: Tensor, pixels: Tensor, side: int) -> Tensor:
    """`roi_pool` written out, of regions in whole pixels of the map."""
    parts = [
        F.adaptive_max_pool2d(maps[0, :, y1 : y2 + 1, x1 : x2 + 1], side)
        for x1, y1, x2, y2 in pixels.long().tolist()
    ]
    return torch.stack(parts) if parts else maps.new_zeros(0, maps.shape[1], side, side)


class _Pool(torch.autograd.Function):
    """What ONNX has a name for."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, pixels: Tensor, side: int) -> Tensor:
        """Of the right shape alone: each step of `_pooled` would be written down for each region,
        to be thrown away for the name."""
        return maps.new_zeros(pixels.shape[0], maps.shape[1], side, side)

    @staticmethod
    def symbolic(g: Any, maps: Any, pixels: Any, side: int) -> Any:
        numbered = g.op(
            "Concat", g.op("Unsqueeze", _zeros(g, pixels, torch.float32), _one(g)), pixels, axis_i=1
        )
        return g.op("MaxRoiPool", maps, numbered, pooled_shape_i=[side, side], spatial_scale_f=1.0)


def _zeros(g: Any, rows: Any, dtype: torch.dtype = torch.int64) -> Any:
    """A 0 for each row: the number of the one picture that all regions are of."""
    count = g.op("Gather", g.op("Shape", rows), g.op("Constant", value_t=torch.tensor([0])))
    return g.op("ConstantOfShape", count, value_t=torch.zeros(1, dtype=dtype))


def _one(g: Any) -> Any:
    return g.op("Constant", value_t=torch.tensor([1]))


class Pyramid(nn.Module):
    """Maps at rising strides to maps of one width, each with what the coarser ones saw.

    Lin et al. 2017 (feature pyramid networks), figure 3: a 1x1 convolution at each level, the
    coarser level enlarged and added, and a 3x3 convolution after it. Each channel is brought to one
    size first: in a pretrained encoder's maps a few large ones would hide what tells things apart.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.even = nn.ModuleList(evened(one) for one in channels)
        self.lateral = nn.ModuleList(nn.Conv2d(one, width, 1) for one in channels)
        self.smooth = nn.ModuleList(separable(width, width) for _ in channels)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        even = [layer(one) for layer, one in zip(self.even, maps, strict=True)]
        narrow = [layer(one) for layer, one in zip(self.lateral, even, strict=True)]
        for level in range(len(narrow) - 2, -1, -1):
            narrow[level] = narrow[level] + F.interpolate(narrow[level + 1], scale_factor=2.0)
        return [layer(one) for layer, one in zip(self.smooth, narrow, strict=True)]


def evened(channels: int) -> nn.BatchNorm2d:
    """Each channel with mean 0 and deviation 1 over the pictures of training."""
    layer = nn.BatchNorm2d(channels, affine=False)
    layer.register_buffer("num_batches_tracked", None)  # an integer, which no ONNX file would keep
    return layer


def separable(before: int, after: int) -> nn.Sequential:
    """3x3 for each channel alone, then 1x1 across them: a ninth of the work of both at once."""
    return nn.Sequential(
        nn.Conv2d(before, before, 3, padding=1, groups=before),
        nn.Conv2d(before, after, 1),
        nn.GroupNorm(8, after),
        nn.ReLU(inplace=True),
    )


def say_at_first(layer: nn.Conv2d | nn.Linear, value: float) -> None:
    """Lets a last layer begin with one answer for everything."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, value)


def matched(
    found: Tensor, things: Tensor, kinds: Tensor, *, at_least_one: bool = False
) -> tuple[Tensor, Tensor]:
    """(N,) which thing each box shares most with, and (N,) how much.

    Things are (M, 4) with `kinds` (M,), below 0 for none. Boxes without an area, and those upon
    what is not judged (-2) and on no thing, share -1: they are neither right nor wrong. With
    `at_least_one`, the boxes that share most with a thing share 1.
    """
    every = iou(found, things)
    shared, thing = every.masked_fill(kinds < 0, 0).max(dim=1)
    if at_least_one:
        most = every.amax(dim=0)
        best = (every >= most - 1e-6) & (most > 0) & (kinds >= 0)
        thing = torch.where(best.any(dim=1), best.float().argmax(dim=1), thing)
        shared = shared.masked_fill(best.any(dim=1), 1.0)
    unjudged = inside(found, things).masked_fill(kinds != -2, 0).amax(dim=1) >= 0.5
    empty = (found[:, 2:] <= found[:, :2]).any(dim=1)
    return thing, shared.masked_fill((unjudged & (shared < 0.5)) | empty, -1.0)


def inside(found: Tensor, others: Tensor) -> Tensor:
    """(N, M): how much of each box lies in each other one, from 0 to 1."""
    shared, _, _ = _overlap(found[:, None], others[None])
    area = (found[:, 2:] - found[:, :2]).clamp(min=0).prod(dim=1)
    return shared / area.clamp(min=1e-6)[:, None]


def drawn(on: Tensor, off: Tensor, count: int, *, share: float) -> tuple[Tensor, Tensor]:
    """At random `count` of those that are on things and of those that are not, by number; of the
    first at most that share."""
    first = _some(on, round(count * share))
    return first, _some(off, count - len(first))


def _some(which: Tensor, count: int) -> Tensor:
    numbers = which.nonzero()[:, 0]
    return numbers[torch.randperm(len(numbers), device=numbers.device)[:count]]


def box_loss(found: Tensor, wanted: Tensor, count: int) -> Tensor:
    """Smooth L1 (Girshick 2015, equation 3) of deltas (K, 4), summed and divided by a count.

    Deltas are taken ten times for the center and five times for the sides, so that a usual error
    counts about 1.
    """
    weights = found.new_tensor([10.0, 10.0, 5.0, 5.0])
    return F.smooth_l1_loss(found * weights, wanted * weights, reduction="sum") / max(1, count)


def rows_by_class(logits: Tensor, deltas: Tensor, regions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A row for each region and class: its box (P * C, 4), scores (P * C, C) of which only the
    row's own is not 0, and the region that it is of (P * C, 4).

    Of regions (P, 4): logits (P, C + 1), the last of which is none, and deltas (P, C, 4). What has
    no area scores 0.
    """
    return rows_of(logits.softmax(dim=1)[:, :-1], deltas, regions)


def rows_of(shares: Tensor, deltas: Tensor, regions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As `rows_by_class`, of scores (P, C)."""
    there = (regions[:, 2:] > regions[:, :2]).all(dim=1, keepdim=True)
    shares = shares * there
    own = torch.eye(shares.shape[1], device=shares.device)
    every = regions[:, None].expand_as(deltas)
    scores = (shares[:, :, None] * own).flatten(0, 1)
    return decode(deltas, every).flatten(0, 1), scores, every.flatten(0, 1)
