"""Are enrolled marks found on streams, beside the SIFT way, and what does a look cost?

    python -m benchmarks.bench_logo --data FOLDER [--happenings 120] [--unmarked 0] [--moving 0] [--enrolled 20 200] [--seed 1]
                                    [--models FOLDER]

The folder holds `video/` and `games/`; only its test side is looked at. Half of the happenings (20 s each, H.264 at crf 23 to 32)
show an enrolled mark, a quarter a strange one, a quarter none; each is looked at five times, four seconds apart. A happening is
found where some look names the right mark at its place. For each way the threshold is the lowest at which 97 % of the findings
are right; recall, overlap and false findings an hour are at that threshold, and for the networks once more at the shipped one from
which a person looks, and as the shipped policy publishes them. One thread, both ways on the same frames in turns. The networks
look as the detector does: in turns at one frame and at those of all looks so far, and gather what they see. `--unmarked` adds
happenings without an enrolled mark, half of them with a strange one, and `--moving` so many of each motion, for the networks alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.logo_happenings import LENGTH_S, LOOK_S, LOOKS, Happening, Laid, Motion, draw_happening, mark_rgba
from benchmarks.logo_sift import SiftIndex
from benchmarks.logo_ways import HEADER, PublishRule, Said, Way, published
from benchmarks.report import machine_line
from inference.devices import DeviceShare
from inference.sessions import OnnxSession
from inference.verdicts import ModelRef
from inference.vision.logo import calibration_of
from models.logo_codec import crops, frames_of_look, planes_of
from models.logo_fonts import Part
from models.logo_footage import Footage
from models.logo_matching import STRANGERS_FILE, MarkIndex, Seen, matches_of, see, still_there, to_check
from models.logo_prototypes import prototypes_of
from models.logo_sightings import Track, followed, gathered
from models.shipped import FOLDER, Shipped

NAMES = ("networks", "networks, published", "sift")
STRANGERS_FROM = 1_000_000
CURVE = (1, 20, 200, 1000)
"""Enrolled marks for the curve of what a look costs."""


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
                self.rule = PublishRule.shipped(calibration_of(manifest.number("review"), manifest.number("block")))
        self.strangers = np.load(folder / "logo-teller" / STRANGERS_FILE).astype(np.float32)

    def find(self, planes: np.ndarray) -> np.ndarray:
        """Run the finder."""
        return self._run("logo-finder", planes)

    def tell(self, crops: np.ndarray) -> np.ndarray:
        """Run the teller."""
        return self._run("logo-teller", crops)

    def enrol(self, marks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Make the prototypes of marks."""
        return {name: prototypes_of(rgba, self.tell) for name, rgba in marks.items()}

    def index(self, prototypes: dict[str, np.ndarray]) -> MarkIndex:
        """Enrol beside the shipped strangers."""
        return MarkIndex(prototypes, self.strangers)

    def looks(self, happening: Happening, index: MarkIndex) -> Iterator[Seen]:
        """See one look after the other, each gathered with those before, as the detector does."""
        tracks: tuple[Track, ...] = ()
        for number in range(len(LOOKS)):
            frames = frames_of_look(happening.recent(number), number)
            seen = see(planes_of(frames), self.find, self.tell)
            if len(frames) > 1:
                seen = self._present(seen, frames[-1], index)
            tracks = followed(tracks, seen, LOOK_S * number)
            yield gathered(tracks[: len(seen.boxes)])

    def _present(self, seen: Seen, newest: np.ndarray, index: MarkIndex) -> Seen:
        checked = to_check(seen, index)
        return still_there(seen, checked, self.tell(crops(planes_of([newest]), seen.boxes[checked]))) if len(checked) else seen

    def _run(self, name: str, given: np.ndarray) -> np.ndarray:
        session = self._sessions[name]
        return session.run({session.input_names[0]: given})[session.output_names[0]]


def run(
    footage: Footage, networks: Networks, sizes: Sequence[int], *, n_happenings: int, seed: int
) -> tuple[list[Way], list[Laid]]:
    """Enrol marks, draw happenings and look at each both ways.

    Any of the largest number of marks may be shown; fewer are enrolled in sets that stand in for each other, the one with the mark
    shown among its like, so that all sizes are compared on the same happenings.
    """
    marks = {str(number): mark_rgba(number) for number in range(max(sizes))}
    prototypes = networks.enrol(marks)
    sets = {size: [list(marks)[first : first + size] for first in range(0, max(sizes) - size + 1, size)] for size in sizes}
    indices = {size: [networks.index({name: prototypes[name] for name in names}) for names in sets[size]] for size in sizes}
    sifts = {size: [SiftIndex({name: marks[name] for name in names}) for names in sets[size]] for size in sizes}
    ways = {(name, size): Way(f"{name}, {size} enrolled") for name in NAMES for size in sizes}
    wanted: list[Laid] = []
    random = Random(seed)
    for at in range(n_happenings):
        enrolled = at % 2 == 0
        shown = random.randrange(min(len(each) * size for size, each in sets.items()))
        number = shown if enrolled else STRANGERS_FROM + at if at % 4 == 1 else None
        happening = draw_happening(seed * 100_000 + at, footage, number)
        if happening.laid is not None and enrolled:
            wanted.append(happening.laid)
        mine = {size: (indices[size][shown // size], sifts[size][shown // size]) for size in sizes}
        for key, said in look_at(happening, networks, mine, ways).items():
            ways[key].add(happening, said, enrolled=enrolled)
    return list(ways.values()), wanted


def look_at(
    happening: Happening, networks: Networks, enrolled: dict[int, tuple[MarkIndex, SiftIndex]], ways: dict[tuple[str, int], Way]
) -> dict[tuple[str, int], list[Said]]:
    """Look at one happening both ways in turns, and note what it cost."""
    said: dict[tuple[str, int], list[Said]] = {key: [] for key in ways}
    cost_s = dict.fromkeys(ways, 0.0)
    looked = networks.looks(happening, enrolled[max(enrolled)][0])
    for number in range(len(LOOKS)):
        started_s = time.process_time()
        seen = next(looked)
        seen_s = time.process_time() - started_s
        frames = happening.median(number)
        for size, (index, sift) in enrolled.items():
            started_s = time.process_time()
            said["networks", size] += [Said(match.mark, match.score, match.box, number) for match in matches_of(seen, index)]
            cost_s["networks", size] += seen_s + time.process_time() - started_s
            started_s = time.process_time()
            said["sift", size] += [Said(match.mark, match.n_inliers, match.box, number) for match in sift.look(frames)]
            cost_s["sift", size] += time.process_time() - started_s
    for size in enrolled:
        said["networks, published", size] = published(said["networks", size], networks.rule)
        cost_s["networks, published", size] = cost_s["networks", size]
    for key, way in ways.items():
        way.cpu_ms.append(cost_s[key] / len(LOOKS) * 1e3)
    return said


def unmarked(footage: Footage, networks: Networks, n_enrolled: int, *, n_happenings: int, seed: int) -> str:
    """Say how often an hour a mark is found on happenings that show none, or a strange one."""
    index = networks.index(networks.enrol({str(number): mark_rgba(number) for number in range(n_enrolled)}))
    scores: dict[str, list[float]] = {"some look": [], "published": []}
    for at in range(n_happenings):
        happening = draw_happening(seed * 100_000 + 50_000 + at, footage, 2 * STRANGERS_FROM + at if at % 2 else None)
        said = said_of(happening, networks, index)
        for name, rows in zip(scores, (said, published(said, networks.rule)), strict=True):
            scores[name].append(max((one.score for one in rows), default=-1.0))
    hours = n_happenings * LENGTH_S / 3600
    lines = [f"{hours:.2f} h unmarked, {n_enrolled} enrolled, at {networks.rule.least:.2f} and above:"]
    for name, highest in scores.items():
        over = sum(score >= networks.rule.least for score in highest)
        lines.append(f"{name}: {over}; the highest: {', '.join(f'{score:.2f}' for score in sorted(highest)[:-11:-1])}")
    return "\n".join(lines)


def said_of(happening: Happening, networks: Networks, index: MarkIndex) -> list[Said]:
    """Say what all looks of a happening found."""
    return [
        Said(match.mark, match.score, match.box, number)
        for number, seen in enumerate(networks.looks(happening, index))
        for match in matches_of(seen, index)
    ]


def moving(footage: Footage, networks: Networks, n_enrolled: int, *, n_happenings: int, seed: int) -> list[str]:
    """Say how many marks are found by what they do, at the shipped threshold, and how many findings lie elsewhere."""
    index = networks.index(networks.enrol({str(number): mark_rgba(number) for number in range(n_enrolled)}))
    lines = ["| the mark | easy | hard | another mark, or not at its place | overlap >= 0.5 |", "|---|---|---|---|---|"]
    for motion in Motion:
        random = Random(seed)
        found: dict[str, list[bool]] = {"easy": [], "hard": []}
        shares: list[float] = []
        n_wrong = 0
        for at in range(n_happenings):
            number = random.randrange(n_enrolled)
            happening = draw_happening(seed * 100_000 + 70_000 + at, footage, number, motion)
            said = [one for one in said_of(happening, networks, index) if one.score >= networks.rule.least]
            hits = [share for one in said if one.mark == str(number) and (share := one.overlap(happening)) > 0.1]
            n_wrong += len(said) - len(hits)
            shares += hits
            assert happening.laid is not None
            found[happening.laid.grade].append(bool(hits))
        recall = " | ".join(f"{np.mean(rows or [0]):.2f} of {len(rows)}" for rows in found.values())
        overlap = f"{np.mean(np.array(shares) >= 0.5):.2f}" if shares else "-"
        lines.append(f"| {motion} | {recall} | {n_wrong} of {len(shares) + n_wrong} looks | {overlap} |")
    return lines


def curve(networks: Networks, footage: Footage) -> list[str]:
    """CPU time of a look by how many marks are enrolled; the prototypes are noise, which costs the same."""
    happening = draw_happening(7, footage, 3)
    random = np.random.default_rng(0)
    lines = ["| enrolled | ms of one core a look |", "|---|---|"]
    for n in CURVE:
        noise = random.normal(size=(n, 3, 128)).astype(np.float32)
        noise /= np.linalg.norm(noise, axis=2, keepdims=True)
        index = networks.index({str(at): rows for at, rows in enumerate(noise)})
        costs = []
        for _ in range(5):
            started_s = time.process_time()
            for seen in networks.looks(happening, index):
                matches_of(seen, index)
            costs.append((time.process_time() - started_s) / len(LOOKS) * 1e3)
        lines.append(f"| {n} | {np.median(costs):.0f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with video/ and games/")
    parser.add_argument("--models", type=Path, default=FOLDER, help="folder with logo-finder/ and logo-teller/")
    parser.add_argument("--happenings", type=int, default=120)
    parser.add_argument("--unmarked", type=int, default=0, help="further happenings without an enrolled mark")
    parser.add_argument("--moving", type=int, default=0, help="further happenings of each motion")
    parser.add_argument("--enrolled", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    footage, networks = Footage(args.data, Part.TEST), Networks(args.models)
    print(machine_line("onnxruntime-gpu", "opencv-python-headless", "numpy"))
    if args.happenings:
        ways, wanted = run(footage, networks, args.enrolled, n_happenings=args.happenings, seed=args.seed)
        print(f"\n{args.happenings} happenings, {len(wanted)} with an enrolled mark; published: {networks.rule}\n")
        print(HEADER)
        for way in ways:
            n_other = args.happenings - len(wanted)
            if "published" not in way.name:
                print(way.row(wanted, n_other, way.precise_from()), flush=True)
            if way.name.startswith("networks"):
                print(way.row(wanted, n_other, networks.rule.least), flush=True)
    if args.unmarked:
        print("\n" + unmarked(footage, networks, max(args.enrolled), n_happenings=args.unmarked, seed=args.seed), flush=True)
    if args.moving:
        print("\n" + "\n".join(moving(footage, networks, max(args.enrolled), n_happenings=args.moving, seed=args.seed)), flush=True)
    print("\n" + "\n".join(curve(networks, footage)))


if __name__ == "__main__":
    main()
