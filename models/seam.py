"""What training asks of serving, so that a network learns from and is checked with exactly what it will meet there.

A contract only; `inference/text/served.py` keeps it, and the composed command line hands it in.
"""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray


class TextServing(Protocol):
    """Serving as the training commands see it; called on one thread."""

    def fold(self, text: str) -> str:
        """Return the canonical view of a text: width, case, script and look-alikes folded."""
        ...

    def run(self, graph: bytes, inputs: NDArray[Any]) -> NDArray[Any]:
        """Run an ONNX graph of one input and one output by the runtime that serves.

        Args:
            graph: the file's bytes.
            inputs: what the graph reads, the batch on the first axis.
        """
        ...
