"""`livewarden models train|evaluate speech`: data, network and figures put together.

The folder of a run holds the bank of clips, made once, checkpoints and figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import DataError
from models.networks.speech import SpeechNet
from models.networks.speech_train import SpeechPlan, SpeechProgress, SpeechRun, Tell, load_best_speech
from models.speech_bank import Bank, has_bank, training_sources, write_bank
from models.speech_codec import log_mels, n_posteriors
from models.speech_evaluate import (
    Group,
    Spoilt,
    UnitError,
    best_path,
    distance,
    known,
    spoilt,
    strangers,
    unheard,
    unit_error,
    write_evaluation,
)
from models.speech_mix import Mixer
from models.speech_sources import SPLIT_SALT, Recording
from models.speech_texts import Readings, read_sentences

Said = tuple[NDArray[np.float32], tuple[int, ...]]
"""Features of a clip, and the units that are spoken."""

BANK_FOLDER = "bank"

SYNTHETIC_H = 5.0
"""Hours of made-up speakers in the bank."""


def train_speech(data: Path, out: Path, plan: SpeechPlan, *, minutes: float | None, resume: bool, tell: Tell) -> SpeechProgress:
    """Train the acoustic model; the bank is made first where the run's folder has none.

    Args:
        data: holds `speech` and `text`.
        out: the run's folder.
        plan: numbers of the run.
        minutes: for training, without the making of the bank.
        resume: from the last checkpoint.
        tell: told a line at a time.

    Raises:
        DataError: data or checkpoint cannot be used.
        TrainingUnavailable: ffmpeg or espeak-ng is missing.
    """
    bank = out / BANK_FOLDER
    if not has_bank(bank):
        tell(f"making {bank}: people as recorded and through codecs, {SYNTHETIC_H:g} h of made-up speakers")
        write_bank(bank, training_sources(data, out, synthetic_h=SYNTHETIC_H, seed=plan.seed))
    opened = Bank.open(bank)
    mixer = Mixer(opened, Readings.read(data / "speech"), read_sentences(data / "text"))
    run = SpeechRun(mixer, HeldOut.read(data, out), out, plan)
    n_weights = sum(one.numel() for one in run.net.parameters())
    tell(f"speech: {opened}, {n_weights / 1e6:.2f} M weights, {plan.n_steps} steps an epoch")
    if resume and run.resume():
        tell(f"resumed after epoch {run.progress.epoch}")
    return run.train(budget_s=minutes * 60 if minutes else None, tell=tell)


class HeldOut:
    """Measures a network while it trains, on clips that were kept out; strangers are not among them."""

    def __init__(self, groups: Mapping[str, Iterable[Said]]) -> None:
        self._groups = {name: sorted(rows, key=lambda pair: len(pair[0])) for name, rows in groups.items()}

    @classmethod
    def of(cls, groups: Mapping[str, Iterable[Recording]]) -> HeldOut:
        """Measure on recordings, by group."""
        return cls({name: [(log_mels(one.wave), one.units.ids) for one in rows] for name, rows in groups.items()})

    @classmethod
    def read(cls, data: Path, out: Path) -> HeldOut:
        """Read a part of what the evaluation reads whole."""
        rest: dict[str, list[Recording]] = {group: list(known(data, group, share=0.2)) for group in (Group.WORDS, Group.SYLLABLES)}
        return cls.of({Group.SYNTHETIC: list(unheard(out, data, n_sentences=4)), **rest})

    @classmethod
    def stored(cls, path: Path) -> HeldOut:
        """Read what `store` wrote.

        Raises:
            DataError: it cannot be read.
        """
        try:
            with np.load(path) as held:
                names, ends, said = held["names"].tolist(), np.cumsum(held["lengths"])[:-1], held["said"].tolist()
                features = np.split(held["features"].astype(np.float32), ends)
        except (OSError, ValueError, KeyError) as exc:
            raise DataError(f"cannot read {path}: {exc}") from exc
        groups: dict[str, list[Said]] = {}
        for name, one, units in zip(names, features, said, strict=True):
            groups.setdefault(name, []).append((one, tuple(int(unit) for unit in units.split())))
        return cls(groups)

    def store(self, path: Path) -> None:
        """Write what is measured on, for a machine without the data."""
        rows = [(name, one, units) for name, said in self._groups.items() for one, units in said]
        np.savez_compressed(
            path,
            names=np.array([f"{name}" for name, _, _ in rows]),
            lengths=np.array([len(one) for _, one, _ in rows]),
            said=np.array([" ".join(map(str, units)) for _, _, units in rows]),
            features=np.concatenate([one for _, one, _ in rows]).astype(np.float16),
        )

    def __call__(self, net: SpeechNet) -> dict[str, float]:
        """Return the unit error of each group."""
        return {name: self._error(net, rows).share for name, rows in self._groups.items()}

    @staticmethod
    def _error(net: SpeechNet, rows: list[Said]) -> UnitError:
        wrong, device = 0, next(net.parameters()).device
        for start in range(0, len(rows), 16):
            batch = rows[start : start + 16]
            features = np.zeros((len(batch), len(batch[-1][0]), batch[0][0].shape[1]), np.float32)
            for place, (one, _) in zip(features, batch, strict=True):
                place[: len(one)] = one
            with torch.no_grad():
                answers = net(torch.from_numpy(features).to(device)).log_probs.cpu().numpy()
            wrong += sum(
                distance(best_path(answer[: n_posteriors(len(one))]), units)
                for answer, (one, units) in zip(answers, batch, strict=True)
            )
        return UnitError(wrong, sum(len(units) for _, units in rows))


def answers_of_net(net: SpeechNet, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a network's log probabilities for one clip."""
    with torch.no_grad():
        return np.asarray(net(torch.from_numpy(features[None])).log_probs[0].numpy())


def evaluate_speech(data: Path, out: Path) -> dict[str, Any]:
    """Measure a run's best network on everything that was kept out, clean, in noise and through a codec.

    Args:
        data: holds `speech`.
        out: the run's folder.

    Returns:
        figures by group, kept in the run's folder too.

    Raises:
        DataError: data or network cannot be read.
    """
    trained = load_best_speech(out)
    groups: dict[Group, Iterable[Recording]] = {
        Group.SYNTHETIC: unheard(out, data, n_sentences=20),
        Group.WORDS: known(data, Group.WORDS),
        Group.SYLLABLES: known(data, Group.SYLLABLES),
        Group.STRANGERS: strangers(data),
    }
    found: dict[str, Any] = {"split": SPLIT_SALT, "epoch": trained.epoch, "unit_error": {}, "units": {}, "by_voice": {}}
    for group, rows in groups.items():
        recordings = list(rows)
        found["units"][group] = sum(len(one.units) for one in recordings)
        found["unit_error"][group] = {how: round(_error_of(trained.net, spoilt(recordings, how)).share, 4) for how in Spoilt}
        found["by_voice"][group] = {
            voice: round(_error_of(trained.net, ones).share, 4) for voice, ones in sorted(_by_voice(recordings).items())
        }
    write_evaluation(out, found)
    return found


def _error_of(net: SpeechNet, recordings: list[Recording]) -> UnitError:
    return unit_error(lambda features: answers_of_net(net, features), recordings)


def _by_voice(recordings: Iterable[Recording]) -> dict[str, list[Recording]]:
    voices: dict[str, list[Recording]] = defaultdict(list)
    for one in recordings:
        voices[one.voice].append(one)
    return voices
