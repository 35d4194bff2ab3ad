"""Loaded models: the contract every session keeps, and the ONNX Runtime session. The only importer of onnxruntime.

Batching, threads and the choice of what runs next are `lanes.py`; what a share is, `devices.py`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from inference.batching import Rounding
from inference.devices import MIB, DeviceKind, DeviceShare, Machine
from inference.errors import ConfigError, LivewardenError, NotReady
from inference.verdicts import ModelRef

Rows = Mapping[str, NDArray[Any]]
"""Arrays by input or output name; the batch is axis 0 of each."""

CONTEXT_RESERVE_BYTES = 512 * MIB
"""Left out of ONNX Runtime's arena limit: CUDA context, cuDNN and cuBLAS workspaces are not part of the arena."""

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_TENSORRT = "TensorrtExecutionProvider"
_OUT_OF_MEMORY = re.compile(
    r"out of memory|failed to allocate memory|bad_alloc|available memory of \d+ is smaller than requested"
    r"|(CUDNN|CUBLAS)_STATUS_ALLOC_FAILED|cudaErrorMemoryAllocation",
    re.IGNORECASE,
)
_DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}


class OutOfMemory(LivewardenError):
    """Raised when a batch did not fit the device's memory; a smaller one may."""


class Session(Protocol):
    """A loaded model.

    `warm` is called for each batch size before the first `run`, for the largest on every executor thread at once. Both are called
    on executor threads only: one thread on a GPU, several at once on a CPU.
    """

    name: str
    provider: str
    """ONNX Runtime's name of the execution provider that really runs."""
    ref: ModelRef
    input_names: tuple[str, ...]
    """Inputs the caller gives, each with the batch on axis 0."""

    def run(self, batch: Rows) -> Rows:
        """Score n rows; every output has n rows, in the same order.

        Raises:
            OutOfMemory: a smaller batch may do.
        """
        ...

    def warm(self, n_rows: int) -> None:
        """Run a batch of this size of every shape that will come, so that no caller pays for a first run."""
        ...


def rounding_for(provider: str) -> Rounding:
    """A CPU's cost is linear in the rows, so padding is pure loss there; a GPU wants the few sizes it was warmed for."""
    return Rounding.DOWN if provider == _CPU else Rounding.UP


def detect_providers(machine: Machine | None = None) -> tuple[str, ...]:
    """Return the execution providers that can run here, best first: built in, and for CUDA with device and driver present."""
    missing = (machine or Machine.probe()).cuda_missing
    return tuple(name for name in ort.get_available_providers() if name == _CPU or (name in {_CUDA, _TENSORRT} and not missing))


@dataclass(frozen=True, slots=True)
class GraphLayout:
    """What the graph does not say of itself."""

    batch_axes: Mapping[str, int] = field(default_factory=dict)
    """Batch axis of inputs and outputs where it is not 0, e.g. `{"state": 1, "stateN": 1}`."""
    constants: Rows = field(default_factory=dict)
    """Inputs that are the same for every batch, as the graph takes them, e.g. `{"sr": np.asarray(16000)}`."""
    warm_shapes: tuple[Mapping[str, tuple[int, ...]], ...] = ()
    """Row shapes (without the batch axis) that will come, for graphs with dynamic shapes; empty: the graph's own."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What may be traded on a GPU."""

    use_tf32: bool = True
    """Round float32 matrix inputs to 10 bits of mantissa on Ampere and later: up to several times faster."""
    tensorrt_cache: Path | None = None
    """Folder that keeps TensorRT's engines from one start to the next; None builds them at every start."""


class OnnxSession:
    """An ONNX file on a device share.

    On a CPU each run uses the one thread that calls it, so that throughput comes from several executor threads; two threads in a
    run were half as fast on a busy machine. `run` may be called from several threads at once there; on a GPU from one.
    """

    def __init__(
        self,
        graph: Path | bytes,
        *,
        ref: ModelRef,
        share: DeviceShare,
        layout: GraphLayout | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        """Load the graph.

        Args:
            graph: path of the ONNX file, or its bytes.
            ref: what findings call it; its provider is replaced by the one that really runs.
            share: where it runs.
            layout: batch axes, constants and shapes that the graph itself does not say.
            tuning: GPU trade-offs.

        Raises:
            ConfigError: the file is no graph ONNX Runtime can load.
            NotReady: CUDA or TensorRT was asked for and ONNX Runtime runs the graph elsewhere, or it does not fit.
        """
        self._layout = layout or GraphLayout()
        wanted = provider_options(share, tuning or Tuning())
        # Its own logger warns at every load of what does not concern who only serves, on a GPU most of all.
        ort.set_default_logger_severity(3)
        if share.kind is DeviceKind.CUDA:
            with redirect_stdout(sys.stderr):  # it prints what it cannot load; standard output may carry our answers
                ort.preload_dlls()
        try:
            _share_one_arena()
            self._session = ort.InferenceSession(graph, _options(), providers=wanted)
        except Exception as exc:  # ONNX Runtime raises a dozen types of its own that share no root
            if is_out_of_memory(exc):
                raise NotReady(f"model {ref} does not fit {share.name}: {exc}") from exc
            raise ConfigError(f"model {ref} cannot be loaded: {exc}") from exc
        self.provider = self._session.get_providers()[0]
        if self.provider != _name(wanted[0]):
            raise NotReady(
                f"model {ref} was asked for on {share.name} with {_name(wanted[0])} and it fell back to {self.provider}: its "
                "CUDA, cuDNN or TensorRT libraries do not load; install onnxruntime-gpu[cuda,cudnn] or use an image with them"
            )
        self.name = ref.name
        self.ref = ModelRef(ref.name, ref.version, ref.sha256, self.provider)
        self.input_names = tuple(port.name for port in self._session.get_inputs() if port.name not in self._layout.constants)
        self.output_names = tuple(port.name for port in self._session.get_outputs())
        self.metadata: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        """What the graph says of itself, e.g. a recogniser's list of characters."""

    def __repr__(self) -> str:
        return f"OnnxSession({self.ref} on {self.provider})"

    def run(self, batch: Rows) -> Rows:
        """Score n rows; every output has n rows, in the same order. Inputs and outputs have the batch on axis 0.

        Raises:
            OutOfMemory: the batch did not fit.
        """
        axes = self._layout.batch_axes
        feed = {
            name: np.ascontiguousarray(np.moveaxis(rows, 0, axes[name])) if name in axes else rows for name, rows in batch.items()
        }
        feed.update(self._layout.constants)
        try:
            outputs = self._session.run(self.output_names, feed)
        except MemoryError as exc:
            raise OutOfMemory(f"model {self.ref}: {exc}") from exc
        except Exception as exc:
            if is_out_of_memory(exc):
                raise OutOfMemory(f"model {self.ref}: {exc}") from exc
            raise
        named = zip(self.output_names, outputs, strict=True)
        return {name: np.moveaxis(rows, axes[name], 0) if name in axes else rows for name, rows in named}

    def warm(self, n_rows: int) -> None:
        """Run a batch of `n_rows` zeros of every shape that will come.

        Raises:
            ConfigError: an input has a dynamic shape and the layout names none.
        """
        ports = {port.name: port for port in self._session.get_inputs()}
        for shapes in self._layout.warm_shapes or (self._static_shapes(),):
            self.run({name: np.zeros((n_rows, *shapes[name]), _DTYPES[ports[name].type]) for name in self.input_names})

    def _static_shapes(self) -> Mapping[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for port in self._session.get_inputs():
            row = [dim for axis, dim in enumerate(port.shape) if axis != self._layout.batch_axes.get(port.name, 0)]
            if port.name in self.input_names and not all(isinstance(dim, int) for dim in row):
                raise ConfigError(
                    f"model {self.ref}: input {port.name} has the dynamic shape {port.shape}; name the shapes to warm up"
                )
            shapes[port.name] = tuple(row)
        return shapes


def is_out_of_memory(exc: BaseException) -> bool:
    """Tell an out-of-memory from other failures: ONNX Runtime has no type for it, only these words."""
    return isinstance(exc, MemoryError) or _OUT_OF_MEMORY.search(str(exc)) is not None


@cache
def _share_one_arena() -> None:
    """Give all sessions of the process one CPU arena that grows by what is asked for; once, before the first session.

    Without an arena every large activation is mapped and faulted in anew: up to twice the time for text detection and batches of 8
    (measured). With one per session, each keeps its own peak and doubles as it grows. Shared, it settles at what the executor
    threads need at once, as long as the shapes that come are bounded.
    """
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    same_as_requested = {"arena_extend_strategy": 1, "max_mem": 0, "initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(same_as_requested))


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = True
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 3  # errors reach us as exceptions; warnings on every load help nobody who only serves
    return options


def provider_options(share: DeviceShare, tuning: Tuning) -> list[str | tuple[str, dict[str, str]]]:
    """Return ONNX Runtime's providers and their options for a share, best first; later changes to them would have no effect."""
    if share.kind is DeviceKind.CPU:
        return [_CPU]
    limit = max(share.memory_bytes - CONTEXT_RESERVE_BYTES, share.memory_bytes // 2)
    cuda = {
        "device_id": str(share.index),
        "gpu_mem_limit": str(limit),
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",  # EXHAUSTIVE, the default, benchmarks every new batch shape for up to a second
        "do_copy_in_default_stream": "1",
        "use_tf32": str(int(tuning.use_tf32)),
    }
    chosen: list[str | tuple[str, dict[str, str]]] = [(_CUDA, cuda), _CPU]
    if share.tensorrt:
        engine = {"device_id": str(share.index), "trt_fp16_enable": "1", "trt_max_workspace_size": str(limit // 2)}
        if tuning.tensorrt_cache is not None:
            engine |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(tuning.tensorrt_cache)}
        chosen.insert(0, (_TENSORRT, engine))
    return chosen


def _name(provider: str | tuple[str, dict[str, str]]) -> str:
    return provider if isinstance(provider, str) else provider[0]
