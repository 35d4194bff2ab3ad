"""What does the text network cost a text, and how good is it beside a linear baseline?

    python -m benchmarks.bench_text_classifier [--rounds 5] [--lines 4000]

One thread, danmaku (real where the shared data folder is beside the checkout, else generated), folded as they are served. First the
graph alone at batches of 1, 8 and 32, in CPU time of the thread; then the whole way through a lane, with its memory of repeats, in
wall time. Accuracy is not measured here: the figures are those that `livewarden models evaluate text` wrote beside the shipped
model, network and baseline from one run over the same rows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.bench_text import danmaku
from benchmarks.report import Contender, compare, machine_line
from inference.devices import DeviceKind, DeviceShare
from inference.lanes import Device
from inference.registry import TEXT, characters_of, open_classifier
from inference.sessions import OnnxSession
from inference.text.served import ServedText
from inference.verdicts import ModelRef
from models.networks.text_card import table
from models.shipped import FOLDER
from models.store import ModelStore
from models.text_codec import compact, has_letters, windows

SIZES = (1, 8, 32)
DEADLINE_S = 10.0


def cpu_us(run: Callable[[], object], n_texts: int) -> float:
    """Microseconds of this thread per text."""
    started_s = time.thread_time()
    run()
    return (time.thread_time() - started_s) / n_texts * 1e6


def graph_contenders(session: OnnxSession, texts: Sequence[str]) -> list[Contender]:
    """Runs of the graph alone over texts laid out by length, in batches of each size."""
    alphabet = characters_of(session)
    by_length: dict[int, list[np.ndarray]] = {}
    for text in texts:
        for part in windows(text):
            ids = alphabet.encode(part)
            by_length.setdefault(len(ids), []).append(ids)

    def batches(size: int) -> list[np.ndarray]:
        return [np.stack(rows[start : start + size]) for rows in by_length.values() for start in range(0, len(rows), size)]

    def contender(size: int) -> Contender:
        prepared = batches(size)
        return Contender(f"batch {size}", lambda: cpu_us(lambda: [session.run({"ids": rows}) for rows in prepared], len(texts)))

    return [contender(size) for size in SIZES]


def served(store: ModelStore, share: DeviceShare, texts: Sequence[str], size: int) -> float:
    """Score texts `size` at a time through a lane; wall microseconds per text."""
    device = Device(share)
    try:
        scorer = open_classifier(store, device)

        async def all_of_them() -> float:
            started_s = time.perf_counter()
            for start in range(0, len(texts), size):
                await scorer.score(texts[start : start + size], deadline_s=device.clock.now_s() + DEADLINE_S)
            return time.perf_counter() - started_s

        return asyncio.run(all_of_them()) / len(texts) * 1e6
    finally:
        device.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=4000)
    options = parser.parse_args()
    lines, origin = danmaku(options.lines)
    fold = ServedText().fold
    folded = [fold(line) for line in lines]
    distinct = [text for text in dict.fromkeys(map(compact, folded)) if has_letters(text)]
    share = DeviceShare(DeviceKind.CPU, memory_bytes=1 << 50)
    store = ModelStore(Path("nowhere"))
    stored = store.live(TEXT)
    session = OnnxSession(stored.onnx_path, ref=ModelRef(stored.manifest.name, stored.manifest.version, ""), share=share)
    print(machine_line("onnxruntime-gpu", "numpy"))
    print(f"{stored.ref}, {stored.onnx_path.stat().st_size / 1e6:.2f} MB")
    print(f"{len(lines)} {origin}; {len(distinct) / len(lines):.1%} reach the network: the others are repeats or have no letters\n")
    alone = graph_contenders(session, distinct)
    print(compare("the graph alone, distinct texts", "us of one core a text", alone, n_rounds=options.rounds).table())
    ways = [Contender(f"{size} texts a call", lambda size=size: served(store, share, folded, size)) for size in (1, 50)]
    print("\n" + compare("through a lane, every line", "wall us a text", ways, n_rounds=options.rounds).table())
    evaluation = json.loads((FOLDER / TEXT / "evaluation.json").read_text(encoding="utf-8"))
    print(f"\n### test side of split {evaluation['split']}\n\n{table(evaluation)}")


if __name__ == "__main__":
    main()
