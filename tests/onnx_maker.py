"""Writes small ONNX files by hand: a graph is a handful of protobuf fields, so tests need no `onnx` package.

Only what tests and benchmarks use: float32, int32 and int64 tensors, nodes with integer, integer-list and string attributes.
Field numbers are those of `onnx.proto` (ONNX IR version 8, opset 17).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Attribute = int | str | Sequence[int]
Dim = int | str
_ELEM_TYPE = {np.dtype(np.float32): 1, np.dtype(np.int32): 6, np.dtype(np.int64): 7}


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)


def _bytes(tag: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(tag << 3 | 2) + _varint(len(raw)) + raw


@dataclass(frozen=True)
class Node:
    """One operator of the graph."""

    op: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def encode(self) -> bytes:
        """NodeProto."""
        out = b"".join(_bytes(1, name) for name in self.inputs) + b"".join(_bytes(2, name) for name in self.outputs)
        out += _bytes(4, self.op)
        for name, value in self.attributes.items():
            if isinstance(value, int):
                body = _number(3, value) + _number(20, 2)
            elif isinstance(value, str):
                body = _bytes(4, value) + _number(20, 3)
            else:
                body = b"".join(_number(8, one) for one in value) + _number(20, 7)
            out += _bytes(5, _bytes(1, name) + body)
        return out


@dataclass(frozen=True)
class Port:
    """A graph input or output; a dimension that is a name is dynamic."""

    name: str
    shape: Sequence[Dim]
    dtype: type[np.generic] = np.float32

    def encode(self) -> bytes:
        """ValueInfoProto."""
        dims = b"".join(_bytes(1, _number(1, dim) if isinstance(dim, int) else _bytes(2, dim)) for dim in self.shape)
        tensor = _number(1, _ELEM_TYPE[np.dtype(self.dtype)]) + _bytes(2, dims)
        return _bytes(1, self.name) + _bytes(2, _bytes(1, tensor))


def _tensor(name: str, values: NDArray[np.generic]) -> bytes:
    dims = b"".join(_number(1, dim) for dim in values.shape)
    return dims + _number(2, _ELEM_TYPE[values.dtype]) + _bytes(8, name) + _bytes(9, values.tobytes())


def onnx_bytes(
    nodes: Sequence[Node],
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    weights: Mapping[str, NDArray[np.generic]] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Encode a whole ModelProto."""
    graph = b"".join(_bytes(1, node.encode()) for node in nodes) + _bytes(2, "graph")
    graph += b"".join(_bytes(5, _tensor(name, values)) for name, values in (weights or {}).items())
    graph += b"".join(_bytes(11, port.encode()) for port in inputs) + b"".join(_bytes(12, port.encode()) for port in outputs)
    notes = b"".join(_bytes(14, _bytes(1, key) + _bytes(2, value)) for key, value in (metadata or {}).items())
    return _number(1, 8) + _bytes(2, "livewarden-tests") + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 17)) + notes


def scale_graph(factor: float = 2.0, shape: Sequence[Dim] = ("n", 3)) -> bytes:
    """`y = x * factor`, so that every answer tells which sample it belongs to."""
    return onnx_bytes(
        [Node("Mul", ["x", "factor"], ["y"])], [Port("x", shape)], [Port("y", shape)], {"factor": np.asarray(factor, np.float32)}
    )


def conv_graph(*, size_px: int = 128, n_channels: int = 32, n_layers: int = 6, seed: int = 0) -> bytes:
    """A small convolutional net: `x` (n, 3, size, size) to `y` (n, channels), as costly as its layers and sizes say."""
    rng = np.random.default_rng(seed)
    nodes: list[Node] = []
    weights: dict[str, NDArray[np.generic]] = {}
    at, n_in = "x", 3
    for layer in range(n_layers):
        weights[f"w{layer}"] = (rng.standard_normal((n_channels, n_in, 3, 3)) / np.sqrt(9 * n_in)).astype(np.float32)
        stride = 2 if layer in {0, 2, 4} else 1
        conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [stride, stride]}
        nodes += [Node("Conv", [at, f"w{layer}"], [f"c{layer}"], conv), Node("Relu", [f"c{layer}"], [f"r{layer}"])]
        at, n_in = f"r{layer}", n_channels
    nodes += [Node("GlobalAveragePool", [at], ["pooled"]), Node("Flatten", ["pooled"], ["y"], {"axis": 1})]
    return onnx_bytes(nodes, [Port("x", ["n", 3, size_px, size_px])], [Port("y", ["n", n_channels])], weights)


def recurrent_graph() -> bytes:
    """One step of a counter with its batch on axis 1 and a constant input, as voice activity models have them.

    `y = x + rate` (n, 2); `next = state + 1` (2, n, 4).
    """
    return onnx_bytes(
        [
            Node("Cast", ["rate"], ["rate_f"], {"to": 1}),
            Node("Add", ["x", "rate_f"], ["y"]),
            Node("Add", ["state", "one"], ["next"]),
        ],
        [Port("x", ["n", 2]), Port("state", [2, "n", 4]), Port("rate", [], np.int64)],
        [Port("y", ["n", 2]), Port("next", [2, "n", 4])],
        {"one": np.ones((), np.float32)},
    )


def hungry_graph() -> bytes:
    """`y` = x spread over 2**46 floats: no machine has the memory, so every run is an honest out-of-memory."""
    return onnx_bytes(
        [Node("Expand", ["x", "huge"], ["y"])],
        [Port("x", ["n", 1])],
        [Port("y", ["n", "m"])],
        {"huge": np.asarray([1, 1 << 46], np.int64)},
    )
