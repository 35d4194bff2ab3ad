"""Fixtures of the main job's tests: they run the product from outside, as users do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.store import ModelStore, default_root
from models.zoo import Zoo
from tests.conftest import require
from tests.kafka_broker import free_port
from tests.mainjob.product import Product, live_platform


@pytest.fixture(scope="session")
def models_are_there() -> None:
    missing = Zoo.load().missing(ModelStore(default_root()))
    require(not missing, f"public models not pulled: {', '.join(missing)}; run `livewarden models pull --all`")


@pytest.fixture(scope="module")
def platform() -> Iterator[str]:
    """Address of a live platform with the demo's streams."""
    with live_platform() as address:
        yield address


@pytest.fixture
def start(tmp_path: Path, models_are_there: None) -> Iterator[Callable[..., Product]]:
    """Start the product with settings; everything is ended after the test."""
    started: list[Product] = []

    def start(**settings: Any) -> Product:
        product = Product(tmp_path, free_port(), **settings)
        started.append(product)
        product.start()
        return product

    yield start
    for product in started:
        product.end()
