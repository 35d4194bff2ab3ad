"""`livewarden models train|evaluate logo`: scenes are made first, then trained on and measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.logo_cache import SceneCache
from models.logo_fonts import Part
from models.logo_footage import Footage
from models.logo_workers import SceneWorkers
from models.networks.logo import LogoShape
from models.networks.logo_evaluate import evaluate_run
from models.networks.logo_run import WIDE, DevicePlan, DeviceProgress, DeviceRun
from models.networks.logo_train import SCENES_FOLDER, LogoPlan, LogoProgress, LogoRun

N_TRAIN_GROUPS, N_TEST_GROUPS = 400, 30
"""Groups of four scenes; one takes about two seconds of a core and 7 MB."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How to train against the clock."""

    device: str
    """Torch's name, `cuda` or `cpu`."""
    n_workers: int
    """Processes that make scenes; 0 for those that are there."""
    budget_s: float
    resume: bool = False
    shape: LogoShape = WIDE


def make_scenes(data: Path, out: Path, tell: Callable[[str], None]) -> None:
    """Make the scenes that the run's folder lacks.

    Raises:
        DataError: no footage, or no `ffmpeg`.
    """
    for part, n in ((Part.TEST, N_TEST_GROUPS), (Part.TRAIN, N_TRAIN_GROUPS)):
        cache = SceneCache(out / SCENES_FOLDER, part)
        if len(cache) >= n:
            continue
        tell(f"making {n - len(cache)} groups of {part} scenes in {cache.folder}")
        cache.fill(n, Footage(data, part))


def train_logo(
    data: Path, out: Path, plan: LogoPlan, *, minutes: float | None, resume: bool, tell: Callable[[str], None]
) -> LogoProgress:
    """Train both networks; scenes are made first where the run's folder lacks them.

    Args:
        data: holds `video` and `games`.
        out: the run's folder.
        plan: numbers of the run.
        minutes: for training, without the making of scenes.
        resume: from the last checkpoint.
        tell: told a line at a time.

    Raises:
        DataError: footage or checkpoint cannot be used, or `ffmpeg` is missing.
    """
    make_scenes(data, out, tell)
    run = LogoRun(out, out / SCENES_FOLDER, plan)
    if resume and run.resume():
        tell(f"resumed after round {run.progress.done}")
    return run.train(budget_s=minutes * 60 if minutes else None, tell=tell)


def train_logo_on_device(data: Path, out: Path, plan: DevicePlan, asked: Asked, tell: Callable[[str], None]) -> DeviceProgress:
    """Train both networks against the clock, on scenes that processes of their own go on making.

    Args:
        data: holds `video` and `games`; read only where scenes are to be made.
        out: the run's folder.
        plan: numbers of the run.
        asked: device, processes, seconds.
        tell: told a line at a time.

    Raises:
        DataError: footage or checkpoint cannot be used, `ffmpeg` is missing, or there are no scenes.
    """
    cache = SceneCache(out / SCENES_FOLDER, Part.TRAIN)
    workers = None
    if asked.n_workers:
        tell(f"{asked.n_workers} processes make scenes in {cache.folder}")
        # Before the run: processes cannot be forked once the device is in use.
        workers = SceneWorkers(cache, Footage(data, Part.TRAIN), asked.n_workers)
    try:
        run = DeviceRun(out, cache, plan, asked.device, asked.shape)
        if asked.resume and run.resume():
            tell(f"resumed after step {run.progress.n_steps}")
        return run.train(budget_s=asked.budget_s, tell=tell)
    finally:
        if workers is not None:
            tell(f"{workers.n_alive} of {asked.n_workers} processes were still at work")
            workers.close()


def evaluate_logo(out: Path) -> dict[str, Any]:
    """Measure the run's networks on the scenes of the test side."""
    return evaluate_run(out, out / SCENES_FOLDER)


def logo_table(found: dict[str, Any]) -> str:
    """Write an evaluation for people, a line for each part."""
    rows = ((name, row) for name, row in found.items() if isinstance(row, dict))
    return "\n".join(f"{name}: " + ", ".join(f"{figure} {value:.3f}" for figure, value in row.items()) for name, row in rows)
