"""What every training run does with its files, its weights' decay and their running mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.errors import DataError

HISTORY_FILE = "history.json"


def save_state(state: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint, whole or not at all."""
    draft = path.with_suffix(".new")
    torch.save(dict(state), draft)
    draft.replace(path)


def read_state(path: Path, *, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint; nothing in it is run.

    Raises:
        DataError: it is not there.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
    except OSError as exc:
        raise DataError(f"cannot read {path}: {exc.strerror}; train first, with --out {path.parent}") from exc
    return state


def must_match(path: Path, state: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    """Refuse to go on from a checkpoint of other numbers.

    Raises:
        DataError: one of them differs; the message names it.
    """
    for name, value in mine.items():
        if state[name] != value:
            raise DataError(f"{path} was made with another {name}; train into a new folder, or without --resume")


def save_history(folder: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write how a run went, one object a measurement."""
    (folder / HISTORY_FILE).write_text(json.dumps(list(history), indent=1) + "\n", encoding="utf-8")


def weight_groups(net: nn.Module, decay: float, *, still: Callable[[str], bool] = lambda _: False) -> list[dict[str, Any]]:
    """Divide the trained weights for the optimizer: matrices and kernels shrink; norms, biases and what `still` names do not."""
    trained = {name: one for name, one in net.named_parameters() if one.requires_grad}
    shrinking = {name for name, one in trained.items() if one.ndim > 1 and not still(name)}
    return [
        {"params": [one for name, one in trained.items() if name in shrinking], "weight_decay": decay},
        {"params": [one for name, one in trained.items() if name not in shrinking], "weight_decay": 0.0},
    ]


def draw_near(mean: nn.Module, net: nn.Module, *, n_done: int, past: float) -> None:
    """Move the running mean of the weights towards the weights.

    Args:
        mean: changed in place, with what it counts of batches.
        net: as it is now.
        n_done: steps done; the first ones are soon forgotten, or the start would weigh for long.
        past: weight of the past, 0..1, later on.
    """
    past = min(past, (1 + n_done) / (10 + n_done))
    both = [
        (old, new)
        for old, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True)
        if old.is_floating_point()
    ]
    with torch.no_grad():
        torch._foreach_lerp_([old for old, _ in both], [new for _, new in both], 1.0 - past)
