"""Reading a recogniser's steps: the best symbol of each, repeats and blanks removed (CTC, Graves et al. 2006).

`GreedySession` takes the best symbol inside the lane: a batch of eight lines is 24 MB of probabilities and 4 kB of symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.errors import ConfigError
from inference.sessions import Rows, Session

SYMBOLS = "symbols"
"""Output of a GreedySession: int32 (n, steps), the most probable symbol of each step."""
PROBABILITIES = "probabilities"
"""Output of a GreedySession: float32 (n, steps), that symbol's probability."""


class GreedySession:
    """A session of a recogniser that answers with the best symbol of each step instead of all of them."""

    def __init__(self, session: Session, output: str) -> None:
        """Wrap a session.

        Args:
            session: the recogniser.
            output: its output, shape (n, steps, symbols), a softmax over symbols.
        """
        self._session = session
        self._output = output
        self.name = session.name
        self.provider = session.provider
        self.ref = session.ref
        self.input_names = session.input_names

    def run(self, batch: Rows) -> Rows:
        """Score n lines; see `SYMBOLS` and `PROBABILITIES`."""
        steps = self._session.run(batch)[self._output]
        best = steps.argmax(axis=2)
        return {
            SYMBOLS: best.astype(np.int32),
            PROBABILITIES: np.take_along_axis(steps, best[..., None], axis=2)[..., 0].astype(np.float32),
        }

    def warm(self, n_rows: int) -> None:
        """Warm the recogniser."""
        self._session.warm(n_rows)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one line says."""

    text: str
    score: float
    """Mean probability of the characters that stayed, 0..1; 0 for an empty line."""


class CtcAlphabet:
    """Symbols of a recogniser: the blank, its characters, a space."""

    def __init__(self, characters: Sequence[str], *, blank_index: int = 0) -> None:
        """Number the symbols.

        Args:
            characters: one per symbol, without the blank and without the space that comes last.
            blank_index: where the blank stands.

        Raises:
            ConfigError: there are no characters.
        """
        if not characters:
            raise ConfigError("the recogniser's character list is empty; the graph carries it under its metadata key 'character'")
        symbols = [*characters, " "]
        symbols.insert(blank_index, "")
        self._symbols = symbols
        self._blank = blank_index

    def __len__(self) -> int:
        return len(self._symbols)

    def read(self, symbols: NDArray[np.int32], probabilities: NDArray[np.float32]) -> Reading:
        """Read one line.

        Args:
            symbols: shape (steps,).
            probabilities: shape (steps,).
        """
        kept = symbols != self._blank
        kept[1:] &= symbols[1:] != symbols[:-1]
        if not kept.any():
            return Reading("", 0.0)
        text = "".join(self._symbols[symbol] for symbol in symbols[kept])
        return Reading(text, min(1.0, float(probabilities[kept].mean())))
