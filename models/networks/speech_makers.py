"""Makers: programs beside a training run that make speech of made-up people, and the way of it into the pool.

A maker that dies is done without; what it wrote is whole.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from models.errors import DataError
from models.networks.speech_mixing import Pool
from models.speech_sounds import Sounds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MakersPlan:
    """How much is made."""

    n_makers: int
    seconds: float
    """How long each goes on."""
    part_s: float = 300.0
    """Seconds of speech that are handed in at a time."""
    seed: int = 1


class Makers:
    """The programs; a context that ends them."""

    def __init__(self, data: Path, folder: Path, plan: MakersPlan) -> None:
        """Set makers up; they start with the context.

        Args:
            data: holds `speech` and `text`.
            folder: for what they make, and for the synthesiser's data of each in `espeak-0`, `espeak-1`, ...
            plan: how much.
        """
        self._data, self._folder, self._plan = data, folder, plan
        self._programs: list[subprocess.Popen[bytes]] = []
        self._taken: set[Path] = set()

    def __enter__(self) -> Self:
        """Start them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(self._plan.n_makers):
            command = [
                *(sys.executable, "-m", "models.speech_sounds", "--data", str(self._data), "--to", str(self._folder)),
                *("--seed", str(self._plan.seed * 1000 + number), "--seconds", str(self._plan.seconds)),
                *("--part", str(self._plan.part_s), "--espeak", str(self._folder / f"espeak-{number}")),
            ]
            self._programs.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """End them."""
        for one in self._programs:
            one.terminate()
        for one in self._programs:
            one.wait()

    @property
    def n_working(self) -> int:
        """How many go on."""
        return sum(one.poll() is None for one in self._programs)

    def take(self, pool: Pool, most: int = 10) -> int:
        """Bring some of what was made into the pool, and remove the files; returns how many files."""
        taken = 0
        for path in sorted(self._folder.glob("*.npz")):
            if path in self._taken:
                continue
            try:
                fitted = pool.add(Sounds.read(path))
            except DataError as exc:
                log.warning("a part is left out", extra={"path": str(path), "cause": str(exc)})
                fitted = True
            self._taken.add(path)
            path.unlink(missing_ok=True)
            taken += fitted
            if not fitted or taken >= most:
                break
        return taken
