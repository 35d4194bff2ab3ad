"""When often is too often: from what was said lately (`conversation.py`) to findings of flooding and repeating.

Pure. Volume alone is no violation: greetings, 666 and laughter come in waves of thousands, so neither a chant nor a wave of short
texts ever gives a finding; what one user does may.
"""

from __future__ import annotations

from dataclasses import dataclass

from inference.samples import Modality
from inference.text.conversation import Said
from inference.verdicts import Finding

REVIEW_SCORE = 0.7
"""Score at the threshold, where the shipped policy lets a person look; 0.85 at twice the threshold, towards 1 beyond."""

CHANT_LETTERS = 4
"""A text of fewer letters is a chant: said again and again because everybody does."""

CHANT_KINDS = 2
"""So is one of no more different letters, however long: laughter, cheers, one key held down."""


@dataclass(frozen=True, slots=True)
class SpamThresholds:
    """From how many on it is a finding; each at least 2, so that no single message is one.

    Measured on 42,929 lines of real chat of four rooms, whose speed is not known. Played at 2 lines a second and room, the shipped
    numbers find 0.23 % of the lines, of 3 users; at 5 a second 0.51 %, of 21; at 20 a second, where busy users would type a line a
    second, 2.8 %. What they find are one user's copies of an advertisement or an insult, and games of a line a second; no swarm.
    """

    repeat: int = 6
    """Times one user says the same in 60 s."""
    flood: int = 10
    """Messages of one user in 10 s, whatever they say: nobody types so fast."""
    swarm: int = 20
    """Users who say the same in 60 s."""
    swarm_letters: int = 12
    """Letters and digits from which the same text from many is no cheer but a template."""

    def __post_init__(self) -> None:
        least = min(self.repeat, self.flood, self.swarm)
        if least < 2:
            raise ValueError(f"a threshold must be at least 2, got {least}")


_DEFAULT = SpamThresholds()


def is_chant(key: str) -> bool:
    """Tell whether a folded text is a cheer, laughter or a number: what rooms say together."""
    letters = [char for char in key if char.isalpha()]
    return len(letters) < CHANT_LETTERS or len(set(letters)) <= CHANT_KINDS


def findings_of(said: Said, key: str, thresholds: SpamThresholds = _DEFAULT) -> tuple[Finding, ...]:
    """Turn counts into findings; () for nearly all messages.

    Args:
        said: what was counted for this message.
        key: the text without disguise, as it was counted.
        thresholds: from where on it is a finding.
    """
    repeats, swarms = said.repeat_60s >= thresholds.repeat, said.similar_uids_60s >= thresholds.swarm
    floods = said.user_10s >= thresholds.flood
    if not (repeats or swarms or floods):
        return ()
    found = []
    if floods:
        found.append(_finding("spam.flood", said.user_10s, thresholds.flood))
    if (repeats or swarms) and not is_chant(key):
        if repeats:
            found.append(_finding("spam.repeat", said.repeat_60s, thresholds.repeat))
        if swarms and len(key) >= thresholds.swarm_letters:
            found.append(_finding("spam.flood", said.similar_uids_60s, thresholds.swarm, sublabel="swarm"))
    return tuple(found)


def _finding(label: str, n: int, threshold: int, *, sublabel: str | None = None) -> Finding:
    score = 1 - (1 - REVIEW_SCORE) * threshold / n
    return Finding(label, round(score, 4), Modality.TEXT, "behaviour", sublabel=sublabel)
