"""The ONNX Runtime session: contract, batch axes, constants, warm-up, honest failures. Graphs are made on the spot."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.batching import Rounding
from inference.devices import DeviceKind, DeviceShare, Machine
from inference.errors import ConfigError, NotReady
from inference.sessions import (
    GraphLayout,
    OnnxSession,
    OutOfMemory,
    Session,
    Tuning,
    detect_providers,
    is_out_of_memory,
    provider_options,
    rounding_for,
)
from inference.testing import FakeSession, fake_share
from inference.verdicts import ModelRef
from tests.onnx_maker import conv_graph, hungry_graph, recurrent_graph, scale_graph

REF = ModelRef("scale", "1", "0" * 64)
GPU = DeviceShare(DeviceKind.CUDA, 4 << 30, index=1)


def onnx(graph: bytes | Path, layout: GraphLayout | None = None) -> OnnxSession:
    return OnnxSession(graph, ref=REF, share=fake_share(), layout=layout)


@pytest.fixture(params=["onnx", "fake"])
def session(request: pytest.FixtureRequest) -> Session:
    """Both sessions there are; both answer `y = 2 x`."""
    return onnx(scale_graph(2.0)) if request.param == "onnx" else FakeSession()


@pytest.mark.parametrize("n_rows", [1, 2, 7])
def test_n_rows_in_n_rows_out_in_order(session: Session, n_rows: int):
    x = np.arange(n_rows * 3, dtype=np.float32).reshape(n_rows, 3)

    out = session.run({"x": x})

    np.testing.assert_array_equal(out["y"], 2 * x)


def test_a_session_names_its_inputs_its_model_and_where_it_runs(session: Session):
    assert session.input_names == ("x",)
    assert session.ref.name == session.name
    assert session.ref.provider == session.provider


def test_every_size_can_be_warmed(session: Session):
    for n_rows in (1, 2, 4):
        session.warm(n_rows)

    assert len(session.run({"x": np.ones((4, 3), np.float32)})["y"]) == 4


def test_a_session_may_run_on_several_threads_at_once():
    shared = onnx(conv_graph(size_px=32, n_channels=8))
    samples = [np.full((n % 3 + 1, 3, 32, 32), n, np.float32) for n in range(12)]
    alone = [shared.run({"x": x})["y"] for x in samples]
    together: dict[int, np.ndarray] = {}

    def score(start: int) -> None:
        for n in range(start, len(samples), 4):
            together[n] = shared.run({"x": samples[n]})["y"]

    threads = [threading.Thread(target=score, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for n, expected in enumerate(alone):
        np.testing.assert_array_equal(together[n], expected)


def test_a_graph_is_loaded_from_a_file(tmp_path: Path):
    path = tmp_path / "scale.onnx"
    path.write_bytes(scale_graph(3.0))

    assert onnx(path).run({"x": np.ones((1, 3), np.float32)})["y"].tolist() == [[3, 3, 3]]


@settings(deadline=None, max_examples=20)
@given(n_rows=st.integers(1, 9))
def test_state_and_constants_look_like_any_batch_from_outside(n_rows: int):
    layout = GraphLayout(batch_axes={"state": 1, "next": 1}, constants={"rate": np.asarray(16_000)})
    session = onnx(recurrent_graph(), layout)
    x = np.arange(n_rows * 2, dtype=np.float32).reshape(n_rows, 2)
    state = np.arange(n_rows * 8, dtype=np.float32).reshape(n_rows, 2, 4)

    out = session.run({"x": x, "state": state})

    assert session.input_names == ("x", "state")
    np.testing.assert_array_equal(out["y"], x + 16_000)
    np.testing.assert_array_equal(out["next"], state + 1)


def test_warm_up_takes_the_graphs_own_shapes_around_the_batch_axis():
    layout = GraphLayout(batch_axes={"state": 1, "next": 1}, constants={"rate": np.asarray(16_000)})

    onnx(recurrent_graph(), layout).warm(4)


def test_a_dynamic_graph_must_name_the_shapes_to_warm():
    graph = scale_graph(shape=("n", 3, "h", "w"))

    with pytest.raises(ConfigError, match=r"input x has the dynamic shape .*name the shapes to warm up"):
        onnx(graph).warm(1)

    onnx(graph, GraphLayout(warm_shapes=({"x": (3, 32, 64)}, {"x": (3, 64, 32)}))).warm(2)


def test_what_is_no_graph_is_a_configuration_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="model scale@1 cannot be loaded"):
        onnx(b"not a graph")
    with pytest.raises(ConfigError, match="model scale@1 cannot be loaded"):
        onnx(tmp_path / "absent.onnx")


def test_a_batch_that_does_not_fit_memory_is_told_from_other_failures():
    hungry = onnx(hungry_graph())

    with pytest.raises(OutOfMemory, match=r"model scale@1: .*Failed to allocate memory"):
        hungry.run({"x": np.ones((1, 1), np.float32)})
    with pytest.raises(Exception, match=r"Invalid rank|invalid dimensions") as caught:
        hungry.run({"x": np.ones((1, 1, 1), np.float32)})
    assert not isinstance(caught.value, OutOfMemory)


@pytest.mark.parametrize(
    "words",
    [
        "CUDA failure 2: out of memory ; GPU=0",
        "Failed to allocate memory for requested buffer of size 8388608",
        "BFCArena::AllocateRawInternal Available memory of 0 is smaller than requested bytes of 131072",
        "Non-zero status code returned while running Expand node. Status Message: std::bad_alloc",
        "CUDNN failure 2: CUDNN_STATUS_ALLOC_FAILED",
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED",
    ],
)
def test_the_words_of_an_out_of_memory_are_known(words: str):
    assert is_out_of_memory(RuntimeError(words))
    assert is_out_of_memory(MemoryError())


def test_other_failures_are_no_out_of_memory():
    assert not is_out_of_memory(RuntimeError("CUDNN_STATUS_EXECUTION_FAILED"))


def test_asking_for_cuda_and_getting_the_cpu_is_not_ready(capfd: pytest.CaptureFixture[str]):
    if "CUDAExecutionProvider" in detect_providers():
        pytest.skip("this machine runs CUDA, so nothing falls back")

    with pytest.raises(NotReady, match="asked for on cuda-0 with CUDAExecutionProvider and it fell back to CPUExecutionProvider"):
        OnnxSession(scale_graph(), ref=REF, share=DeviceShare(DeviceKind.CUDA, 1 << 30))

    assert capfd.readouterr().out == ""


def test_providers_are_offered_only_where_they_can_run():
    without = Machine(1, 1, "no NVIDIA device under /dev")

    assert detect_providers(without) == ("CPUExecutionProvider",)
    assert "CPUExecutionProvider" in detect_providers()


def test_cuda_options_hold_the_share_and_search_no_algorithms():
    (provider, cuda), fallback = provider_options(GPU, Tuning(use_tf32=False))

    assert (provider, fallback) == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert cuda["device_id"] == "1"
    assert cuda["cudnn_conv_algo_search"] == "HEURISTIC"
    assert cuda["arena_extend_strategy"] == "kSameAsRequested"
    assert int(cuda["gpu_mem_limit"]) == (4 << 30) - (512 << 20)
    assert cuda["use_tf32"] == "0"


def test_tensorrt_comes_first_and_keeps_its_engines_where_told(tmp_path: Path):
    share = DeviceShare(DeviceKind.CUDA, 256 << 20, tensorrt=True)

    (first, engine), (second, cuda), _ = provider_options(share, Tuning(tensorrt_cache=tmp_path))
    (_, uncached), *_ = provider_options(share, Tuning())

    assert (first, second) == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    assert engine["trt_engine_cache_path"] == str(tmp_path)
    assert "trt_engine_cache_path" not in uncached
    assert int(cuda["gpu_mem_limit"]) == 128 << 20  # a small share keeps half for the context


def test_a_cpu_never_pads():
    assert rounding_for("CPUExecutionProvider") is Rounding.DOWN
    assert rounding_for("CUDAExecutionProvider") is Rounding.UP
