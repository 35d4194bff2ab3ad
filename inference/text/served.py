"""What training needs of serving: the fold that texts go through, and the runtime that graphs are run by.

Handed to the training commands by whoever composes the command line, so that the lower floor trains and checks with exactly what
serves and imports none of it.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from inference.devices import DeviceShare
from inference.sessions import OnnxSession
from inference.text.normalise import Normaliser
from inference.text.tables import Tables
from inference.verdicts import ModelRef


class ServedText:
    """The text engine's fold and ONNX Runtime, as `models.seam.TextServing` asks for them."""

    def __init__(self) -> None:
        self._normaliser = Normaliser(Tables.load())

    def fold(self, text: str) -> str:
        """Return the canonical view of a text."""
        return self._normaliser.canonical(text)

    def run(self, graph: bytes, inputs: NDArray[Any]) -> NDArray[Any]:
        """Run a graph with one input and one output on the CPU, as serving does; raises as `OnnxSession`."""
        session = OnnxSession(graph, ref=ModelRef("draft", "0", "0" * 64), share=DeviceShare.auto("cpu"))
        return session.run({session.input_names[0]: inputs})[session.output_names[0]]
