"""Whether models fit their share: measured at the warm-up, refused with figures."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inference.devices import MIB, DeviceKind, DeviceShare, Gpu, Machine
from inference.errors import NotReady
from inference.memory import GpuMeter, MemoryBudget, RssMeter, meter_for


class ScriptedMeter:
    """Readings in order; the last one stays."""

    def __init__(self, *readings_mib: int) -> None:
        self.poll_s: float | None = None
        self._readings: Iterator[int] = iter(readings_mib)
        self._last = 0

    def used_bytes(self) -> int:
        self._last = next(self._readings, self._last)
        return self._last * MIB


def cpu(memory_mib: int) -> DeviceShare:
    return DeviceShare(DeviceKind.CPU, memory_mib * MIB)


def test_a_model_within_the_share_is_admitted():
    budget = MemoryBudget(cpu(100), ScriptedMeter(10, 90))

    with budget.admit("a"):
        pass

    assert budget.used_bytes == 90 * MIB
    assert budget.measured


def test_a_model_over_the_share_is_refused_with_the_figures():
    budget = MemoryBudget(cpu(100), ScriptedMeter(60, 120))

    with (
        pytest.raises(NotReady, match=r"model a does not fit cpu-0: 120 MiB needed in all \(60 MiB .*share is 100 MiB; raise it"),
        budget.admit("a"),
    ):
        pass


class Noticing(RssMeter):
    """The real meter; says when it has seen a use above a mark."""

    def __init__(self) -> None:
        super().__init__()
        self.mark_bytes = 1 << 60
        self.seen = threading.Event()

    def used_bytes(self) -> int:
        used = super().used_bytes()
        if used > self.mark_bytes:
            self.seen.set()
        return used


def warm_with_a_peak(budget: MemoryBudget, meter: Noticing) -> None:
    with budget.admit("big"):
        held = np.ones(300 * MIB, np.uint8)
        assert meter.seen.wait(10)
        del held


def test_a_peak_during_the_warm_up_is_seen():
    meter = Noticing()
    small = DeviceShare(DeviceKind.CPU, meter.used_bytes() + 150 * MIB)
    meter.mark_bytes = small.memory_bytes

    with pytest.raises(NotReady, match="model big does not fit"):
        warm_with_a_peak(MemoryBudget(small, meter), meter)


def test_what_cannot_be_measured_refuses_nothing():
    budget = MemoryBudget(cpu(1), None)

    with budget.admit("a"):
        pass

    assert not budget.measured


def test_a_failing_warm_up_fails_as_itself():
    with pytest.raises(ZeroDivisionError), MemoryBudget(cpu(1), RssMeter()).admit("a"):
        _ = 1 / 0


def test_resident_memory_is_of_this_process():
    meter = RssMeter()
    before = meter.used_bytes()
    held = np.ones(64 * MIB, np.uint8)

    assert meter.used_bytes() - before > 48 * MIB
    assert sys.getsizeof(held) > 64 * MIB


def test_a_gpu_is_measured_by_what_its_use_grew(tmp_path: Path):
    report = tmp_path / "report"
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\ncat {report}\n")
    tool.chmod(0o755)
    report.write_text("0, GPU-other, 9000, 16384\n1, GPU-ours, 1000, 16384\n")
    meter = GpuMeter("GPU-ours", str(tool))

    report.write_text("0, GPU-other, 9999, 16384\n1, GPU-ours, 1700, 16384\n")
    assert meter.used_bytes() == 700 * MIB

    report.write_text("1, GPU-ours, 900, 16384\n")
    assert meter.used_bytes() == 0

    report.write_text("")
    with pytest.raises(NotReady, match="no longer shows GPU GPU-ours"):
        meter.used_bytes()


def test_the_meter_follows_the_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, GPU-a, 1, 16384'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    machine = Machine(1, MIB, None, (Gpu(0, "GPU-a", 0, MIB),))

    assert isinstance(meter_for(cpu(1)), RssMeter)
    assert isinstance(meter_for(DeviceShare(DeviceKind.CUDA, MIB), machine), GpuMeter)
    assert meter_for(DeviceShare(DeviceKind.CUDA, MIB, index=3), machine) is None
