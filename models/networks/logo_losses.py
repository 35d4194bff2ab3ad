"""What the logo networks are trained by: likelihood and overlap for the finder; likeness, judgement and moves for the teller."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.logo import Found, Told

FOCUS = 2.0
"""How much easy cells are discounted."""
HEAT = 0.05
"""Divides likeness where one mark is to be picked out of the batch."""
LEAD = 0.1
"""How much more alike than all others the own mark must be to be picked."""
_STEEP, _FROM = 18.0, -9.0
"""Turn likeness into the odds of being the same mark: even at 0.5."""
_WRONG, _NEAR = 2.0, 0.1
"""What a wrong likeness counts beside a right one, and by how much less alike another mark must be to count a third as much."""
_HARDEST = 64
"""Of the other marks, how many a place is told apart from by odds: those it is most like."""


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What the teller should have told of a batch."""

    seeds: Tensor
    """Of the n marks, (n,)."""
    moves: Tensor
    """(n, 4)."""
    judged: Tensor
    """1 a mark, 0 none, -1 hard to say; (n + m,)."""


def finder_loss(found: Found, marks: Tensor, sides: Tensor) -> Tensor:
    """Punish wrong likelihoods, cell by cell, and boxes that overlap little with the mark's.

    Args:
        found: the finder's answers.
        marks: 1, 0 or -1 where it does not matter, (B, 1, h, w).
        sides: in cells, (B, 4, h, w).
    """
    clear = (marks >= 0).float()
    wanted = marks.clamp(min=0.0)
    plain = F.binary_cross_entropy_with_logits(found.mark, wanted, reduction="none")
    sure = torch.sigmoid(found.mark)
    miss = torch.where(wanted > 0.5, 1.0 - sure, sure)
    n_marked = wanted.sum().clamp(min=1.0)
    likelihood = (plain * miss.pow(FOCUS) * clear).sum() / n_marked
    # Over all cells and weighed: choosing cells would make the host wait for the device.
    here = (marks > 0.5).float()
    apart = (1.0 - _overlap(found.sides, sides))[:, None] + 0.2 * (found.sides.log() - sides.log()).abs().mean(dim=1, keepdim=True)
    return likelihood + (apart * here).sum() / n_marked


def _overlap(mine: Tensor, true: Tensor) -> Tensor:
    """Generalised intersection over union of boxes around one point each."""
    least, most = torch.minimum(mine, true), torch.maximum(mine, true)
    shared = (least[:, 0] + least[:, 2]) * (least[:, 1] + least[:, 3])
    hull = (most[:, 0] + most[:, 2]) * (most[:, 1] + most[:, 3])
    own = (mine[:, 0] + mine[:, 2]) * (mine[:, 1] + mine[:, 3])
    other = (true[:, 0] + true[:, 2]) * (true[:, 1] + true[:, 3])
    union = own + other - shared
    return shared / union - (hull - union) / hull


@dataclass(frozen=True, slots=True, eq=False)
class Others:
    """Marks enrolled in earlier batches: more to be told apart than one batch holds."""

    numbers: Tensor
    """Embeddings without gradient, (m, 128)."""
    seeds: Tensor
    """Of their marks, (m,)."""


def teller_loss(seen: Told, enrolled: Told, wanted: Wanted, others: Others) -> Tensor:
    """Draw each place to its own mark and away from all others, and judge and move it.

    Args:
        seen: of the n places with a mark, then of those without.
        enrolled: of the n marks, in the same order.
        wanted: what should have been told.
        others: of earlier batches; may be empty.
    """
    n = len(enrolled.numbers)
    like = seen.numbers @ enrolled.numbers.T  # (n + m, n)
    like_others = seen.numbers @ others.numbers.T  # (n + m, k)
    known = wanted.seeds[:, None] == others.seeds[None, :]  # (n, k)
    own = torch.arange(n, device=like.device)
    rivals = torch.cat((like[:n], like_others[:n].masked_fill(known, -1.0)), dim=1)
    lead = torch.zeros_like(like)
    lead[own, own] = LEAD
    rivals = torch.cat((rivals[:, :n] - lead[:n], rivals[:, n:]), dim=1)
    pick = F.cross_entropy(rivals / HEAT, own) + F.cross_entropy((like - lead).T / HEAT, own)
    odds = _odds(like, torch.cat((like_others[:n].masked_fill(known, -1.0), like_others[n:])), n)
    clear = (wanted.judged >= 0).float()
    judgement = (F.binary_cross_entropy_with_logits(seen.mark, wanted.judged.clamp(min=0.0), reduction="none") * clear).sum()
    moves = F.smooth_l1_loss(seen.moves[:n], wanted.moves, beta=0.1)
    return 0.5 * pick + 0.5 * odds + 0.3 * judgement / clear.sum().clamp(min=1.0) + 2.0 * moves


def _odds(like: Tensor, like_others: Tensor, n: int) -> Tensor:
    """Ask for likeness above even odds with the own mark, below with the others that are most like.

    Args:
        like: with the marks of the batch, (n + m, n); of the first n places the own is on the diagonal.
        like_others: with those of earlier batches, (n + m, k).
        n: marks.
    """
    own = torch.eye(*like.shape, dtype=torch.bool, device=like.device)
    wrong = torch.cat((like.masked_fill(own, -1.0), like_others), dim=1)
    hardest = wrong.topk(min(_HARDEST, wrong.shape[1]), dim=1).values
    # Weighed by likeness: the few hard ones count, and while all are alike the many do not drown the own one.
    weights = (hardest.detach() / _NEAR).softmax(dim=1)
    right = F.softplus(-(like.diagonal() * _STEEP + _FROM)).sum()
    return (right + _WRONG * (weights * F.softplus(hardest * _STEEP + _FROM)).sum()) / n
