"""What the synchronous checks need of the engine: word lists, a policy's answer, and the detectors for one picture or clip.

`inference/engine.py` is the real one; the HTTP routes and the command line know only this.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from inference.samples import Pcm, Pixels, Scene
from inference.text.check import TextChecker
from inference.verdicts import Finding, Verdict


@dataclass(frozen=True, slots=True)
class Checked:
    """A verdict on one picture or clip, and what had no part in it."""

    verdict: Verdict
    degraded: tuple[str, ...] = ()
    """Names of the detectors asked for that did not answer: model missing, late or failed."""


@dataclass(frozen=True, slots=True)
class CheckOrder:
    """How one picture or clip is to be checked."""

    detectors: tuple[str, ...] | None = None
    """Names of the detectors to ask; None for all there are."""
    policy: str | None = None
    """Id of the policy; None for the default of the business."""
    biz: str = ""
    """The business it belongs to."""
    deadline_s: float | None = None
    """Absolute, on the machine's monotonic clock; None for no deadline."""


class TextChecks(Protocol):
    """The part that judges texts. Called on the event loop and on executor threads at once."""

    @property
    def text(self) -> TextChecker:
        """The text engine."""
        ...

    @property
    def generation(self) -> Hashable:
        """What tells the present lists and policies apart from earlier ones; changes after they are in force, never before."""
        ...

    def decide_text(self, findings: Sequence[Finding], scene: Scene, policy: str | None, biz: str) -> Verdict:
        """Return what a policy says of the findings of one text.

        Raises:
            NotFound: there is no policy of that name.
        """
        ...


class Checks(TextChecks, Protocol):
    """Everything the synchronous checks ask for. The coroutines are awaited on the event loop of the API."""

    async def check_picture(self, pixels: Pixels, order: CheckOrder) -> Checked:
        """Check one picture, RGB uint8 (H, W, 3).

        Raises:
            NotFound: no such policy or detector.
            Overloaded: a lane's queue is full.
            DeadlineExceeded: no detector answered in time.
        """
        ...

    async def check_audio(self, pcm: Pcm, order: CheckOrder) -> Checked:
        """Check one clip, mono float32 in [-1, 1] at 16 kHz, shape (T,); raises as `check_picture`."""
        ...
