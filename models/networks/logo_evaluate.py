"""Figures of the logo networks on scenes of the test side: what the finder finds, and what the whole finds of what is enrolled.

A look is one scene. Half of its marks are enrolled among others that are nowhere; the rest are strangers, of other styles, that
must not be taken for any. A finding is right where it names the mark and lies on it; precision counts every other finding. How many
of the right ones overlap by half is a figure of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from models.errors import DataError
from models.logo_boxes import overlaps
from models.logo_cache import SceneCache, Stored
from models.logo_codec import Bytes, Floats
from models.logo_fonts import Part
from models.logo_marks import FAMILY, draw_mark, mark_seed
from models.logo_matching import MOST_SCORE, STRANGERS_FILE, MarkIndex, Seen, matches_of, see
from models.logo_prototypes import prototypes_of
from models.logo_strangers import N_MADE_UP, N_SCENERY, strangers_of
from models.networks.logo import LogoNets
from models.networks.logo_train import load_nets

EVALUATION_FILE = "evaluation.json"
PRECISION, REVIEW_PRECISION = 0.97, 0.9
FRAME_PX = 1280
ENROLLED = (20, 200)
_OTHERS_FROM = 700_000_000
"""First number of marks that are on no scene: scenes draw below 500 million, `logo_strangers` from 600 million."""
N_OTHERS_MOST = 1000
"""Marks at most that are enrolled and are on no look."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A mark that was to be found on a look."""

    seed: int
    width_share: float
    """Of the frame."""
    opacity: float

    @property
    def easy(self) -> bool:
        """Width of 7 % and more and opacity of 0.6 and more."""
        return self.width_share >= 0.07 and self.opacity >= 0.6


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding, with what it should have been."""

    score: float
    right: bool
    instance: Instance | None
    """Of the mark it covers, where that one is enrolled and named rightly."""
    overlap: float


def evaluate_run(run: Path, scenes: Path, *, n_groups: int | None = None) -> dict[str, Any]:
    """Measure a run's networks and write `evaluation.json` and `strangers.npy`.

    Raises:
        DataError: there is no checkpoint, or no scene of the test side.
    """
    cache = SceneCache(scenes, Part.TEST)
    numbers = cache.numbers()[:n_groups]
    if not numbers:
        raise DataError(f"no test scenes in {scenes}; make some first")
    net = load_nets(run)
    stored = [scene for number in numbers for scene in cache.read(number)]
    seen = [see(scene.planes, runs_finder(net), runs_teller(net)) for scene in stored]
    known = SceneCache(scenes, Part.TRAIN)
    strangers = strangers_of(runs_finder(net), runs_teller(net), known, n_made_up=N_MADE_UP, n_scenery=N_SCENERY)
    np.save(run / STRANGERS_FILE, strangers.astype(np.float16))
    found: dict[str, Any] = {"n_looks": len(stored), "finder": finder_figures(stored, seen)}
    for n_enrolled in ENROLLED:
        found[f"enrolled_{n_enrolled}"] = open_set(stored, seen, Enroller(net, strangers), n_enrolled=n_enrolled)
    (run / EVALUATION_FILE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def read_logo_evaluation(run: Path) -> dict[str, float]:
    """Read the figures of a run by one flat name each.

    Raises:
        DataError: it was not evaluated.
    """
    try:
        found = json.loads((run / EVALUATION_FILE).read_text(encoding="utf-8"))
    except OSError as exc:
        raise DataError(f"{run} was not evaluated; run `livewarden models evaluate logo` first") from exc
    return {
        f"{part}_{name}": round(float(value), 4)
        for part, row in found.items()
        if isinstance(row, dict)
        for name, value in row.items()
    }


def runs_finder(net: LogoNets) -> Any:
    """Run the finder by torch, as `models.logo_matching` asks for it."""

    def run(planes: Bytes) -> Floats:
        with torch.no_grad():
            found = net.finder(torch.from_numpy(planes))
        both: Floats = torch.cat((torch.sigmoid(found.mark), found.sides), dim=1).numpy()
        return both

    return run


def runs_teller(net: LogoNets) -> Any:
    """Run the teller by torch, as `models.logo_matching` asks for it."""

    def run(shown: Floats) -> Floats:
        with torch.no_grad():
            told = net.teller(torch.from_numpy(shown))
        all_of: Floats = torch.cat((told.numbers, torch.sigmoid(told.mark)[:, None], told.moves), dim=1).numpy()
        return all_of

    return run


def finder_figures(stored: Sequence[Stored], seen: Sequence[Seen]) -> dict[str, float]:
    """Share of marks that some box covers by half, by class, and how many boxes a look has."""
    hits: dict[bool, list[float]] = {True: [], False: []}
    best: list[float] = []
    for scene, look in zip(stored, seen, strict=True):
        for at, box in enumerate(scene.boxes):
            most = float(overlaps(box[None], look.boxes).max()) if len(look.boxes) else 0.0
            hits[instance_of(scene, at).easy].append(most >= 0.5)
            best += [most] if most >= 0.5 else []
    return {
        "recall_easy": float(np.mean(hits[True] or [0.0])),
        "recall_hard": float(np.mean(hits[False] or [0.0])),
        "median_overlap": float(np.median(best or [0.0])),
        "boxes_a_look": float(np.mean([len(look.boxes) for look in seen])),
    }


class Enroller:
    """Enrols marks by their seeds, each once."""

    def __init__(self, net: LogoNets, strangers: Floats) -> None:
        self._run = runs_teller(net)
        self._strangers = strangers
        self._known: dict[int, Floats] = {}

    def index(self, seeds: Sequence[int]) -> MarkIndex:
        """Enrol marks of these seeds, by their seeds as names."""
        for seed in seeds:
            if seed not in self._known:
                self._known[seed] = prototypes_of(draw_mark(seed).rgba, self._run)
        return MarkIndex({str(seed): self._known[seed] for seed in seeds}, self._strangers)


def open_set(
    stored: Sequence[Stored], seen: Sequence[Seen], enroller: Enroller, *, n_enrolled: int, n_draws: int = 2
) -> dict[str, float]:
    """Enrol marks, half of every look's among them, and find them.

    Args:
        stored: the looks.
        seen: what the networks saw on each.
        enroller: for enrolling.
        n_enrolled: marks enrolled for each part of the looks.
        n_draws: parts that the looks are cut into, each with its own marks enrolled.
    """
    judged: list[Judged] = []
    wanted: list[Instance] = []
    for draw in range(n_draws):
        part = range(draw * len(stored) // n_draws, (draw + 1) * len(stored) // n_draws)
        seeds = _chosen([stored[at] for at in part], n_enrolled, Random(draw))
        index = enroller.index(seeds)
        for at in part:
            wanted += [instance_of(stored[at], place) for place, seed in enumerate(stored[at].seeds) if seed in seeds]
            judged += judge(stored[at], seen[at], index)
    review = recall_figures(judged, wanted, precision=REVIEW_PRECISION)
    extra = {f"review_{name}": review[name] for name in ("threshold", "recall_easy", "recall_hard")}
    return {**recall_figures(judged, wanted), **extra}


def _chosen(stored: Sequence[Stored], n_enrolled: int, random: Random) -> list[int]:
    # By families: a stranger of the same style as an enrolled mark may be the very same disc.
    families = sorted({seed // FAMILY for scene in stored for seed in scene.seeds})
    half = set(random.sample(families, len(families) // 2))
    chosen = sorted({seed for scene in stored for seed in scene.seeds if seed // FAMILY in half})
    chosen = random.sample(chosen, min(len(chosen), n_enrolled * 4 // 5))
    return chosen + [mark_seed(_OTHERS_FROM + at, Part.TEST) for at in range(min(N_OTHERS_MOST, n_enrolled - len(chosen)))]


def judge(scene: Stored, look: Seen, index: MarkIndex) -> list[Judged]:
    """Tell right findings from wrong ones; of several that find one mark the likeliest counts, the rest are neither."""
    out: list[Judged] = []
    found: set[int] = set()
    for match in sorted(matches_of(look, index), key=lambda match: -match.score):
        share = overlaps(np.array([match.box], np.float32), scene.boxes)[0] if len(scene.boxes) else np.zeros(0)
        own = [at for at, seed in enumerate(scene.seeds) if str(seed) == match.mark and share[at] > 0.1]
        if own and own[0] in found:
            continue
        found.update(own[:1])
        instance = instance_of(scene, own[0]) if own else None
        out.append(Judged(match.score, bool(own), instance, float(share[own[0]]) if own else 0.0))
    return out


def instance_of(scene: Stored, place: int) -> Instance:
    """Describe one mark of a look."""
    box = scene.boxes[place]
    return Instance(scene.seeds[place], float(box[2] - box[0]) / FRAME_PX, float(scene.opacities[place]))


def recall_figures(judged: Sequence[Judged], wanted: Sequence[Instance], *, precision: float = PRECISION) -> dict[str, float]:
    """Find the lowest score at which findings are as precise as wanted, and what is found at it."""
    rows = sorted(judged, key=lambda row: -row.score)
    right = np.cumsum([row.right for row in rows]) if rows else np.zeros(0)
    precise = right / np.arange(1, len(rows) + 1)
    reached = np.flatnonzero(precise >= precision)
    kept = rows[: int(reached[-1]) + 1] if len(reached) else []
    hits = [row for row in kept if row.right and row.instance is not None]
    figures = {"threshold": kept[-1].score if kept else MOST_SCORE, "n_wanted": float(len(wanted))}
    for name, easy in (("easy", True), ("hard", False)):
        n = sum(one.easy is easy for one in wanted)
        figures[f"recall_{name}"] = sum(row.instance is not None and row.instance.easy is easy for row in hits) / max(1, n)
    figures["recall"] = len(hits) / max(1, len(wanted))
    figures["overlap_half"] = float(np.mean([float(row.overlap >= 0.5) for row in hits] or [0.0]))
    return figures
