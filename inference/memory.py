"""Whether the models fit their share: meters of memory in use, and the budget every model is admitted to after its warm-up.

Measured, not estimated: what cuDNN, the CUDA context and fragmentation take shows nowhere else.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from inference.devices import MIB, DeviceKind, DeviceShare, Machine, query_gpus, visible_gpu
from inference.errors import NotReady


class MemoryMeter(Protocol):
    """How much of a device's memory is in use; read while models load, never per batch."""

    poll_s: float | None
    """How often to look for a peak during a warm-up; None where memory once taken is kept, so the end shows the peak."""

    def used_bytes(self) -> int:
        """Bytes in use now that count against the share."""
        ...


class RssMeter:
    """Resident memory of this process: what a container's limit counts."""

    poll_s: float | None = 0.005

    def __init__(self, statm: Path = Path("/proc/self/statm")) -> None:
        self._statm = statm
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")

    def used_bytes(self) -> int:
        """Resident set of the process, bytes."""
        return int(self._statm.read_text().split()[1]) * self._page_bytes


class GpuMeter:
    """What the use of a card grew by since the meter was made, so make it before the first session.

    Per-process figures are of no use inside containers (the driver counts other process ids). On a card that others share without
    virtualisation, their growth meanwhile counts as ours: that may refuse too early, never too late.
    """

    poll_s: float | None = None  # arenas and workspaces are kept once taken

    def __init__(self, uuid: str, command: str = "nvidia-smi") -> None:
        self._uuid = uuid
        self._command = command
        self._base_bytes = self._card_bytes()

    def used_bytes(self) -> int:
        """Growth since construction: context, workspaces and arenas, bytes."""
        return max(0, self._card_bytes() - self._base_bytes)

    def _card_bytes(self) -> int:
        for gpu in query_gpus(self._command):
            if gpu.uuid == self._uuid:
                return gpu.used_bytes
        raise NotReady(f"{self._command} no longer shows GPU {self._uuid}, so its memory cannot be measured")


def meter_for(share: DeviceShare, machine: Machine | None = None) -> MemoryMeter | None:
    """Return the meter of a share's device; None on a GPU that the driver's tool does not show, whose use nobody can measure."""
    if share.kind is DeviceKind.CPU:
        return RssMeter()
    gpu = visible_gpu(machine or Machine.probe(), share.index)
    return GpuMeter(gpu.uuid) if gpu else None


class _Peak:
    """Highest reading of a meter while a block of code runs."""

    def __init__(self, meter: MemoryMeter, poll_s: float) -> None:
        self.bytes = meter.used_bytes()
        self._meter = meter
        self._poll_s = poll_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory-peak", daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(self._poll_s):
            self.bytes = max(self.bytes, self._meter.used_bytes())


class MemoryBudget:
    """What the models of one share take together, against what the share allows.

    Not thread-safe: one model is admitted at a time.
    """

    def __init__(self, share: DeviceShare, meter: MemoryMeter | None) -> None:
        self._share = share
        self._meter = meter
        self._used_bytes = 0

    @property
    def measured(self) -> bool:
        """False where the device's use cannot be measured, so that nothing is refused."""
        return self._meter is not None

    @property
    def used_bytes(self) -> int:
        """In use at the last check; 0 where it is not measured."""
        return self._used_bytes

    @contextmanager
    def admit(self, name: str) -> Iterator[None]:
        """Run a model's warm-up inside, on every thread that may run it at once, and check afterwards that all models still fit.

        Raises:
            NotReady: the model does not fit the share; unload it.
        """
        if self._meter is None:
            yield
            return
        before = peak = self._meter.used_bytes()
        if self._meter.poll_s is None:
            yield
        else:
            with _Peak(self._meter, self._meter.poll_s) as watch:
                yield
            peak = watch.bytes
        self._used_bytes = self._meter.used_bytes()
        need = max(peak, self._used_bytes)
        if need > self._share.memory_bytes:
            raise NotReady(
                f"model {name} does not fit {self._share.name}: {_mib(need)} needed in all ({_mib(need - before)} more to run it), "
                f"the share is {_mib(self._share.memory_bytes)}; raise it, shorten the model's batch ladder or serve fewer models"
            )


def _mib(n_bytes: int) -> str:
    return f"{n_bytes / MIB:.0f} MiB"
