"""Banned titles found by how they look: colour and texture, the shipped network, and a full backbone side by side.

Two games that nothing has learnt from are enrolled with 10 screenshots each, drawn anew in every trial; their other screenshots, of
other maps and levels, are shown as streams show them. A happening is five looks four seconds apart and is told where three of four
running agree, as the shipped policy says. Strangers are other games, real and made up, and clips that nothing has learnt from.

    python -m benchmarks.bench_gallery --data ../shared/data
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from inference.devices import DeviceShare
from inference.samples import Pixels
from inference.sessions import OnnxSession
from inference.verdicts import ModelRef
from inference.vision.eyes import Eye, NetworkEye, PlainEye, runner
from inference.vision.gallery_page import GalleryPage, Looks, TitleLooks, page_of
from models.image_ordinary import HELD_OUT, ordinary_frames
from models.image_titles import Title
from models.image_views import CLIP_SUFFIXES, read_clip, read_pictures, view
from models.manifest import Manifest, Preprocess, Provenance, TensorSpec
from models.shipped import FOLDER

TITLES = ("freedoom", "openttd")
N_ENROLLED, N_VIEWS, N_LOOKS = 10, 3, 5
REVIEW = 0.6
NONE = np.zeros((0, 1), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Looks of everything that is shown, by one eye."""

    enrolled: dict[str, Looks]
    """Of each title's screenshots as they are."""
    views: dict[str, list[Looks]]
    """Of each source: of each of its screenshots or stretches, the looks at it."""
    ordinary: Looks
    ms: float


def pictures_of(data: Path) -> dict[str, list[list[Pixels]]]:
    """By source: stretches of what is shown together; a screenshot is a stretch of its own."""
    rng = np.random.default_rng(11)
    found: dict[str, list[list[Pixels]]] = {}
    clips = [path for path in sorted((data / "video").glob("*")) if path.suffix in CLIP_SUFFIXES and path.stem in HELD_OUT]
    frames = {path.stem: read_clip(path, 40) for path in clips}
    faces = [frame for one in frames.values() for frame in one[:2]]
    for folder in sorted((data / "games").glob("*")):
        if folder.is_dir():
            shots = read_pictures(folder)
            found[folder.name] = [[view(shot, rng, faces=faces) for _ in range(N_VIEWS)] for shot in shots]
    for name, all_frames in frames.items():
        found[name] = [[view(frame, rng, faces=faces) for frame in all_frames[at : at + N_LOOKS]] for at in range(0, 40, N_LOOKS)]
    for number in range(40):
        title = Title.of(number)
        found[f"made-up {number}"] = [[view(title.level(level), rng, faces=faces) for level in range(N_LOOKS)]]
    return found


def look(eye: Eye, pictures: dict[str, list[list[Pixels]]], data: Path) -> Shown:
    enrolled = {name: np.stack([eye.look(shot) for shot in read_pictures(data / "games" / name)]) for name in TITLES}
    began, n = time.thread_time(), 0
    views: dict[str, list[Looks]] = {}
    for name, stretches in pictures.items():
        views[name] = [np.stack([eye.look(one) for one in stretch]) for stretch in stretches]
        n += sum(map(len, stretches))
    ms = (time.thread_time() - began) / n * 1000
    return Shown(enrolled, views, np.stack([eye.look(frame) for frame in ordinary_frames(data)]), ms)


def scores(page: GalleryPage, looks: Looks, place: int) -> list[float]:
    found = [page.likeness(one) for one in looks]
    return [one.score if one is not None and one.place == place else 0.0 for one in found]


def told(looked: Sequence[float], threshold: float) -> bool:
    """Three of four running."""
    hits = [score >= threshold for score in looked]
    return any(sum(hits[at : at + 4]) >= 3 for at in range(max(1, len(hits) - 3)))


def measure(shown: Shown, n_trials: int) -> dict[str, float]:
    rng = np.random.default_rng(4)
    single, happening, false_natural, false_games, looks_false = [], [], [], [], []
    for _ in range(n_trials):
        order = {name: rng.permutation(len(shown.enrolled[name])) for name in TITLES}
        page = page_of([TitleLooks(shown.enrolled[name][order[name][:N_ENROLLED]], NONE) for name in TITLES], shown.ordinary)
        for place, name in enumerate(TITLES):
            rest = order[name][N_ENROLLED:]
            for _ in range(20):
                shots = rng.choice(rest, N_LOOKS, replace=False)
                looked = scores(page, np.stack([shown.views[name][shot][int(rng.integers(N_VIEWS))] for shot in shots]), place)
                single += [score >= REVIEW for score in looked]
                happening.append(told(looked, REVIEW))
        for name, stretches in shown.views.items():
            if name in TITLES:
                continue
            pool = false_games if name.startswith("made-up") or name == "luanti" else false_natural
            for stretch in stretches:
                each = [max(scores(page, one[None], place)[0] for place in range(len(TITLES))) for one in stretch]
                looks_false += [score >= REVIEW for score in each]
                pool.append(told(each, REVIEW))
    names = ("look recall", "happening recall", "false happenings, clips", "false happenings, games", "false looks")
    lists = (single, happening, false_natural, false_games, looks_false)
    return {name: float(np.mean(values)) for name, values in zip(names, lists, strict=True)}


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
        provenance=Provenance("brought"),
        preprocess=Preprocess(width_px=224, height_px=224, scale=1 / 127.5, mean=(1.0, 1.0, 1.0)),
    )
    return opened(manifest, path)


def opened(manifest: Manifest, path: Path) -> Eye:
    session = OnnxSession(path, ref=ModelRef(manifest.name, manifest.version, manifest.sha256), share=DeviceShare.auto("cpu"))
    return NetworkEye(manifest, path.parent, runner(session, manifest))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with games, video and backbone")
    parser.add_argument("--network", type=Path, default=FOLDER / "image-embedding", help="folder of the network")
    parser.add_argument("--trials", type=int, default=10)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    eyes: dict[str, Eye] = {"colour and texture": PlainEye()}
    if (asked.network / "manifest.yaml").is_file():
        manifest = Manifest.load(asked.network / "manifest.yaml")
        eyes["shipped network"] = opened(manifest, asked.network / manifest.file)
    eyes["full backbone"] = backbone(asked.data / "backbone" / "mobilenet_v2_embed.onnx")
    pictures = pictures_of(asked.data)
    rows = {}
    for name, eye in eyes.items():
        shown = look(eye, pictures, asked.data)
        rows[name] = measure(shown, asked.trials) | {"ms a look": shown.ms}
    print(f"| eye | {' | '.join(next(iter(rows.values())))} |\n|{'---|' * (1 + len(next(iter(rows.values()))))}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in row.values())} |")


if __name__ == "__main__":
    main()
