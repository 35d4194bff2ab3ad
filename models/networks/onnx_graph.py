"""An ONNX graph put down operator by operator: nodes in their order, weights kept once, checked when it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8


class Graph:
    """Nodes and weights as they are put down; every method returns the name of what it puts down."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Put down an operator with one output."""
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def split(self, x: str, sizes: Sequence[int], *, axis: int) -> tuple[str, str]:
        """Cut in two along an axis."""
        names = (f"left_{len(self.nodes)}", f"right_{len(self.nodes)}")
        self.nodes.append(helper.make_node("Split", [x, self.integers(sizes)], list(names), axis=axis))
        return names

    def norm(self, layer: Any, x: str) -> str:
        """Normalise over the last axis as torch's LayerNorm does."""
        return self.op(
            "LayerNormalization", x, self.parameter(layer.weight), self.parameter(layer.bias), axis=-1, epsilon=layer.eps
        )

    def dense(self, layer: Any, x: str) -> str:
        """Multiply by a linear layer's matrix, of any number of axes before the last."""
        return self.op("Add", self.op("MatMul", x, self.parameter(layer.weight.T)), self.parameter(layer.bias))

    def parameter(self, values: Any) -> str:
        """Keep a torch tensor as it is."""
        return self.tensor(values.detach().numpy())

    def halved(self, values: Any) -> str:
        """Keep a torch tensor in 16 bits; a cast that the runtime folds when it loads makes it 32 again."""
        return self.op("Cast", self.tensor(values.detach().numpy().astype(np.float16)), to=TensorProto.FLOAT)

    def number(self, value: float) -> str:
        """Keep a float32 without axes."""
        return self.tensor(np.array(value, np.float32))

    def integers(self, values: Sequence[int], kind: type[np.integer[Any]] = np.int64) -> str:
        """Keep whole numbers, one axis."""
        return self.tensor(np.array(values, kind))

    def tensor(self, values: NDArray[Any]) -> str:
        """Keep an array; equal ones are kept once."""
        proto = numpy_helper.from_array(np.ascontiguousarray(values).reshape(values.shape), "")
        for known in self.weights:
            if (known.raw_data, known.dims, known.data_type) == (proto.raw_data, proto.dims, proto.data_type):
                return str(known.name)
        proto.name = f"weight_{len(self.weights)}"
        self.weights.append(proto)
        return str(proto.name)

    def written(self, name: str, given: Any, answered: Any, *, properties: Mapping[str, str] | None = None) -> bytes:
        """Return the file.

        Args:
            name: of the graph.
            given: value info of its one input.
            answered: value info of its one output.
            properties: metadata.
        """
        model = helper.make_model(
            helper.make_graph(self.nodes, name, [given], [answered], self.weights),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="livewarden",
        )
        helper.set_model_props(model, dict(properties or {}))
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())
