"""Are enrolled marks found on streams, beside the SIFT way, and what does a look cost?

    python -m benchmarks.bench_logo --data FOLDER [--happenings 120] [--unmarked 0] [--enrolled 20 200] [--seed 1] [--models FOLDER]

The folder holds `video/` and `games/`; only its test side is looked at. Half of the happenings (20 s each, H.264 at crf 23 to 32)
show an enrolled mark, a quarter a strange one, a quarter none; each is looked at four times, seven frames a look. A happening is
found where some look names the right mark at its place. For each way the threshold is the lowest at which 97 % of the findings
are right; recall, overlap and false findings an hour are at that threshold, and for the networks once more at the shipped one from
which a person looks. One thread, both ways on the same frames in turns. The networks gather what they see over the looks, as the
detector does. `--unmarked` adds happenings without an enrolled mark, half of them with a strange one, for the networks alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.logo_happenings import HZ, LENGTH_S, LOOKS_FROM, Happening, Laid, draw_happening, mark_rgba
from benchmarks.logo_sift import SiftIndex
from benchmarks.report import machine_line
from inference.devices import DeviceShare
from inference.sessions import OnnxSession
from inference.verdicts import ModelRef
from models.logo_boxes import overlaps
from models.logo_codec import planes_of
from models.logo_fonts import Part
from models.logo_footage import Footage
from models.logo_matching import MarkIndex, Seen, matches_of, prototypes_of, see
from models.logo_sightings import Track, followed, gathered
from models.shipped import FOLDER, Shipped

PRECISION = 0.97
STRANGERS_FROM = 1_000_000
CURVE = (1, 20, 200, 1000)
"""Enrolled marks for the curve of what a look costs."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a way said of one look."""

    mark: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Finding:
    """The best that a way said of one mark on one happening."""

    score: float
    laid: Laid | None
    """What it should have been, where it is right."""
    overlap: float


@dataclass(slots=True)
class Way:
    """One way to find marks and how it did."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    false_unmarked: list[float] = field(default_factory=list)
    """Scores on happenings without an enrolled mark."""
    cpu_ms: list[float] = field(default_factory=list)
    """Of each look."""

    def add(self, laid: Laid | None, said: Sequence[Said]) -> None:
        """Take what all looks of a happening said; `laid` is the enrolled mark on it."""
        best: dict[str, Said] = {}
        for one in said:
            if one.mark not in best or one.score > best[one.mark].score:
                best[one.mark] = one
        for mark, one in best.items():
            share = 0.0
            if laid is not None:
                share = float(overlaps(np.array([one.box], np.float32), np.array([laid.box], np.float32))[0, 0])
            right = laid is not None and mark == str(laid.number) and share > 0.1
            self.findings.append(Finding(one.score, laid if right else None, share))
            if laid is None:
                self.false_unmarked.append(one.score)


class Networks:
    """Both graphs by the runtime that serves, on one thread."""

    def __init__(self, folder: Path) -> None:
        self._sessions = {}
        for name in ("logo-finder", "logo-teller"):
            manifest = Shipped(folder).find(name)
            if manifest is None:
                raise SystemExit(f"no {name} in {folder}; name the folder with --models")
            graph = (folder / name / manifest.file).read_bytes()
            ref = ModelRef(manifest.name, manifest.version, manifest.sha256)
            self._sessions[name] = OnnxSession(graph, ref=ref, share=DeviceShare.auto("cpu"))
            if name == "logo-teller":
                self.review = manifest.number("review")
        self.strangers = np.load(folder / "logo-teller" / "strangers.npy").astype(np.float32)

    def find(self, planes: np.ndarray) -> np.ndarray:
        """Run the finder."""
        return self._run("logo-finder", planes)

    def tell(self, crops: np.ndarray) -> np.ndarray:
        """Run the teller."""
        return self._run("logo-teller", crops)

    def looks(self, happening: Happening) -> Iterator[Seen]:
        """See one look after the other, each gathered with those before."""
        tracks: tuple[Track, ...] = ()
        for first, frames in zip(LOOKS_FROM, happening.looks, strict=True):
            seen = see(planes_of(frames), self.find, self.tell)
            tracks = followed(tracks, seen, first / HZ)
            yield gathered(tracks[: len(seen.boxes)])

    def _run(self, name: str, given: np.ndarray) -> np.ndarray:
        session = self._sessions[name]
        return session.run({session.input_names[0]: given})[session.output_names[0]]


def run(
    footage: Footage, networks: Networks, sizes: Sequence[int], *, n_happenings: int, seed: int
) -> tuple[list[Way], list[Laid]]:
    """Enrol as many marks as each size says, draw happenings and look at each both ways.

    The marks to be found are enrolled in every size, so that the sizes are compared on the same happenings.
    """
    marks = {str(number): mark_rgba(number) for number in range(max(sizes))}
    prototypes = {name: prototypes_of(rgba, networks.tell) for name, rgba in marks.items()}
    some = {size: list(marks)[:size] for size in sizes}
    indices = {size: MarkIndex({name: prototypes[name] for name in names}, networks.strangers) for size, names in some.items()}
    sifts = {size: SiftIndex({name: marks[name] for name in names}) for size, names in some.items()}
    ways = {(name, size): Way(f"{name}, {size} enrolled") for name in ("networks", "sift") for size in sizes}
    wanted: list[Laid] = []
    random = Random(seed)
    for at in range(n_happenings):
        number = random.randrange(min(sizes)) if at % 2 == 0 else STRANGERS_FROM + at if at % 4 == 1 else None
        happening = draw_happening(seed * 100_000 + at, footage, number)
        if happening.laid is not None and at % 2 == 0:
            wanted.append(happening.laid)
        said: dict[tuple[str, int], list[Said]] = {key: [] for key in ways}
        looked = networks.looks(happening)
        for frames in happening.looks:
            started_s = time.process_time()
            seen = next(looked)
            seen_s = time.process_time() - started_s
            for size in sizes:
                started_s = time.process_time()
                said["networks", size] += [Said(match.mark, match.score, match.box) for match in matches_of(seen, indices[size])]
                ways["networks", size].cpu_ms.append((seen_s + time.process_time() - started_s) * 1e3)
                started_s = time.process_time()
                said["sift", size] += [Said(match.mark, match.n_inliers, match.box) for match in sifts[size].look(frames)]
                ways["sift", size].cpu_ms.append((time.process_time() - started_s) * 1e3)
        for key, way in ways.items():
            way.add(happening.laid if at % 2 == 0 else None, said[key])
    return list(ways.values()), wanted


def unmarked(footage: Footage, networks: Networks, n_enrolled: int, *, n_happenings: int, seed: int) -> str:
    """Say how often an hour a mark is found on happenings that show none, or a strange one."""
    prototypes = {str(number): prototypes_of(mark_rgba(number), networks.tell) for number in range(n_enrolled)}
    index = MarkIndex(prototypes, networks.strangers)
    scores = []
    for at in range(n_happenings):
        happening = draw_happening(seed * 100_000 + 50_000 + at, footage, 2 * STRANGERS_FROM + at if at % 2 else None)
        best = [match.score for seen in networks.looks(happening) for match in matches_of(seen, index)]
        scores.append(max(best, default=-1.0))
    hours = n_happenings * LENGTH_S / 3600
    over = sum(score >= networks.review for score in scores)
    highest = ", ".join(f"{score:.2f}" for score in sorted(scores)[:-6:-1])
    return f"{hours:.2f} h unmarked, {n_enrolled} enrolled: {over} at {networks.review:.2f} and above; the highest: {highest}"


def precise_from(way: Way) -> float:
    """Return the lowest score from which findings are as precise as wanted."""
    rows = sorted(way.findings, key=lambda row: -row.score)
    # Findings of one score stand or fall together.
    right = np.cumsum([row.laid is not None for row in rows])
    ends = [at for at in range(len(rows)) if at + 1 == len(rows) or rows[at + 1].score < rows[at].score]
    precise = [at for at in ends if right[at] / (at + 1) >= PRECISION]
    return rows[precise[-1]].score if precise else float("inf")


def figures(way: Way, wanted: Sequence[Laid], n_unmarked: int, threshold: float) -> str:
    """One row of the table: threshold, precision, recall by grade and class, overlap, false findings, cost."""
    kept = [row for row in way.findings if row.score >= threshold]
    hits = [row for row in kept if row.laid is not None]

    def recall(choose) -> str:
        n = sum(1 for laid in wanted if choose(laid))
        return f"{sum(1 for row in hits if choose(row.laid)) / n:.2f} of {n}" if n else "-"

    hours = n_unmarked * LENGTH_S / 3600
    false = sum(score >= threshold for score in way.false_unmarked)
    columns = [
        way.name,
        f"{threshold:.3g}",
        f"{len(hits) / len(kept):.2f}" if kept else "-",
        recall(lambda laid: laid.grade == "easy"),
        recall(lambda laid: laid.grade == "hard"),
        recall(lambda laid: laid.width_share < 0.07),
        recall(lambda laid: laid.opacity < 0.6),
        f"{np.mean([row.overlap >= 0.5 for row in hits]):.2f}" if hits else "-",
        f"{false} in {hours:.2f} h",
        f"{np.median(way.cpu_ms):.0f}",
    ]
    return "| " + " | ".join(columns) + " |"


def curve(networks: Networks, footage: Footage) -> list[str]:
    """CPU time of a look by how many marks are enrolled; the prototypes are noise, which costs the same."""
    looks = draw_happening(7, footage, 3).looks
    random = np.random.default_rng(0)
    lines = ["| enrolled | ms of one core a look |", "|---|---|"]
    for n in CURVE:
        noise = random.normal(size=(n, 3, 128)).astype(np.float32)
        noise /= np.linalg.norm(noise, axis=2, keepdims=True)
        index = MarkIndex({str(at): rows for at, rows in enumerate(noise)}, networks.strangers)
        costs = []
        for _ in range(5):
            for frames in looks:
                started_s = time.process_time()
                matches_of(gathered(followed((), see(planes_of(frames), networks.find, networks.tell), 0.0)), index)
                costs.append((time.process_time() - started_s) * 1e3)
        lines.append(f"| {n} | {np.median(costs):.0f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with video/ and games/")
    parser.add_argument("--models", type=Path, default=FOLDER, help="folder with logo-finder/ and logo-teller/")
    parser.add_argument("--happenings", type=int, default=120)
    parser.add_argument("--unmarked", type=int, default=0, help="further happenings without an enrolled mark")
    parser.add_argument("--enrolled", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    footage, networks = Footage(args.data, Part.TEST), Networks(args.models)
    print(machine_line("onnxruntime-gpu", "opencv-python-headless", "numpy"))
    ways, wanted = run(footage, networks, args.enrolled, n_happenings=args.happenings, seed=args.seed)
    print(f"\n{args.happenings} happenings, {len(wanted)} with an enrolled mark\n")
    print(
        "| way | threshold | precision | easy | hard | width < 7 % | opacity < 0.6 | overlap >= 0.5 | false, unmarked | ms a look |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for way in ways:
        n_other = args.happenings - len(wanted)
        print(figures(way, wanted, n_other, precise_from(way)), flush=True)
        if way.name.startswith("networks"):
            print(figures(way, wanted, n_other, networks.review), flush=True)
    if args.unmarked:
        print("\n" + unmarked(footage, networks, max(args.enrolled), n_happenings=args.unmarked, seed=args.seed), flush=True)
    print("\n" + "\n".join(curve(networks, footage)))


if __name__ == "__main__":
    main()
