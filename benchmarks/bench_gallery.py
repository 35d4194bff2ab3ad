"""Banned titles found by how they look: colour and texture, the shipped network, and a full backbone side by side.

One title at a time is enrolled with 10 pictures drawn anew in every trial: games that nothing has learnt from, real and made up.
Its other pictures, of other maps and levels, are shown as streams show them. A happening is five looks four seconds apart and is
told where three of four running reach the score at which the shipped policy's review begins. Strangers are the other games, real
and made up, and clips that nothing has learnt from, as streams show them and crisp. `--more` takes folders of pictures of further
games, enrolled in turn as well.

    python -m benchmarks.bench_gallery --data ../shared/data
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.devices import DeviceShare
from inference.samples import Pixels
from inference.sessions import OnnxSession
from inference.verdicts import ModelRef
from inference.vision.descriptor import N_NUMBERS
from inference.vision.eyes import Eye, Floats, NetworkEye, PlainEye, poorer, runner
from inference.vision.gallery_page import WORTH_A_LOOK, GalleryPage, Looks, TitleLooks, page_of
from models.image_ordinary import HELD_OUT, ordinary_frames
from models.image_titles import Title
from models.image_views import CLIP_SUFFIXES, read_clip, read_pictures, view
from models.manifest import Licence, Manifest, Preprocess, Provenance, TensorSpec
from models.shipped import FOLDER

TITLES = ("freedoom", "openttd")
N_MADE_UP, N_LEVELS = 24, 20
N_ENROLLED, N_VIEWS, N_LOOKS, N_DRAWN = 10, 2, 5, 20
NONE = np.zeros((0, 1), np.float32)
GOAL = 0.02
"""Share of strangers' happenings that may be told."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What one game or clip shows."""

    kind: str
    clean: list[Pixels]
    """Pictures as they are; what a title is enrolled with."""
    views: list[list[Pixels]]
    """Of each picture, how streams show it."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A source by one eye."""

    kind: str
    clean: Looks
    poor: Looks
    """The same pictures as a poor stream shows them."""
    views: Looks
    """Shape (pictures, views of each, d)."""

    @property
    def crisp(self) -> Looks:
        """The pictures as views of one each."""
        return self.clean[:, None]


def sources_of(data: Path, more: Path | None) -> dict[str, Source]:
    """Everything that is shown."""
    rng = np.random.default_rng(11)
    clips = [path for path in sorted((data / "video").glob("*")) if path.suffix in CLIP_SUFFIXES and path.stem in HELD_OUT]
    frames = {path.stem: read_clip(path, 40) for path in clips}
    faces = [frame for one in frames.values() for frame in one[:2]]

    def shown(kind: str, pictures: list[Pixels]) -> Source:
        return Source(kind, pictures, [[view(one, rng, faces=faces) for _ in range(N_VIEWS)] for one in pictures])

    games = [folder for folder in sorted((data / "games").glob("*")) if folder.is_dir()]
    found = {one.name: shown("real" if one.name in TITLES else "strange", read_pictures(one)) for one in games}
    for folder in sorted(more.glob("*")) if more is not None else ():
        found[folder.name] = shown("more", read_pictures(folder))
    for number in range(100, 100 + N_MADE_UP):
        found[f"made-up {number}"] = shown("made up", [Title.of(number).level(level) for level in range(N_LEVELS)])
    for name, all_frames in frames.items():
        found[name] = shown("clip", all_frames)
    return found


def look(eye: Eye | Alone, sources: dict[str, Source]) -> tuple[dict[str, Seen], float]:
    """Look at everything; the second is milliseconds of one core a look."""
    began, n = time.thread_time(), 0
    seen = {}
    for name, source in sources.items():
        clean, poor = (np.array([eye.look(shown(one)) for one in source.clean], np.float32) for shown in (np.asarray, poorer))
        seen[name] = Seen(source.kind, clean, poor, np.array([[eye.look(one) for one in of] for of in source.views], np.float32))
        n += 2 * len(source.clean) + sum(map(len, source.views))
    return seen, (time.thread_time() - began) / n * 1000


def scores(page: GalleryPage, looks: Looks) -> NDArray[np.float64]:
    """Score looks, shape (pictures, views, d); shape (pictures, views)."""
    found = [page.likeness(one) for one in looks.reshape(-1, looks.shape[-1])]
    return np.array([0.0 if one is None else one.score for one in found]).reshape(looks.shape[:2])


def happenings(scored: NDArray[np.float64], rng: np.random.Generator, n: int) -> list[float]:
    """Draw happenings; of each the score that three of four running reach."""
    found = []
    for _ in range(n):
        pictures = rng.choice(len(scored), N_LOOKS, replace=False)
        each = scored[pictures, rng.integers(scored.shape[1], size=N_LOOKS)]
        found.append(max(float(np.sort(each[at : at + 4])[1]) for at in range(N_LOOKS - 3)))
    return found


def measure(seen: dict[str, Seen], ordinary: Looks, kind: str, n_trials: int) -> dict[str, float]:
    """Enrol each title of a kind in turn."""
    rng = np.random.default_rng(4)
    own, single, false, single_false = [], [], {"clip": [0.0], "game": [0.0]}, []
    for name, title in seen.items():
        for _ in range(n_trials if title.kind == kind else 0):
            order = rng.permutation(len(title.clean))
            taught = order[:N_ENROLLED]
            page = page_of([TitleLooks(title.clean[taught], NONE, title.poor[taught])], ordinary)
            scored = scores(page, title.views[order[N_ENROLLED:]])
            own += happenings(scored, rng, N_DRAWN)
            single += scored.ravel().tolist()
            for other, stranger in seen.items():
                for looks in (stranger.views, stranger.crisp) if other != name else ():
                    scored = scores(page, looks)
                    false["clip" if stranger.kind == "clip" else "game"] += happenings(scored, rng, N_LOOKS)
                    single_false += scored.ravel().tolist()
    told, alone, clips, games = (np.array(one) for one in (own, single, false["clip"], false["game"]))
    both = np.concatenate([clips, games])
    return {
        "recall": float(np.mean(told >= WORTH_A_LOOK)),
        "false, clips": float(np.mean(clips >= WORTH_A_LOOK)),
        "false, games": float(np.mean(games >= WORTH_A_LOOK)),
        "recall at 2 % false": float(np.mean(told > np.quantile(both, 1 - GOAL))),
        "looks alone, at 2 %": float(np.mean(alone > np.quantile(single_false, 1 - GOAL))),
        "surest stranger": float(both.max()),
    }


def backbone(path: Path) -> Eye:
    """A full MobileNetV2, as a deployment may bring one."""
    manifest = Manifest(
        name="image-embedding",
        version="backbone",
        task="image.embed",
        file=path.name,
        sha256="0" * 64,
        inputs=(TensorSpec("image", "float32", (None, 3, 224, 224), 0),),
        outputs=(TensorSpec("embedding", "float32", (None, 1280), 0),),
        licence=Licence("Apache-2.0", "brought"),
        provenance=Provenance("brought"),
        preprocess=Preprocess(width_px=224, height_px=224, scale=1 / 127.5, mean=(1.0, 1.0, 1.0)),
    )
    return opened(manifest, path)


def opened(manifest: Manifest, path: Path) -> Eye:
    session = OnnxSession(path, ref=ModelRef(manifest.name, manifest.version, manifest.sha256), share=DeviceShare.auto("cpu"))
    return NetworkEye(manifest, path.parent, runner(session, manifest))


class Alone:
    """The network's half of an eye."""

    def __init__(self, eye: Eye) -> None:
        self._eye = eye

    def look(self, pixels: Pixels) -> Floats:
        """Look at one picture, shape (d,)."""
        return self._eye.look(pixels)[:-N_NUMBERS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with games, video and backbone")
    parser.add_argument("--network", type=Path, default=FOLDER / "image-embedding", help="folder of the network")
    parser.add_argument("--more", type=Path, help="folder of folders with pictures of further games")
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--evaluation", type=Path, help="write the figures there, for the export of the network")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    manifest = Manifest.load(asked.network / "manifest.yaml")
    network, full = opened(manifest, asked.network / manifest.file), backbone(asked.data / "backbone" / "mobilenet_v2_embed.onnx")
    eyes: dict[str, Eye | Alone] = {
        "colour and texture": PlainEye(),
        "shipped network alone": Alone(network),
        "shipped network and colour": network,
        "full backbone alone": Alone(full),
        "full backbone and colour": full,
    }
    sources, frames = sources_of(asked.data, asked.more), ordinary_frames(asked.data)
    kinds = [kind for kind in ("real", "made up", "more") if any(one.kind == kind for one in sources.values())]
    told: dict[str, dict[str, dict[str, float]]] = {kind: {} for kind in kinds}
    for number, (name, eye) in enumerate(eyes.items()):
        seen, ms = look(eye, sources)
        ordinary = np.array([eye.look(one) for one in frames], np.float32)
        for kind in kinds:
            row = measure(seen, ordinary, kind, asked.trials * (4 if kind == "real" else 1)) | {"ms a look": ms}
            if number == 0 and kind == kinds[0]:
                print(f"| enrolled | eye | {' | '.join(row)} |\n|{'---|' * (2 + len(row))}")
            print(f"| {kind} | {name} | {' | '.join(f'{value:.3f}' for value in row.values())} |", flush=True)
            told[kind][name] = {figure: round(value, 3) for figure, value in row.items()}
    if asked.evaluation is not None:
        asked.evaluation.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
