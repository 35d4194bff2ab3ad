"""The product as a user runs it: one `livewarden up` for the tests that only look, others of their own for those that kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import Platform, Up, broadcasting, running
from tests.inference.conftest import public_models

__all__ = ["public_models"]


@pytest.fixture(scope="session")
def model_folder(public_models: object, request: pytest.FixtureRequest) -> Path:
    """Store with the public models, pulled."""
    return request.config.cache.mkdir("models")


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """Rooms clean, advert, qrcode (HLS), breaks and garbage on loopback."""
    with broadcasting() as platform:
        yield platform


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Up]:
    """A running `livewarden up` that nobody kills."""
    with running(tmp_path_factory.mktemp("up"), model_folder) as up:
        yield up
