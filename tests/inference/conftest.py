"""Public models in a store of the tests' own, and every detector built once over them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from inference.devices import DeviceKind, DeviceShare
from inference.host import Host
from inference.lanes import Device
from inference.registry import NAMES, Built, build_detectors
from inference.text.check import TextChecker
from models.errors import ModelUnreachable
from models.store import ModelStore
from models.zoo import Zoo
from tests.conftest import require


@pytest.fixture(scope="session")
def public_models(request: pytest.FixtureRequest) -> ModelStore:
    """Store with the whole zoo, kept between runs in pytest's own cache."""
    store = ModelStore(request.config.cache.mkdir("models"))
    zoo = Zoo.load()
    try:
        for entry in zoo:
            zoo.pull(entry.name, store, accept_licences={entry.licence.spdx})
    except ModelUnreachable as exc:
        require(False, f"the public models cannot be pulled: {exc}")
    return store


@pytest.fixture(scope="session")
def threads() -> Iterator[ThreadPoolExecutor]:
    """Where detectors do their CPU work."""
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="detect") as pool:
        yield pool


@pytest.fixture
def host(threads: ThreadPoolExecutor) -> Host:
    """What a detector stands on."""
    return Host(threads)


@pytest.fixture(scope="session")
def cpu_device() -> Iterator[Device]:
    """One thread of this machine's CPU, whatever else there is."""
    device = Device(DeviceShare(DeviceKind.CPU, memory_bytes=1 << 50))
    yield device
    device.close()


@pytest.fixture(scope="session")
def built(public_models: ModelStore, cpu_device: Device, threads: ThreadPoolExecutor) -> Built:
    """Every detector there is."""
    built = build_detectors(public_models, cpu_device, TextChecker.load(), threads=threads)
    assert set(built.detectors) == set(NAMES), built.missing
    return built
