"""One checker for all text tests: it takes a fifth of a second to make."""

from __future__ import annotations

import pytest

from inference.text.check import TextChecker
from inference.text.normalise import Normaliser
from inference.text.tables import Tables


@pytest.fixture(scope="session")
def checker() -> TextChecker:
    return TextChecker.load()


@pytest.fixture(scope="session")
def tables() -> Tables:
    return Tables.load()


@pytest.fixture(scope="session")
def normaliser(tables: Tables) -> Normaliser:
    return Normaliser(tables)
