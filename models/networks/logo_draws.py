"""Batches of both networks from scenes on the device: windows with what the finder should answer, pairs for the teller.

The rules are those of `logo_batches.py`, for many windows and places at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.logo_boxes import CELL_PX
from models.logo_codec import Floats
from models.networks.logo_batches import CORE, WINDOW_PX
from models.networks.logo_device import crops_of
from models.networks.logo_store import DeviceScenes

_LUMA_ENDS = 16.0 + 235.0
_ERRORS = (0.02, 0.05, 0.08, 0.12, 0.18)
"""How far a box is off, as shares of its sides."""
_TRIES = 4


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """A batch for the finder, see `logo_batches.Windows`."""

    planes: Tensor
    marks: Tensor
    sides: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """A batch for the teller: n places with a mark and m without, n marks of k views each."""

    seen: Tensor
    """(n + m, 6, 40, 96)."""
    enrolled: Tensor
    """(n, k, 6, 40, 96)."""
    moves: Tensor
    """(n, 4)."""
    judged: Tensor
    """1 a mark, 0 none, -1 hard to say; (n + m,)."""
    seeds: Tensor
    """(n,)."""


def draw_windows(scenes: DeviceScenes, random: np.random.Generator, n: int) -> WindowBatch:
    """Draw windows of scenes, some mirrored and recoloured."""
    chosen = scenes.scenes(random, n)
    height, width = (2 * side for side in scenes.planes.shape[2:])
    left = random.integers((width - WINDOW_PX[0]) // CELL_PX + 1, size=n) * CELL_PX
    top = random.integers((height - WINDOW_PX[1]) // CELL_PX + 1, size=n) * CELL_PX
    rows, columns = WINDOW_PX[1] // 2, WINDOW_PX[0] // 2
    parts = [
        scenes.planes[at, :, y // 2 : y // 2 + rows, x // 2 : x // 2 + columns] for at, x, y in zip(chosen, left, top, strict=True)
    ]
    shift = np.stack((left, top, left, top), axis=1).astype(np.float32)[:, None]
    boxes, unclear = (scenes.put(kept[chosen] - shift) for kept in (scenes.boxes, scenes.unclear))
    marks, sides = grids_of(boxes, unclear, (WINDOW_PX[1] // CELL_PX, WINDOW_PX[0] // CELL_PX))
    planes = torch.stack(parts)
    mirrored = scenes.put(random.random(n) < 0.5)[:, None, None, None]
    planes = torch.where(mirrored, planes[:, [1, 0, 3, 2, 4, 5, 6, 7]].flip(3), planes).float()
    marks, sides = torch.where(mirrored, marks.flip(3), marks), torch.where(mirrored, sides[:, [2, 1, 0, 3]].flip(3), sides)
    return WindowBatch(_recoloured(planes, scenes, random), marks, sides)


def grids_of(boxes: Tensor, unclear: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Say what the finder should answer on many windows, as `logo_batches.grid_of` does on one; boxes without area are none.

    Args:
        boxes: of marks in pixels of the window, (n, k, 4).
        unclear: of what does not matter, (n, m, 4).
        shape: rows and columns of cells.

    Returns:
        marks (n, 1, rows, columns) and sides (n, 4, rows, columns).
    """
    device = boxes.device
    y = (torch.arange(shape[0], device=device) + 0.5).view(1, 1, -1, 1)
    x = (torch.arange(shape[1], device=device) + 0.5).view(1, 1, 1, -1)
    whole, near = boxes / CELL_PX, (unclear / CELL_PX)[..., None, None]
    inside = (x > near[:, :, 0]) & (x < near[:, :, 2]) & (y > near[:, :, 1]) & (y < near[:, :, 3])
    own = _area(whole)
    order = own.argsort(dim=1, descending=True)  # a small mark on a large one answers for itself
    whole, own = whole.gather(1, order[..., None].expand_as(whole)), own.gather(1, order)
    limit = torch.tensor([shape[1], shape[0], shape[1], shape[0]], device=device)
    box = torch.minimum(whole.clamp(min=0.0), limit.float())
    area = _area(box)
    core = _cores(box, (y, x), shape) & (area > 0.02 * own)[..., None, None]
    last = (core * torch.arange(1, boxes.shape[1] + 1, device=device).view(1, -1, 1, 1)).amax(dim=1)  # 0 where none
    at = (last - 1).clamp(min=0).flatten(1)
    seen = (area >= 0.6 * own).float().mul(2.0).sub(1.0).gather(1, at).view_as(last)
    marks = torch.where(last > 0, seen, -inside.any(dim=1).float())
    edges = box.gather(1, at[..., None].expand(-1, -1, 4)).view(*last.shape, 4)
    away = torch.stack((x[:, 0] - edges[..., 0], y[:, 0] - edges[..., 1], edges[..., 2] - x[:, 0], edges[..., 3] - y[:, 0]), dim=1)
    sides = torch.where((last > 0)[:, None], away.clamp(min=0.05), torch.ones_like(away))
    return marks[:, None], sides


def draw_pairs(scenes: DeviceScenes, random: np.random.Generator, *, n: int, n_none: int, n_views: int = 2) -> PairBatch:
    """Draw a batch for the teller; every mark in it is another one, shown as the finder may have found it."""
    picked = scenes.pick(random, n, n_views=n_views)
    n = len(picked.looks)
    off = random.choice(_ERRORS, size=(n, 1))
    wrong = scenes.put(random.normal(0.0, off, (n, 4)).clip(-0.35, 0.35).astype(np.float32))
    size = picked.boxes[:, 2:] - picked.boxes[:, :2]
    shown = picked.boxes + torch.cat((size, size), dim=1) * wrong
    looks, boxes, judged = _nones(scenes, random, n_none)
    both = torch.cat((picked.looks, scenes.put(looks))), torch.cat((shown, scenes.put(boxes)))
    seen = crops_of(scenes.planes, *both)
    places, enrolled, moves = _changed(seen[:n], picked.views.float(), _moves(shown, picked.boxes), scenes, random)
    told = torch.cat((torch.ones(n, device=scenes.device), scenes.put(judged)))
    return PairBatch(torch.cat((places, seen[n:])), enrolled, moves, told, picked.seeds)


def _area(boxes: Tensor) -> Tensor:
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0.0)
    return size[..., 0] * size[..., 1]


def _cores(box: Tensor, cells: tuple[Tensor, Tensor], shape: tuple[int, int]) -> Tensor:
    """Say which cells answer for each box: those around its centre, and the one that holds it."""
    y, x = cells
    centre, half = (box[..., :2] + box[..., 2:]) / 2, (box[..., 2:] - box[..., :2]) / 2 * CORE
    across = (x - centre[..., 0, None, None]).abs() <= half[..., 0, None, None]
    down = (y - centre[..., 1, None, None]).abs() <= half[..., 1, None, None]
    column = centre[..., 0].floor().clamp(max=shape[1] - 1)[..., None, None]
    row = centre[..., 1].floor().clamp(max=shape[0] - 1)[..., None, None]
    return (across & down) | ((x.floor() == column) & (y.floor() == row))


def _moves(shown: Tensor, wanted: Tensor) -> Tensor:
    """Say how boxes should move to become others, as `logo_boxes.moves_to` does."""
    size = shown[:, 2:] - shown[:, :2]
    shift = ((wanted[:, :2] + wanted[:, 2:]) - (shown[:, :2] + shown[:, 2:])) / 2 / size
    return torch.cat((shift, ((wanted[:, 2:] - wanted[:, :2]) / size).log()), dim=1)


def _recoloured(planes: Tensor, scenes: DeviceScenes, random: np.random.Generator) -> Tensor:
    """Turn brightness and colours of some windows around."""
    chances = scenes.put(random.random((4, len(planes)))).view(4, -1, 1, 1, 1)
    luma = torch.where(chances[0] < 0.08, _LUMA_ENDS - planes[:, :4], planes[:, :4])
    u = torch.where(chances[1] < 0.15, 256.0 - planes[:, 4:5], planes[:, 4:5])
    v = torch.where(chances[2] < 0.15, 256.0 - planes[:, 5:6], planes[:, 5:6])
    swapped = chances[3] < 0.2
    return torch.cat((luma, torch.where(swapped, v, u), torch.where(swapped, u, v), planes[:, 6:]), dim=1).clamp(0.0, 255.0)


def _changed(
    seen: Tensor, enrolled: Tensor, moves: Tensor, scenes: DeviceScenes, random: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror and recolour a place and its mark alike: they become those of another mark."""
    n = len(seen)
    pair = torch.cat((seen[:, None], enrolled), dim=1)  # (n, 1 + k, 6, 40, 96)
    chances = scenes.put(random.random((6, n)))
    across, down = chances[0] < 0.4, chances[1] < 0.25
    moves = (
        moves * torch.stack((1.0 - 2.0 * across, 1.0 - 2.0 * down, torch.ones_like(across), torch.ones_like(down)), dim=1).float()
    )
    wide = chances.float().view(6, n, 1, 1, 1, 1)
    pair = torch.where(wide[0] < 0.4, pair.flip(4), pair)
    pair = torch.where(wide[1] < 0.25, pair.flip(3), pair)
    luma = torch.where(wide[2] < 0.15, _LUMA_ENDS - pair[:, :, :1], pair[:, :, :1])
    u = torch.where(wide[3] < 0.25, 256.0 - pair[:, :, 1:2], pair[:, :, 1:2])
    v = torch.where(wide[4] < 0.25, 256.0 - pair[:, :, 2:3], pair[:, :, 2:3])
    swapped = wide[5] < 0.25
    pair = torch.cat((luma, torch.where(swapped, v, u), torch.where(swapped, u, v), pair[:, :, 3:]), dim=2)
    return pair[:, 0], pair[:, 1:], moves


def _nones(scenes: DeviceScenes, random: np.random.Generator, n: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Draw places with no mark: scenery, something else that stands there, or a mark badly framed."""
    looks = scenes.scenes(random, n)
    marks, things = scenes.boxes[looks], scenes.unclear[looks]
    boxes, judged = np.zeros((n, 4), np.float32), np.full(n, -1.0, np.float32)
    for _ in range(_TRIES):
        fresh = _anywhere(random, marks, scenes.planes.shape[2:])
        free = (judged < 0.0) & (_most_shared(fresh, marks) < 0.25)
        boxes = np.where((judged < 0.0)[:, None], fresh, boxes)
        judged[free] = 0.0
    own = things[np.arange(n), random.integers(things.shape[1], size=n)]
    unclear = (own[:, 2] > own[:, 0]) & (random.random(n) < 0.7)
    boxes[unclear], judged[unclear] = own[unclear], -1.0
    return looks, boxes.astype(np.float32), judged


def _anywhere(random: np.random.Generator, marks: Floats, half: Sequence[int]) -> Floats:
    """Draw one box a look, two in five of them touching a mark of it."""
    n = len(marks)
    across = random.uniform(50.0, 320.0, n)
    tall = across * random.choice((1.0, 0.6, 0.4, 0.25, 0.18), n)
    near = marks[np.arange(n), random.integers(marks.shape[1], size=n)]
    beside = (near[:, 2] > near[:, 0]) & (random.random(n) < 0.6)
    left = np.where(beside, random.uniform(near[:, 0] - across, near[:, 2]), random.uniform(0.0, 2.0 * half[1] - across))
    top = np.where(beside, random.uniform(near[:, 1] - tall, near[:, 3]), random.uniform(0.0, 2.0 * half[0] - tall))
    return np.stack((left, top, left + across, top + tall), axis=1).astype(np.float32)


def _most_shared(boxes: Floats, marks: Floats) -> Floats:
    """Say how much of its union each box shares with the mark of its look that it shares most with, shape (n,)."""
    low, high = np.maximum(boxes[:, None, :2], marks[..., :2]), np.minimum(boxes[:, None, 2:], marks[..., 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=2)
    own, theirs = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1), (marks[..., 2:] - marks[..., :2]).prod(axis=2)
    share: Floats = (shared / np.maximum(own[:, None] + theirs - shared, 1.0)).max(axis=1)
    return share
