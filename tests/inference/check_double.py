"""A small real implementation of `Checks`: the shipped lists, thresholds of its own, a detector that measures brightness."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from inference.checks import Checked, CheckOrder
from inference.errors import DeadlineExceeded, NotFound
from inference.samples import Modality, Pcm, Pixels, Scene
from inference.text.check import TextChecker
from inference.verdicts import Box, Decision, Finding, Judged, PolicyRef, Verdict, worst


class SmallChecks:
    """Judges texts by two thresholds, pictures by how black and clips by how quiet they are."""

    def __init__(self, *, now_s: Callable[[], float] = lambda: 0.0) -> None:
        self.text = TextChecker.load()
        self.now_s = now_s
        self.broken = False
        """True makes the next decisions fail, as a bug would."""
        self.orders: list[CheckOrder] = []

    @property
    def generation(self) -> int:
        return self.text.generation

    def decide_text(self, findings: Sequence[Finding], scene: Scene, policy: str | None, biz: str) -> Verdict:
        if self.broken:
            raise RuntimeError("the policy engine fell over")
        return self._decide(findings, policy or f"{scene}-default")

    async def check_picture(self, pixels: Pixels, order: CheckOrder) -> Checked:
        self._take(order)
        dark = 1.0 - float(pixels.mean()) / 255
        found = Finding("quality.black", round(dark, 3), Modality.IMAGE, "black", boxes=(Box(0, 0, 1, 1),))
        return Checked(self._decide([found] if dark > 0.9 else [], order.policy or "default"), degraded=("porn",))

    async def check_audio(self, pcm: Pcm, order: CheckOrder) -> Checked:
        self._take(order)
        quiet = 1.0 - float(np.abs(pcm).max())
        found = Finding("quality.mute", round(quiet, 3), Modality.AUDIO, "mute")
        return Checked(self._decide([found] if quiet > 0.9 else [], order.policy or "default"))

    def _take(self, order: CheckOrder) -> None:
        self.orders.append(order)
        if order.deadline_s is not None and self.now_s() > order.deadline_s:
            raise DeadlineExceeded("no detector answered in time")

    def _decide(self, findings: Sequence[Finding], policy: str) -> Verdict:
        if policy == "absent":
            raise NotFound("no policy 'absent'; there is danmaku-default")
        judged = [
            Judged(
                one, Decision.BLOCK if one.score >= 0.8 else Decision.REVIEW, one.label, 2, "drop" if one.score >= 0.8 else "mask"
            )
            for one in findings
        ]
        judged.sort(key=lambda one: -one.finding.score)
        return Verdict(worst(one.decision for one in judged), PolicyRef(policy, 1), tuple(judged))
