"""How much of a bare session's best throughput a lane keeps, and what it adds to one sample's time.

Bare: a loop that runs one ready-made batch of the best size again and again, with nobody to answer. Lane: 64 callers, each sending
its next sample when it has its answer. From the root: `python -m benchmarks.bench_lanes [--json] [--rounds N] [--seconds S]`.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Contender, Report, arguments, compare, publish
from inference.devices import DeviceKind, DeviceShare
from inference.lanes import Device, Lane
from inference.sessions import GraphLayout, OnnxSession, Rows, Session
from inference.testing import Cost, FakeSession
from inference.verdicts import ModelRef
from tests.onnx_maker import conv_graph

GPU_LADDER = (1, 2, 4, 8, 16)
CPU_LADDER = (1, 2, 4)
"""Cost is linear in the batch on a CPU, so small batches give the same throughput sooner."""
N_CALLERS = 64


@dataclass(frozen=True, slots=True)
class Case:
    """A model and how it is called."""

    name: str
    session: Session
    shape: tuple[int, ...]
    """Of one sample."""
    ladder: tuple[int, ...]
    n_threads: int = 1


def share(n_threads: int) -> DeviceShare:
    """A CPU share without a bound on memory."""
    return DeviceShare(DeviceKind.CPU, 1 << 50, n_threads=n_threads)


def samples(n_rows: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Make `n_rows` samples."""
    return np.random.default_rng(0).random((n_rows, *shape), np.float32)


def bare(case: Case, n_rows: int, seconds: float) -> float:
    """Samples per second of one loop per executor thread over batches of `n_rows`."""
    name = case.session.input_names[0]
    ready = {name: samples(n_rows, case.shape)}
    counts = [0] * case.n_threads
    begun_s = time.perf_counter()

    def loop(at: int) -> None:
        while time.perf_counter() - begun_s < seconds:
            case.session.run(ready)
            counts[at] += n_rows

    threads = [threading.Thread(target=loop, args=(at,)) for at in range(case.n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begun_s)


@contextmanager
def serving(case: Case) -> Iterator[Lane]:
    """A warm lane on a device of its own."""
    device = Device(share(case.n_threads))
    lane = Lane("bench", case.session, device, max_queue=4 * N_CALLERS, ladder=case.ladder)
    lane.warm()
    try:
        yield lane
    finally:
        device.close()


async def calling(lane: Lane, row: Rows, seconds: float, *, n_callers: int = N_CALLERS) -> float:
    """Samples per second of callers that each send the next sample when they have their answer."""
    loop = asyncio.get_running_loop()
    n_done = 0
    begun_s = loop.time()

    async def caller() -> None:
        nonlocal n_done
        while loop.time() - begun_s < seconds:
            await lane.submit(row)
            n_done += 1

    await asyncio.gather(*(caller() for _ in range(n_callers)))
    return n_done / (loop.time() - begun_s)


def through_lane(case: Case, seconds: float) -> float:
    """Samples per second of 64 asyncio callers."""
    row = {case.session.input_names[0]: samples(1, case.shape)[0]}
    with serving(case) as lane:
        return asyncio.run(calling(lane, row, seconds))


def lone_ms(case: Case) -> float:
    """Median milliseconds of one sample at a time, called bare."""
    ready = {case.session.input_names[0]: samples(1, case.shape)}
    return _median_ms(lambda: case.session.run(ready))


def lone_lane_ms(case: Case) -> float:
    """Median milliseconds of one sample at a time through an idle lane."""
    row = {case.session.input_names[0]: samples(1, case.shape)[0]}
    with serving(case) as lane:
        return _median_ms(lambda: lane.submit(row).result())


def _median_ms(call: Callable[[], object], n_runs: int = 60) -> float:
    times: list[float] = []
    for _ in range(n_runs):
        begun_s = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun_s) * 1000)
    return statistics.median(times)


def throughput(case: Case, *, seconds: float, n_rounds: int) -> Report:
    """Compare the bare loop at its best size with a lane whose ladder ends there."""
    size = max(case.ladder, key=lambda n_rows: bare(case, n_rows, seconds / 2))
    case = replace(case, ladder=tuple(rung for rung in case.ladder if rung <= size))
    return compare(
        f"{case.name}, {case.n_threads} executor thread(s), {N_CALLERS} callers",
        "samples/s",
        [
            Contender(f"bare loop, batch {size}", partial(bare, case, size, seconds)),
            Contender("lane", partial(through_lane, case, seconds)),
        ],
        n_rounds=n_rounds,
    )


def cases(graph: Path | None) -> list[Case]:
    """The shapes of cost that matter: a GPU's, a detector's on a CPU, and a net so small that only overhead shows."""
    ref = ModelRef("bench", "1", "")
    heavy = OnnxSession(conv_graph(size_px=320, n_channels=64, n_layers=6), ref=ref, share=share(1))
    tiny = OnnxSession(conv_graph(size_px=128, n_channels=32, n_layers=6), ref=ref, share=share(1))
    chosen = [
        Case("5 ms + 1 ms per sample (a GPU's shape of cost)", FakeSession(cost=Cost(0.005, 0.001)), (8,), GPU_LADDER),
        Case("convolutions of a detector's cost", heavy, (3, 320, 320), CPU_LADDER),
        Case("convolutions of a detector's cost", heavy, (3, 320, 320), CPU_LADDER, n_threads=2),
        Case("half a millisecond of convolutions", tiny, (3, 128, 128), CPU_LADDER),
    ]
    if graph is not None:
        layout = GraphLayout(warm_shapes=({"images": (3, 320, 320)},))
        detector = OnnxSession(graph, ref=ref, share=share(1), layout=layout)
        chosen.append(Case(graph.name, detector, (3, 320, 320), CPU_LADDER))
    return chosen


def main() -> None:
    """Answer the questions and print them."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (default 2)")
    parser.add_argument("--nudenet", type=Path, help="320n.onnx of the nudenet package, to measure a real detector too")
    options = parser.parse_args()
    chosen = cases(options.nudenet)
    reports = [throughput(case, seconds=options.seconds, n_rounds=options.rounds) for case in chosen]
    tiny = chosen[3]
    lone = [Contender("bare call", partial(lone_ms, tiny)), Contender("lane", partial(lone_lane_ms, tiny))]
    reports.append(compare(f"{tiny.name}, one sample at a time, idle device", "ms", lone, n_rounds=options.rounds))
    publish(reports, packages=("onnxruntime-gpu", "numpy"), as_json=options.json)


if __name__ == "__main__":
    main()
