"""What a GPU share does for the models that are served: the same answers, how many, through the lanes, and within the share.

From the root, on a machine with a GPU: `python -m benchmarks.bench_gpu --models DIR [--rounds N] [--seconds S]`, where DIR is a
store with the zoo's models. Contenders take turns in one run; "one core" is ONNX Runtime's CPU provider on one thread.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_lanes import Case, bare, calling
from benchmarks.report import Contender, Report, arguments, compare, publish
from inference.devices import MIB, DeviceKind, DeviceShare, query_gpus
from inference.lanes import Device, Lane
from inference.loader import ladder_for
from inference.sessions import GraphLayout, OnnxSession, OutOfMemory, Rows, Tuning
from inference.verdicts import ModelRef
from models.store import ModelStore

N_CALLERS = 256
SHAPES: Mapping[str, tuple[int, ...]] = {
    "nudenet-320n": (3, 320, 320),
    "ppocr-det": (3, 544, 960),
    "logo-finder": (8, 360, 640),
    "logo-teller": (6, 40, 96),
    "speech-units": (800, 48),
    "text-classifier": (48,),
}
"""Of one sample, as the detectors send it."""
SHARE_MIB = 2048


@dataclass(frozen=True, slots=True)
class Served:
    """One model of the store, and how it is called."""

    name: str
    path: Path
    input_name: str
    dtype: str
    ladder: tuple[int, ...]

    def session(self, share: DeviceShare, *, use_tf32: bool = True) -> OnnxSession:
        """Load it on a share."""
        layout = GraphLayout(warm_shapes=({self.input_name: SHAPES[self.name]},))
        ref = ModelRef(self.name, "bench", "")
        return OnnxSession(self.path, ref=ref, share=share, layout=layout, tuning=Tuning(use_tf32=use_tf32))

    def rows(self, n_rows: int) -> NDArray[Any]:
        """Make samples of its kind."""
        rng = np.random.default_rng(n_rows)
        shape = (n_rows, *SHAPES[self.name])
        if self.dtype.startswith("int"):
            return rng.integers(1, 100, shape).astype(self.dtype)
        return rng.integers(0, 256, shape, np.uint8) if self.dtype == "uint8" else rng.normal(0, 1, shape).astype(self.dtype)


@dataclass(frozen=True, slots=True)
class Fed:
    """A session that is always given rows of its own kind; what `bench_lanes.bare` measures."""

    inner: OnnxSession
    ready: Rows

    @property
    def input_names(self) -> tuple[str, ...]:
        """As the session's."""
        return self.inner.input_names

    def run(self, _: Rows) -> Rows:
        """Run the rows that lie ready."""
        return self.inner.run(self.ready)


def served(models: Path) -> list[Served]:
    """Return the models of a store that there are figures for."""
    store = ModelStore(models)
    found: list[Served] = []
    for name in SHAPES:
        stored = store.live(name)
        given = stored.manifest.inputs[0]
        ladder = ladder_for(stored.manifest, DeviceKind.CUDA)
        found.append(Served(name, stored.onnx_path, given.name, given.dtype, ladder))
    return found


def bare_rate(model: Served, share: DeviceShare, n_rows: int, seconds: float) -> float:
    """Samples a second of one loop over a ready batch, its load and warm-up left out."""
    session = model.session(share)
    session.warm(n_rows)
    fed: Any = Fed(session, {model.input_name: model.rows(n_rows)})
    return bare(Case(model.name, fed, (1,), model.ladder), n_rows, seconds)


def lane_rate(model: Served, share: DeviceShare, seconds: float) -> float:
    """Samples a second of many callers, each with one sample on its way."""
    device = Device(share)
    lane = Lane(model.name, model.session(share), device, max_queue=2 * N_CALLERS, ladder=model.ladder)
    lane.warm()
    row = {model.input_name: model.rows(1)[0]}
    try:
        return asyncio.run(calling(lane, row, seconds, n_callers=N_CALLERS))
    finally:
        device.close()


def same_answers(model: Served, gpu: DeviceShare) -> str:
    """Say how far the GPU's outputs are from the CPU's, as a share of the largest."""
    rows = {model.input_name: model.rows(4)}
    wanted = model.session(DeviceShare.auto("cpu")).run(rows)
    said: list[str] = []
    for use_tf32 in (True, False):
        got = model.session(gpu, use_tf32=use_tf32).run(rows)
        off = max(float(np.abs(got[name] - wanted[name]).max() / (np.abs(wanted[name]).max() + 1e-9)) for name in wanted)
        said.append(f"{off:.1e} {'with' if use_tf32 else 'without'} TF32")
    return f"{model.name}: largest difference {', '.join(said)}"


def throughput(model: Served, gpu: DeviceShare, *, seconds: float, n_rounds: int) -> Report:
    """Compare one core, the GPU called bare, and the GPU through a lane."""
    size = max(model.ladder, key=lambda n_rows: bare_rate(model, gpu, n_rows, seconds / 4))
    cpu = DeviceShare.auto("cpu")
    return compare(
        f"{model.name}, {N_CALLERS} callers",
        "samples/s",
        [
            Contender(f"GPU, bare loop, batch {size}", partial(bare_rate, model, gpu, size, seconds)),
            Contender("GPU, lane", partial(lane_rate, model, gpu, seconds)),
            Contender("one core, bare loop, batch 1", partial(bare_rate, model, cpu, 1, seconds)),
        ],
        n_rounds=n_rounds,
    )


def beyond_the_share(model: Served, gpu: DeviceShare) -> str:
    """Say what happens to a batch that does not fit the share, and to the next one."""
    session = model.session(DeviceShare(gpu.kind, 700 * MIB, gpu.index))
    try:
        session.run({model.input_name: model.rows(512)})
        first = "fits"
    except OutOfMemory as error:
        first = f"OutOfMemory ({str(error).splitlines()[0][:90]})"
    session.run({model.input_name: model.rows(1)})
    return f"{model.name}, 512 rows at 700 MiB: {first}; one row afterwards: answered"


def _one_of_several(model: Served, seconds: float, begin: Any, results: Any) -> None:
    share = DeviceShare.auto("cuda", memory_bytes=SHARE_MIB * MIB)
    session = model.session(share)
    for n_rows in model.ladder:
        session.warm(n_rows)
    begin.wait()
    fed: Any = Fed(session, {model.input_name: model.rows(model.ladder[-1])})
    rate = bare(Case(model.name, fed, (1,), model.ladder), model.ladder[-1], seconds)
    results.put((rate, query_gpus()[share.index].used_bytes))


def shared(model: Served, n_processes: int, seconds: float) -> tuple[float, int]:
    """Samples a second of so many processes in all, each with a share of its own, and the card's memory in use."""
    context = multiprocessing.get_context("spawn")
    begin, results = context.Barrier(n_processes), context.Queue()
    workers = [context.Process(target=_one_of_several, args=(model, seconds, begin, results)) for _ in range(n_processes)]
    for worker in workers:
        worker.start()
    told = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    return sum(rate for rate, _ in told), max(used for _, used in told)


def main() -> None:
    """Answer the questions and print them."""
    parser = arguments(__doc__)
    parser.add_argument("--models", type=Path, required=True, help="a store with the zoo's models")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (default 2)")
    options = parser.parse_args()
    gpu = DeviceShare.auto("cuda", memory_bytes=4 * SHARE_MIB * MIB)
    chosen = served(options.models)
    lines = [same_answers(model, gpu) for model in chosen]
    lines.append(beyond_the_share(chosen[0], gpu))
    for n_processes in (1, 2, 4):
        rate, used = shared(chosen[0], n_processes, options.seconds)
        told = f"{rate:.0f} samples/s in all, {used / MIB:.0f} MiB in use on the card"
        lines.append(f"{chosen[0].name}, {n_processes} processes of {SHARE_MIB} MiB: {told}")
    reports = [throughput(model, gpu, seconds=options.seconds, n_rounds=options.rounds) for model in chosen]
    publish(reports, packages=("onnxruntime-gpu", "numpy"), as_json=options.json)
    if not options.json:
        print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
