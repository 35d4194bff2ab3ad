"""Which word lists are in force: those that the settings name, and those that were imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from inference.settings import InferenceSettings
from inference.text.list_store import ListStore


@dataclass(frozen=True, slots=True)
class TextLists:
    """Files of word lists and allow-lists."""

    block: tuple[Path, ...]
    allow: tuple[Path, ...]

    @classmethod
    def of(cls, settings: InferenceSettings) -> Self:
        """Collect them.

        Raises:
            ConfigError: the store of imported lists cannot be read.
        """
        store = ListStore.under(settings.shared)
        return cls((*settings.text.lists, *store.live_block_paths()), (*settings.text.allow, *store.live_allow_paths()))
