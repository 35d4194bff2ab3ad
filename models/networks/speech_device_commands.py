"""`livewarden models train speech --device cuda`: people, makers, pool and run put together.

The clips of people are kept in the run's folder as they sound; a machine without the recordings is given that file, and features of
what was kept out.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from models.errors import DataError, TrainingUnavailable
from models.networks.speech import SpeechShape
from models.networks.speech_commands import HeldOut
from models.networks.speech_device import LARGE, DevicePlan, DeviceRun
from models.networks.speech_makers import Makers, MakersPlan
from models.networks.speech_mixing import DeviceMixer, Mixture, Pool
from models.networks.speech_train import SpeechProgress, Tell
from models.speech_sounds import Sounds, people
from models.speech_texts import Readings, read_sentences
from models.speech_timing import Shelf

PEOPLE_FILE = "people.npz"
MINUTES = 30.0
"""How long a run lasts that was not told."""

N_STEPS = 6000
"""Steps are made as large as lets a run have so many; more sound in fewer steps learns less."""

SIZES = (60_000, 120_000, 240_000)
"""Feature frames of a step to choose from."""

_FIRST_H = 0.3
"""Hours of made-up people before training starts."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a run works with."""

    device: torch.device
    plan: DevicePlan
    """Its budget is for everything, the making of the first clips too."""
    n_makers: int
    make_s: float
    """How long makers go on, seconds."""
    wait_s: float = 60.0
    """How long the first of what they make is waited for."""
    n_hours: float = 40.0
    """How much sound the device holds."""
    mixture: Mixture = field(default_factory=Mixture)
    shape: SpeechShape = LARGE


def device_of(name: str) -> torch.device:
    """Return a device by its name, `auto` for the GPU where there is one.

    Raises:
        TrainingUnavailable: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as exc:
        raise TrainingUnavailable(f"no device {name!r} here: {exc}; give cpu, cuda or auto") from exc
    return device


def train_speech_on(data: Path, out: Path, device: torch.device, *, minutes: float | None, tell: Tell) -> SpeechProgress:
    """Train the acoustic model on a device; clips of people are cut first where the run's folder has none.

    Args:
        data: holds `speech` and `text`.
        out: the run's folder.
        device: where to.
        minutes: for training; half an hour without it.
        tell: told a line at a time.

    Raises:
        DataError: data cannot be used.
        TrainingUnavailable: ffmpeg or espeak-ng is missing.
    """
    path = out / PEOPLE_FILE
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        tell(f"making {path}: people as recorded")
        Sounds.of(people(data)).write(path)
    budget_s = 60.0 * (minutes or MINUTES)
    work = Work(device, DevicePlan(budget_s=budget_s), n_makers=max(1, (os.cpu_count() or 2) - 1), make_s=budget_s)
    return train_on(Sounds.read(path), HeldOut.read(data, out), data, out, work, tell)


def train_on(recorded: Sounds, judge: HeldOut, data: Path, out: Path, work: Work, tell: Tell) -> SpeechProgress:
    """Train on clips of people and on what makers make meanwhile.

    Args:
        recorded: clips of people, and noise.
        judge: measures the network.
        data: holds the tables of `speech` and the texts.
        out: the run's folder.
        work: device, makers and numbers of the run.
        tell: told a line at a time.

    Raises:
        DataError: data cannot be used.
    """
    started_s = time.monotonic()
    makers = Makers(data, out / "made", MakersPlan(work.n_makers, work.make_s, seed=work.plan.seed))
    with makers:
        pool = Pool(Shelf(Readings.read(data / "speech"), read_sentences(data / "text")), work.device, n_hours=work.n_hours)
        if not pool.add(recorded):
            raise DataError(f"{recorded} do not fit a pool of {work.n_hours:g} h")
        _await_first(pool, makers, work.wait_s)
        tell(f"{time.monotonic() - started_s:.0f} s: {pool}, {makers.n_working} makers at work")
        mixer = DeviceMixer(pool, work.mixture, work.plan.seed)
        n_sound, by_shifts = work.plan.n_sound, False
        if work.device.type == "cuda":
            n_sound, by_shifts = chosen(mixer, judge, out, work, tell)
        run = DeviceRun(mixer, judge, out, replace(work.plan, n_sound=n_sound), work.shape)
        run.write_convolutions(by_shifts=by_shifts)
        run.plan = replace(run.plan, budget_s=max(1.0, work.plan.budget_s - (time.monotonic() - started_s)))
        tell(f"{time.monotonic() - started_s:.0f} s: {run}")
        return run.train(meanwhile=lambda: _take(makers, pool), tell=tell)


def _take(makers: Makers, pool: Pool) -> None:
    makers.take(pool)


def _await_first(pool: Pool, makers: Makers, wait_s: float) -> None:
    """Wait until there are enough made-up people to begin, or no hope of them."""
    end_s = time.monotonic() + wait_s
    recorded_h = pool.hours
    while pool.hours < recorded_h + _FIRST_H and time.monotonic() < end_s:
        if not makers.take(pool) and not makers.n_working:
            break
        time.sleep(0.2)


def chosen(mixer: DeviceMixer, judge: HeldOut, out: Path, work: Work, tell: Tell) -> tuple[int, bool]:
    """Choose the size of steps, and how convolutions are written, by trying them for some seconds.

    Returns:
        feature frames of a step; whether convolutions are sums of shifts.
    """

    def took(n_sound: int, *, by_shifts: bool) -> float:
        run = DeviceRun(mixer, judge, out, replace(work.plan, n_sound=n_sound), work.shape)
        run.write_convolutions(by_shifts=by_shifts)
        step_s = run.step_s(n_steps=12)
        tell(f"a step of {n_sound} frames takes {1e3 * step_s:.0f} ms, convolutions by shifts: {by_shifts}")
        return step_s

    by_shifts = took(SIZES[0], by_shifts=True) < took(SIZES[0], by_shifts=False)
    fitting = [n_sound for n_sound in SIZES[1:] if took(n_sound, by_shifts=by_shifts) * N_STEPS < work.plan.budget_s]
    return max(fitting, default=SIZES[0]), by_shifts
