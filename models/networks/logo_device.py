"""What `logo_codec` and `logo_renderings` do with numpy, for many places at once on the device that trains.

Crops of packed looks and the views of a mark as it is enrolled; the numbers are those of the serving side but for rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX, MARGIN, N_CROP

PATCH_PX = (320, 480)
"""Rows and columns of luma around a place that its crop is made from: what lies farther out is not seen."""
_LEVELS = ((30.0, 90.0), (60.0, 130.0), (90.0, 160.0), (150.0, 225.0), (20.0, 230.0))
"""Luma that the frames behind an enrolled mark move between."""
_N_FRAMES = 4
_ROOM = 0.72
"""Largest share of a canvas that a mark fills."""
_LUMA = (0.257, 0.504, 0.098)
_U, _V = (-0.148, -0.291, 0.439), (0.439, -0.368, -0.071)


@dataclass(frozen=True, slots=True, eq=False)
class Sprites:
    """Marks as small pictures, each in the corner of a sheet of one size."""

    rgba: Tensor
    """Straight alpha, uint8, (n, 4, rows, columns)."""
    sizes: Tensor
    """Height and width of each, float, (n, 2)."""


def crops_of(packed: Tensor, looks: Tensor, boxes: Tensor) -> Tensor:
    """Show places with a margin, as `logo_codec.crops` does.

    Args:
        packed: looks, uint8, (k, 8, H / 2, W / 2).
        looks: number of the look of each place, (n,).
        boxes: left, top, right, bottom in pixels of luma, (n, 4).

    Returns:
        float32 in 0..255, (n, 6, 40, 96).
    """
    rows, columns = (min(most // 2, side) for most, side in zip(PATCH_PX, packed.shape[2:], strict=True))
    x, y = _span(boxes[:, 0], boxes[:, 2]), _span(boxes[:, 1], boxes[:, 3])
    left, top = _origin(x, columns, packed.shape[3]), _origin(y, rows, packed.shape[2])
    planes = torch.arange(packed.shape[1], device=packed.device)[None, :, None, None]
    down = (top[:, None] + torch.arange(rows, device=packed.device))[:, None, :, None]
    right = (left[:, None] + torch.arange(columns, device=packed.device))[:, None, None, :]
    part = packed[looks[:, None, None, None], planes, down, right].float()  # (n, 8, rows, columns)
    luma = F.pixel_shuffle(part[:, :4], 2)
    shown = _stretched(luma, (y, top * 2, CROP_HEIGHT_PX, packed.shape[2] * 2), (x, left * 2, CROP_WIDTH_PX, packed.shape[3] * 2))
    coarse = _stretched(part[:, 4:], (y / 2, top, CROP_HEIGHT_PX, packed.shape[2]), (x / 2, left, CROP_WIDTH_PX, packed.shape[3]))
    size = (boxes[:, 2:] - boxes[:, :2]).clamp(min=2.0)
    form = (128.0 + 32.0 * torch.log2(size[:, 0] / size[:, 1])).clamp(0.0, 255.0)
    out = torch.cat((shown, coarse, form[:, None, None, None].expand(-1, 1, CROP_HEIGHT_PX, CROP_WIDTH_PX)), dim=1)
    assert out.shape[1] == N_CROP
    return out


def views_of(sprites: Sprites, *, width: int, dice: torch.Generator) -> Tensor:
    """Show marks as they are enrolled, as `logo_renderings.view` does, at one width and any strength and ground.

    Args:
        sprites: the marks.
        width: pixels of a mark in a frame 1280 wide; a tall one is shown smaller.
        dice: of the sprites' device.

    Returns:
        float32 in 0..255, (n, 6, 40, 96).
    """
    n, device = len(sprites.rgba), sprites.rgba.device
    side = -(-int(width / _ROOM) // 16) * 16
    size = _shown_sizes(sprites.sizes, width, side)
    start = (side - size).long() // 4 * 2  # top and left, (n, 2)
    alpha = sprites.rgba[:, 3:].float() / 255.0
    sheet = torch.cat((_yuv(sprites.rgba[:, :3].float()) * alpha, alpha), dim=1)  # colours weighed with their alpha
    down = _placing(start[:, 0], size[:, 0], sprites.sizes[:, 0], (side, sheet.shape[2]))
    right = _placing(start[:, 1], size[:, 1], sprites.sizes[:, 1], (side, sheet.shape[3]))
    strength = torch.empty(n, 1, 1, 1, device=device).uniform_(0.45, 1.0, generator=dice)
    laid = (strength * (down[:, None] @ sheet @ right[:, None].transpose(2, 3))).transpose(0, 1)  # (4, n, side, side)
    luma, tones = _behind(n, side, dice)
    luma = ((luma * (1.0 - laid[3])[:, None] + laid[0][:, None]).clamp(0.0, 255.0) + 0.5).floor()
    thin = F.avg_pool2d(laid[1:], 2)  # (3, n, side / 2, side / 2)
    chroma = [(tones[:, :, at, None, None] * (1.0 - thin[2])[:, None] + thin[at][:, None] + 0.5).floor() for at in (0, 1)]
    packed = gathered(luma, torch.stack(chroma, dim=2))
    box = torch.cat((start.flip(1).float(), (start + size).flip(1).float()), dim=1)
    return crops_of(packed, torch.arange(n, device=device), box)


def gathered(luma: Tensor, chroma: Tensor) -> Tensor:
    """Gather frames to a packed look each, as `planes_of` and `packed` do.

    Args:
        luma: (n, frames, H, W), whole numbers.
        chroma: (n, frames, 2, H / 2, W / 2).

    Returns:
        uint8, (n, 8, H / 2, W / 2).
    """
    n_frames = luma.shape[1]
    skipped = n_frames // 6
    ordered = luma.sort(dim=1).values
    far = ordered[:, n_frames - 1 - skipped] - ordered[:, skipped]
    spread = (F.avg_pool2d(far, 2) + 0.5).floor()
    steps = torch.maximum(
        F.pad((luma[..., 1:] - luma[..., :-1]).abs(), (0, 1)), F.pad((luma[..., 1:, :] - luma[..., :-1, :]).abs(), (0, 0, 0, 1))
    )
    edges = F.max_pool2d(steps.amin(dim=1), 2)
    quarters = F.pixel_unshuffle(ordered[:, n_frames // 2, None], 2)
    colours = chroma.sort(dim=1).values[:, n_frames // 2]
    return torch.cat((quarters, colours, spread[:, None], edges[:, None]), dim=1).clamp(0.0, 255.0).to(torch.uint8)


def _span(low: Tensor, high: Tensor) -> Tensor:
    """Widen a place's sides by the margin, (n, 2)."""
    size = (high - low).clamp(min=2.0)
    return torch.stack((low - MARGIN * size, low + size + MARGIN * size), dim=1)


def _origin(span: Tensor, length: int, limit: int) -> Tensor:
    """Choose where a patch of coarse pixels begins so that the span lies in its middle."""
    return (span.mean(dim=1) / 2 - length / 2).round().clamp(0, limit - length).long()


def _stretched(part: Tensor, rows: tuple[Tensor, Tensor, int, int], columns: tuple[Tensor, Tensor, int, int]) -> Tensor:
    down, right = (_weights(span, first, n, limit, part.shape[at]) for at, (span, first, n, limit) in ((2, rows), (3, columns)))
    stretched: Tensor = down[:, None] @ part @ right[:, None].transpose(2, 3)
    return stretched


def _weights(span: Tensor, first: Tensor, n: int, limit: int, length: int) -> Tensor:
    """Weigh the pixels of a patch for n samples of a span, as `logo_codec` does; (places, n, length)."""
    pitch = (span[:, 1] - span[:, 0])[:, None] / n
    centres = (span[:, :1] + (torch.arange(n, device=span.device) + 0.5) * pitch - 0.5).clamp(0.0, limit - 1.0)
    centres = torch.minimum(torch.maximum(centres, first[:, None].float()), first[:, None] + length - 1.0)
    pixels = first[:, None].float() + torch.arange(length, device=span.device)
    far = (pixels[:, None, :] - centres[:, :, None]).abs() / pitch.clamp(min=1.0)[:, :, None]
    weights = (1.0 - far).clamp(min=0.0)
    return weights / weights.sum(dim=2, keepdim=True)


def _shown_sizes(sizes: Tensor, width: int, side: int) -> Tensor:
    """Say how high and wide marks are shown, whole numbers, (n, 2)."""
    scale = torch.minimum(width / sizes[:, 1], _ROOM * side / sizes[:, 0])
    return (sizes * scale[:, None]).round().clamp(min=4.0)


def _placing(start: Tensor, shown: Tensor, length: Tensor, shape: tuple[int, int]) -> Tensor:
    """Weigh a sheet's pixels for those of a canvas on which a mark begins at `start`; (n, canvas, sheet)."""
    at = torch.arange(shape[0], device=start.device) - start[:, None]
    pitch = (length / shown)[:, None]
    centres = ((at + 0.5) * pitch - 0.5).clamp(min=0.0)
    centres = torch.minimum(centres, length[:, None] - 1.0)
    pixels = torch.arange(shape[1], device=start.device)
    far = (pixels - centres[:, :, None]).abs() / pitch.clamp(min=1.0)[:, :, None]
    weights = (1.0 - far).clamp(min=0.0) * (pixels < length[:, None, None])
    weights = weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-6)
    return weights * ((at >= 0) & (at < shown[:, None]))[:, :, None]


def _yuv(rgb: Tensor) -> Tensor:
    """Turn red, green and blue of 0..255 into luma and colour differences, (n, 3, rows, columns)."""
    turn = torch.tensor([_LUMA, _U, _V], device=rgb.device)
    shift = torch.tensor([16.0, 128.0, 128.0], device=rgb.device).view(1, 3, 1, 1)
    return torch.einsum("ij,njhw->nihw", turn, rgb) + shift


def _behind(n: int, side: int, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """Make up what is behind: soft patches of luma (n, frames, side, side), one tone a frame (n, frames, 2)."""
    device = dice.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=dice, device=device)

    levels = torch.tensor(_LEVELS, device=device)[torch.randint(len(_LEVELS), (n,), generator=dice, device=device)]
    low, high = levels[:, 0].view(n, 1, 1, 1), levels[:, 1].view(n, 1, 1, 1)
    coarse = low + (high - low) * (0.5 * uniform(n, _N_FRAMES, 3, 5) + 0.5 * uniform(n, _N_FRAMES, 1, 1))
    luma = F.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)
    grain = torch.randint(-5, 6, (n, _N_FRAMES, side, side), generator=dice, device=device)
    return (luma + grain).clamp(0.0, 255.0).floor(), (110.0 + 36.0 * uniform(n, _N_FRAMES, 2)).floor()
