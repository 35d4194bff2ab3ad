"""Which device is chosen, and what share of it, from what the machine, the container and the operator say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inference.devices import (
    MIB,
    MPS_PERCENT,
    DeviceKind,
    DeviceShare,
    Gpu,
    Machine,
    missing_cuda,
    parse_bytes,
    query_gpus,
    visible_gpu,
)
from inference.errors import ConfigError, NotReady

CARDS = (Gpu(0, "GPU-aaaa", 0, 16 << 30), Gpu(1, "GPU-bbbb", 0, 24 << 30))


def machine(*, cuda: bool = True, **env: str) -> Machine:
    return Machine(4, 8 << 30, None if cuda else "no NVIDIA device under /dev", CARDS if cuda else (), env)


def script(folder: Path, body: str) -> str:
    """A stand-in for the driver's tool: a program of its own, called as the real one is."""
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(0o755)
    return str(tool)


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("3000m", 3000 << 20), ("4GiB", 4 << 30), ("2G", 2 << 30), ("1.5g", 3 << 29), ("1073741824", 1 << 30), ("64 kb", 64 << 10)],
)
def test_sizes_are_read_as_operators_and_plugins_write_them(text: str, n_bytes: int):
    assert parse_bytes(text) == n_bytes


@pytest.mark.parametrize("text", ["", "much", "-1g", "4 apples"])
def test_what_is_no_size_is_refused(text: str):
    with pytest.raises(ConfigError, match="not a size in bytes"):
        parse_bytes(text)


def test_auto_takes_the_cpu_where_cuda_cannot_run():
    share = DeviceShare.auto("auto", machine=machine(cuda=False))

    assert share == DeviceShare(DeviceKind.CPU, 8 << 30, n_threads=4)
    assert share.name == "cpu-0"


def test_cuda_asked_for_by_name_is_never_the_cpu():
    with pytest.raises(NotReady, match="'cuda' was asked for: no NVIDIA device"):
        DeviceShare.auto("cuda", machine=machine(cuda=False))


def test_auto_takes_the_gpu_with_one_thread_and_the_whole_card():
    share = DeviceShare.auto("auto", index=1, n_threads=8, machine=machine())

    assert share == DeviceShare(DeviceKind.CUDA, 24 << 30, index=1, n_threads=1)
    assert share.name == "cuda-1"


def test_the_cpu_can_be_chosen_on_a_gpu_machine():
    share = DeviceShare.auto("cpu", n_threads=2, memory_bytes=1 << 30, machine=machine())

    assert share == DeviceShare(DeviceKind.CPU, 1 << 30, n_threads=2)


def test_tensorrt_is_a_gpu_share():
    assert DeviceShare.auto("tensorrt", machine=machine()).tensorrt


def test_an_unknown_device_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="unknown device 'gpu'; known: auto, cpu, cuda, tensorrt"):
        DeviceShare.auto("gpu", machine=machine())


@pytest.mark.parametrize(
    ("env", "memory_bytes"),
    [
        ({"CUDA_DEVICE_MEMORY_LIMIT": "3000m"}, 3000 << 20),
        ({"CUDA_DEVICE_MEMORY_LIMIT_1": "2g", "CUDA_DEVICE_MEMORY_LIMIT_0": "1g"}, 2 << 30),
        ({"CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=1G,1=4G"}, 4 << 30),
        ({"CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=1G"}, 24 << 30),
    ],
)
def test_the_sharing_plugins_memory_limit_is_the_share(env: dict[str, str], memory_bytes: int):
    assert DeviceShare.auto("cuda", index=1, machine=machine(**env)).memory_bytes == memory_bytes


@pytest.mark.parametrize(
    ("env", "asked", "percent"),
    [
        ({}, None, 100),
        ({"CUDA_DEVICE_SM_LIMIT": "30"}, None, 30),
        ({MPS_PERCENT: "25.4"}, 100, 25),
        ({MPS_PERCENT: "60"}, 20, 20),
        ({"CUDA_DEVICE_SM_LIMIT": "0"}, None, 100),
        ({MPS_PERCENT: "all"}, None, 100),
    ],
)
def test_the_smaller_compute_share_holds(env: dict[str, str], asked: int | None, percent: int):
    assert DeviceShare.auto("cuda", compute_percent=asked, machine=machine(**env)).compute_percent == percent


def test_an_unknown_cards_memory_must_be_said():
    with pytest.raises(ConfigError, match="the memory of cuda:7 is unknown"):
        DeviceShare.auto("cuda", index=7, machine=machine())
    assert DeviceShare.auto("cuda", index=7, memory_bytes=MIB, machine=machine()).memory_bytes == MIB


@pytest.mark.parametrize(
    ("visible", "index", "uuid"),
    [("", 1, "GPU-bbbb"), ("1,0", 0, "GPU-bbbb"), ("GPU-bb", 0, "GPU-bbbb"), ("1", 1, None), ("MIG-cccc", 0, None)],
)
def test_cuda_numbers_the_visible_cards(visible: str, index: int, uuid: str | None):
    gpu = visible_gpu(machine(CUDA_VISIBLE_DEVICES=visible), index)

    assert (gpu.uuid if gpu else None) == uuid


def test_a_compute_share_is_written_where_cuda_reads_it_and_never_raises_the_clusters():
    share = DeviceShare(DeviceKind.CUDA, MIB, compute_percent=30)
    free: dict[str, str] = {}
    bound = {MPS_PERCENT: "10"}

    share.enforce(free)
    share.enforce(bound)
    DeviceShare(DeviceKind.CPU, MIB, compute_percent=30).enforce(untouched := {})

    assert free == {MPS_PERCENT: "30"}
    assert bound == {MPS_PERCENT: "10"}
    assert untouched == {}


def test_a_share_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match=r"compute share must be 1\.\.100 percent, got 0"):
        DeviceShare(DeviceKind.CUDA, MIB, compute_percent=0)
    with pytest.raises(ConfigError, match="memory share must be above 0 bytes, got 0"):
        DeviceShare(DeviceKind.CPU, 0)
    with pytest.raises(ConfigError, match="n_threads must be at least 1"):
        DeviceShare(DeviceKind.CPU, MIB, n_threads=0)
    with pytest.raises(ConfigError, match="a GPU has one executor thread, got n_threads 2"):
        DeviceShare(DeviceKind.CUDA, MIB, n_threads=2)
    with pytest.raises(ConfigError, match="tensorrt needs a GPU"):
        DeviceShare(DeviceKind.CPU, MIB, tensorrt=True)


def test_the_drivers_report_is_read(tmp_path: Path):
    tool = script(tmp_path, "echo '0, GPU-aaaa, 512, 16384'; echo '1, GPU-bbbb, [N/A], 100'; echo 'garbage'")

    assert query_gpus(tool) == (Gpu(0, "GPU-aaaa", 512 * MIB, 16384 * MIB),)


def test_no_driver_tool_or_a_failing_one_means_no_cards(tmp_path: Path):
    assert query_gpus(str(tmp_path / "absent")) == ()
    assert query_gpus(script(tmp_path, "exit 9")) == ()


def test_missing_cuda_names_the_device_then_the_driver(tmp_path: Path):
    assert "no NVIDIA device under" in (missing_cuda(tmp_path) or "")

    (tmp_path / "nvidiactl").touch()
    assert "driver library does not load" in (missing_cuda(tmp_path, "libno-such-driver.so.1") or "")
    assert missing_cuda(tmp_path, "libc.so.6") is None


def test_a_containers_limits_bound_the_machine(tmp_path: Path):
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("1048576\n")

    probed = Machine.probe(tmp_path)

    assert (probed.n_cpus, probed.memory_bytes) == (1, 1 << 20)


def test_the_older_cgroup_layout_is_read_too(tmp_path: Path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("2097152\n")

    probed = Machine.probe(tmp_path)

    assert (probed.n_cpus, probed.memory_bytes) == (1, 2 << 20)


def test_no_limit_leaves_the_machine_whole(tmp_path: Path):
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")

    probed = Machine.probe(tmp_path)

    assert probed.n_cpus == len(os.sched_getaffinity(0))
    assert probed.memory_bytes == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
