"""Fixtures every test may use. A service that CI promises fails there when missing; on a laptop its tests skip and say why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.start import ONE_THREAD

# As the command does, and like it before numpy is loaded: tests see what users see, and do not fight each other for the cores.
os.environ.update({name: os.environ.get(name, value) for name, value in ONE_THREAD.items()})

SHARED = Path(__file__).resolve().parents[2] / "shared"
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}


def require(condition: bool, reason: str, *, promised: bool = True) -> None:
    """Skip the test unless the condition holds; in CI a missing promised service is a failure, never a skip."""
    if condition:
        return
    if IN_CI and promised:
        pytest.fail(f"CI promises this service: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with development data; it lies beside the checkout where there is one."""
    require((SHARED / "data").is_dir(), "no shared data folder beside this checkout", promised=False)
    return SHARED / "data"


pytest_plugins = ("tests.kafka_broker", "tests.redis_server")
