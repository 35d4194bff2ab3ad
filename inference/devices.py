"""Which part of this machine the models may use: the kind of device, its memory, its share of compute.

Knows what a container, a GPU-sharing plugin (MPS, MIG, HAMi, GPU-Manager) and an operator may have set; loads no model itself.
"""

from __future__ import annotations

import ctypes
import math
import os
import re
import subprocess
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from inference.errors import ConfigError, NotReady

MIB = 1 << 20
_UNITS = {"": 1, "k": 1 << 10, "m": MIB, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_REQUESTS = ("auto", "cpu", "cuda", "tensorrt")
_NO_LIMIT_BYTES = 1 << 60
"""cgroup v1 writes 'no limit' as a number of this size."""

MPS_PERCENT = "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"
"""Read by CUDA when a process makes its context: the share of the multiprocessors it may use under MPS."""


class DeviceKind(StrEnum):
    """Where models run."""

    CPU = "cpu"
    CUDA = "cuda"


def parse_bytes(text: str) -> int:
    """Read a size as operators and plugins write it: `3000m`, `4GiB`, `2G`, `1073741824`; units are powers of 1024.

    Raises:
        ConfigError: it is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"not a size in bytes: {text!r}; write 3000m, 4GiB or a plain number")
    return int(float(match[1]) * _UNITS[match[2].lower()])


@dataclass(frozen=True, slots=True)
class Gpu:
    """One line of what the NVIDIA driver reports."""

    index: int
    uuid: str
    used_bytes: int
    """In use by everybody on the card; under a sharing plugin that virtualises it, by this container."""
    total_bytes: int
    """Memory of the card; under such a plugin, of this container's share."""


def query_gpus(command: str = "nvidia-smi") -> tuple[Gpu, ...]:
    """Ask the driver's own tool what GPUs there are; empty where it is missing or does not answer in 10 s."""
    fields = "index,uuid,memory.used,memory.total"
    try:
        answer = subprocess.run(
            [command, f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    gpus: list[Gpu] = []
    for line in answer.stdout.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 4 and cells[0].isdigit() and cells[2].isdigit() and cells[3].isdigit():
            gpus.append(Gpu(int(cells[0]), cells[1], int(cells[2]) * MIB, int(cells[3]) * MIB))
    return tuple(gpus)


def missing_cuda(dev: Path = Path("/dev"), library: str = "libcuda.so.1") -> str | None:
    """Say what this machine lacks to run CUDA, or None where device and driver are there.

    Asked before ONNX Runtime is: without a driver it writes errors to standard error and goes on on the CPU.
    """
    if not any((dev / name).exists() for name in ("nvidiactl", "nvidia0", "dxg", "nvidia-caps")):
        return f"no NVIDIA device under {dev}; give the container a GPU (device plugin, or --gpus)"
    try:
        ctypes.CDLL(library)
    except OSError as exc:
        return f"the NVIDIA driver library does not load ({exc}); install the driver or the NVIDIA container toolkit"
    return None


@dataclass(frozen=True, slots=True)
class Machine:
    """What this process may use, as the operating system and the container say."""

    n_cpus: int
    """Cores by affinity and by the container's CPU quota, at least 1."""
    memory_bytes: int
    """Memory of the machine, or of the container where that is less."""
    cuda_missing: str | None
    """Why CUDA cannot run here, or None where it can."""
    gpus: tuple[Gpu, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def probe(cls, cgroup: Path = Path("/sys/fs/cgroup")) -> Machine:
        """Look at the machine this process runs on."""
        missing = missing_cuda()
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        n_cpus = len(os.sched_getaffinity(0))
        return cls(
            n_cpus=max(1, min(n_cpus, _cgroup_cpus(cgroup) or n_cpus)),
            memory_bytes=min(memory, _cgroup_memory(cgroup) or memory),
            cuda_missing=missing,
            gpus=() if missing else query_gpus(),
            env=dict(os.environ),
        )


def _read_words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _cgroup_cpus(root: Path) -> int | None:
    words = _read_words(root / "cpu.max")
    if not words:
        words = _read_words(root / "cpu" / "cpu.cfs_quota_us") + _read_words(root / "cpu" / "cpu.cfs_period_us")
    if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[1]) == 0:
        return None  # "max", -1 or nothing at all: no quota
    return max(1, math.ceil(int(words[0]) / int(words[1])))


def _cgroup_memory(root: Path) -> int | None:
    words = _read_words(root / "memory.max") or _read_words(root / "memory" / "memory.limit_in_bytes")
    if len(words) != 1 or not words[0].isdigit() or int(words[0]) >= _NO_LIMIT_BYTES:
        return None
    return int(words[0])


@dataclass(frozen=True, slots=True)
class DeviceShare:
    """The part of one device that this process may use."""

    kind: DeviceKind
    memory_bytes: int
    """What all models together may take, context and workspaces included; on a CPU the whole process's resident memory."""
    index: int = 0
    """Which GPU, as CUDA counts the visible ones; 0 on a CPU."""
    compute_percent: int = 100
    """Share of the GPU's multiprocessors, 1..100; takes effect under MPS."""
    n_threads: int = 1
    """Executor threads: one on a GPU (sessions of one card are called from one thread), one per core on a CPU."""
    tensorrt: bool = False
    """Run models through TensorRT, whose engines take minutes to build; only on a GPU."""

    def __post_init__(self) -> None:
        if not 1 <= self.compute_percent <= 100:
            raise ConfigError(f"compute share must be 1..100 percent, got {self.compute_percent}")
        if self.memory_bytes <= 0:
            raise ConfigError(f"memory share must be above 0 bytes, got {self.memory_bytes}")
        if self.n_threads < 1 or self.index < 0:
            raise ConfigError(f"n_threads must be at least 1 and index at least 0, got {self.n_threads} and {self.index}")
        if self.kind is DeviceKind.CUDA and self.n_threads != 1:
            raise ConfigError(f"a GPU has one executor thread, got n_threads {self.n_threads}")
        if self.kind is DeviceKind.CPU and self.tensorrt:
            raise ConfigError("tensorrt needs a GPU")

    @property
    def name(self) -> str:
        """How threads, logs and metrics call it: `cpu-0`, `cuda-1`."""
        return f"{self.kind}-{self.index}"

    @classmethod
    def auto(
        cls,
        request: str = "auto",
        *,
        index: int = 0,
        memory_bytes: int | None = None,
        compute_percent: int | None = None,
        n_threads: int | None = None,
        machine: Machine | None = None,
    ) -> DeviceShare:
        """Choose the device and fill in what was left open from the machine, the container and the GPU-sharing plugin.

        Args:
            request: `auto` (a GPU where CUDA can run, the CPU otherwise), `cpu`, `cuda` or `tensorrt`.
            index: which GPU, counted among those this process sees.
            memory_bytes: overrides what the plugin (`CUDA_DEVICE_MEMORY_LIMIT`, `CUDA_MPS_PINNED_DEVICE_MEM_LIMIT`), the driver or
                the container says.
            compute_percent: at most this; a smaller `CUDA_MPS_ACTIVE_THREAD_PERCENTAGE` or `CUDA_DEVICE_SM_LIMIT` that the cluster
                has set holds.
            n_threads: executor threads on a CPU, default one per core; a GPU always has one.
            machine: what to choose from; default this machine.

        Raises:
            ConfigError: the request or a number cannot work.
            NotReady: CUDA was asked for by name and this machine cannot run it; the message names what is missing.
        """
        if request not in _REQUESTS:
            raise ConfigError(f"unknown device {request!r}; known: {', '.join(_REQUESTS)}")
        machine = machine or Machine.probe()
        if request == "cpu" or (request == "auto" and machine.cuda_missing):
            return cls(DeviceKind.CPU, memory_bytes or machine.memory_bytes, n_threads=n_threads or machine.n_cpus)
        if machine.cuda_missing:
            raise NotReady(f"device {request!r} was asked for: {machine.cuda_missing}")
        percent = min(compute_percent or 100, _gpu_percent(machine.env))
        memory = memory_bytes or _gpu_memory(machine, index)
        return cls(DeviceKind.CUDA, memory, index, percent, tensorrt=request == "tensorrt")

    def enforce(self, env: MutableMapping[str, str]) -> None:
        """Write the compute share where CUDA reads it; call before the first session, since a context keeps what it saw then.

        A smaller share that the cluster has set already stays.
        """
        if self.kind is DeviceKind.CUDA and self.compute_percent < _percent(env, MPS_PERCENT):
            env[MPS_PERCENT] = str(self.compute_percent)


def visible_gpu(machine: Machine, index: int) -> Gpu | None:
    """Find the card that CUDA calls `index`: `CUDA_VISIBLE_DEVICES` renumbers them, by number or by UUID."""
    order = machine.env.get("CUDA_VISIBLE_DEVICES", "").strip()
    if not order:
        return next((gpu for gpu in machine.gpus if gpu.index == index), None)
    names = [name.strip() for name in order.split(",")]
    if index >= len(names):
        return None
    return next((gpu for gpu in machine.gpus if names[index] == str(gpu.index) or gpu.uuid.startswith(names[index])), None)


def _gpu_memory(machine: Machine, index: int) -> int:
    """HAMi writes `CUDA_DEVICE_MEMORY_LIMIT[_N]=3000m`; MPS `CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=2G,1=4G`; else the card is ours."""
    env = machine.env
    limit = env.get(f"CUDA_DEVICE_MEMORY_LIMIT_{index}") or env.get("CUDA_DEVICE_MEMORY_LIMIT")
    if not limit:
        pinned = dict(part.split("=", 1) for part in env.get("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", "").split(",") if "=" in part)
        limit = pinned.get(str(index))
    if limit:
        return parse_bytes(limit)
    gpu = visible_gpu(machine, index)
    if gpu is None:
        raise ConfigError(f"the memory of cuda:{index} is unknown (nvidia-smi shows no such card); set the memory share in bytes")
    return gpu.total_bytes


def _percent(env: Mapping[str, str], name: str) -> int:
    try:
        percent = round(float(env[name]))
    except (KeyError, ValueError):
        return 100
    return percent if 1 <= percent <= 100 else 100  # HAMi writes 0 for no limit


def _gpu_percent(env: Mapping[str, str]) -> int:
    return min(_percent(env, MPS_PERCENT), _percent(env, "CUDA_DEVICE_SM_LIMIT"))
