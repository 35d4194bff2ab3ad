"""What a hit is worth, besides how well its sounds fit: how clearly something was heard there, and whether it was not too fast.

Where the network is unsure every path fits somewhat, and the quicker a path goes through, the less can speak against it: most
false alarms are unclear or hurried. Both are costs in nats a unit, on top of the score of `spotting.py`; how dear they are was
fitted with the acoustic model (`SpottingNumbers`). Pure.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from inference.speech.spotting import Floats, PathHit, SpottingNumbers
from models.speech_codec import BLANK, FRAME_S

EASY_S = 0.24
"""Seconds a syllable from which nothing was hurried."""

LEAST_CLEAR = 0.05
"""Clarity below which nothing more is taken off."""


def clarity(log_probs: Floats, hit: PathHit) -> float:
    """Return how sure the network is of the sounds in a hit, whatever they are: mean of the likeliest one's probability, 0..1.

    In noise and in music every sound is a little likely, and every path fits; frames without a sound do not count.

    Args:
        log_probs: the network's answer, shape (frames, units).
        hit: rows of it.
    """
    rows = log_probs[hit.start : hit.end]
    best = rows.argmax(axis=1)
    spoken = rows[best != BLANK].max(axis=1)
    return float(np.exp(spoken).mean()) if len(spoken) else 0.0


def weighed(hit: PathHit, clear: float, n_syllables: int, numbers: SpottingNumbers) -> PathHit:
    """Return a hit with its score lowered for what was unclear or hurried.

    Args:
        hit: found by `find`.
        clear: its clarity, 0..1.
        n_syllables: of its path.
        numbers: what both cost.
    """
    syllable_s = (hit.end - hit.start) * FRAME_S / n_syllables
    unclear = math.log(max(clear, LEAST_CLEAR))
    hurried = math.log(min(syllable_s, EASY_S) / EASY_S)
    return replace(hit, score=hit.score + numbers.clarity_share * unclear + numbers.pace_share * hurried)
