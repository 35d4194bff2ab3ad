"""Makes the example network of sound classes from made sounds: trains it, measures it, writes graph, manifest and card.

    python -m models.networks.sound_train --to models/examples/sound-example

Some ten minutes of one core. Everything is computed from one seed; the sounds it is measured on come from another.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from models.calibration import Calibration
from models.digests import sha256_of
from models.log_mels import SAMPLE_RATE_HZ as RATE_HZ
from models.log_mels import log_mels
from models.manifest import ClassSpec, Licence, Manifest, Preprocess, Provenance, TensorSpec
from models.networks.sound import CLASSES, EVERY_S, SPEC, WINDOW_S, Probabilities, SoundNet
from models.sound_scenes import SoundKind, make
from models.store import MANIFEST_FILE

log = logging.getLogger(__name__)

NAME, GRAPH_FILE, CARD_FILE = "sound-example", "sound.onnx", "README.md"
LABELS: Mapping[SoundKind, str] = {SoundKind.GUNSHOT: "weapons"}
"""What is a finding; the other classes are what it is not."""
N_PCM = round(WINDOW_S * RATE_HZ)
FLOOR = 0.5
"""Calibrated score below which nothing is reported."""

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SoundSet:
    """Features of made sounds and what they are."""

    mels: Rows
    """Shape (n, frames, bands)."""
    kinds: NDArray[np.int64]
    """Place in `CLASSES`, shape (n,)."""

    @classmethod
    def made(cls, n_each: int, seed: int) -> SoundSet:
        """Make so many sounds of every kind."""
        mels: list[Rows] = []
        for index, kind in enumerate(CLASSES):
            rng = np.random.default_rng((seed, index))
            mels += [log_mels(make(kind, rng, N_PCM), SPEC) for _ in range(n_each)]
        return cls(np.stack(mels), np.repeat(np.arange(len(CLASSES)), n_each))


def train(sounds: SoundSet, *, n_epochs: int, seed: int = 3) -> SoundNet:
    """Train on one thread; each epoch shifts every sound in time anew."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    net = SoundNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.02)
    steps = max(1, len(sounds.kinds) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=n_epochs * steps)
    mels, kinds = torch.from_numpy(sounds.mels), torch.from_numpy(sounds.kinds)
    for epoch in range(n_epochs):
        net.train()
        total = 0.0
        for places in torch.randperm(len(kinds))[: steps * 64].split(64):
            rolled = torch.roll(mels[places], int(torch.randint(0, mels.shape[1], ())), dims=1)
            loss = F.cross_entropy(net(rolled), kinds[places], label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        log.info("epoch %d of %d: loss %.3f", epoch + 1, n_epochs, total / steps)
    net.eval()
    return net


def probabilities(net: SoundNet, mels: Rows) -> Rows:
    """Score windows, shape (n, classes)."""
    scoring = Probabilities(net).eval()
    with torch.no_grad():
        return np.concatenate([scoring(block).numpy() for block in torch.from_numpy(mels).split(256)])


def calibration(scores: Rows, sounds: SoundSet, place: int) -> Calibration:
    """Anchor a class on its false alarms: one in a hundred sounds of other kinds reaches 0.5, one in a thousand 0.8."""
    others = scores[sounds.kinds != place, place]
    corners = [(0.0, 0.0)]
    for share, score in ((0.01, 0.5), (0.001, 0.8)):
        raw = float(np.quantile(others, 1 - share))
        if corners[-1][0] + 1e-3 < raw < 1 - 1e-3:
            corners.append((round(raw, 4), score))
    return Calibration.of([*corners, (1.0, 1.0)])


def measured(scores: Rows, sounds: SoundSet, classes: Sequence[ClassSpec]) -> dict[str, float]:
    """Measure on sounds that were not trained on."""
    found = {"accuracy": float((scores.argmax(axis=1) == sounds.kinds).mean()), "n_sounds": float(len(sounds.kinds))}
    for row in classes:
        if row.label is not None:
            told = row.calibration.apply(scores[:, row.index])
            mine = sounds.kinds == row.index
            for floor in (FLOOR, 0.8):
                found[f"{row.name}_recall_at_{floor:g}"] = float((told[mine] >= floor).mean())
                found[f"{row.name}_false_alarms_at_{floor:g}"] = float((told[~mine] >= floor).mean())
    return {name: round(value, 4) for name, value in found.items()}


def write(net: SoundNet, to: Path, version: str, *, checked: SoundSet, tested: SoundSet) -> Manifest:
    """Write graph, manifest and card.

    Args:
        net: trained.
        to: folder; made where it is not there.
        version: for the manifest.
        checked: sounds that calibrate.
        tested: sounds that measure.
    """
    to.mkdir(parents=True, exist_ok=True)
    frames = SPEC.n_frames(N_PCM)
    names = {"input_names": ["mels"], "output_names": ["scores"], "dynamic_axes": {"mels": {0: "n"}, "scores": {0: "n"}}}
    torch.onnx.export(
        Probabilities(net).eval(),
        (torch.zeros(1, frames, SPEC.n_bands),),
        str(to / GRAPH_FILE),
        opset_version=17,
        dynamo=False,
        **names,
    )
    scores = probabilities(net, checked.mels)
    classes = tuple(_class(index, kind, scores, checked) for index, kind in enumerate(CLASSES))
    figures = measured(probabilities(net, tested.mels), tested, classes)
    manifest = Manifest(
        name=NAME,
        version=version,
        task="audio.classify",
        file=GRAPH_FILE,
        sha256=sha256_of(to / GRAPH_FILE),
        inputs=(TensorSpec("mels", "float32", (None, frames, SPEC.n_bands)),),
        outputs=(TensorSpec("scores", "float32", (None, len(CLASSES))),),
        licence=Licence("Apache-2.0", "An example of Livewarden, trained on made sounds only."),
        provenance=Provenance("models/networks/sound_train.py of Livewarden; no recording was used"),
        preprocess=Preprocess(sample_rate_hz=RATE_HZ),
        postprocess={"window_s": WINDOW_S, "every_s": EVERY_S, **SPEC.numbers()},
        classes=classes,
        batch_ladder=(1, 2, 4, 8),
        metrics=figures,
        notes="EXAMPLE, not for rooms: it shows how a network of sound classes is brought in. See the card beside it.",
    )
    manifest.dump(to / MANIFEST_FILE)
    (to / CARD_FILE).write_text(_card(manifest), encoding="utf-8")
    return manifest


def _class(index: int, kind: SoundKind, scores: Rows, checked: SoundSet) -> ClassSpec:
    label = LABELS.get(kind)
    if label is None:
        return ClassSpec(index, kind.value, None)
    return ClassSpec(index, kind.value, label, FLOOR, calibration(scores, checked, index))


def _card(manifest: Manifest) -> str:
    rows = "\n".join(f"| {name} | {value:g} |" for name, value in manifest.metrics.items())
    return f"""# {manifest.name}: an example of a network of sound classes

**An example, not for rooms.** Trained by `python -m models.networks.sound_train` on sounds computed from random numbers
(`models/sound_scenes.py`): shots, sirens, applause, music, voices, noise. It has never heard a recording. It shows the whole way of
a network of your own, from a folder with a manifest to findings; nothing serves it until somebody adds, approves and promotes it.

| measured on made sounds it was not trained on | |
|---|---|
{rows}

The score of `gunshot` is calibrated on other made sounds: 0.5 is reached by one in a hundred of them, 0.8 by one in a thousand.
Slamming doors, fireworks, drums and films will alarm; a real network needs real recordings of them.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Make it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, required=True, help="folder for graph, manifest and card")
    parser.add_argument("--version", default="1")
    parser.add_argument("--each", type=int, default=1_000, help="sounds of each kind to train on")
    parser.add_argument("--epochs", type=int, default=20)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    net = train(SoundSet.made(given.each, 1), n_epochs=given.epochs)
    n_held_out = max(50, given.each // 3)
    manifest = write(net, given.to, given.version, checked=SoundSet.made(n_held_out, 2), tested=SoundSet.made(n_held_out, 4))
    log.info("%s in %s: %s", manifest.ref, given.to, ", ".join(f"{name} {value:g}" for name, value in manifest.metrics.items()))


if __name__ == "__main__":
    main()
