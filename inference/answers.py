"""From a checked picture or clip to its answer on the wire: ids, findings with their decisions, reasons, what was skipped.

Knows neither HTTP nor the command line. Texts have their own (`text_answers.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.checks import Checked
from inference.ids import Ids
from inference.schemas import BoxBody, HeardBody, MediaAnswer, MediaFinding, PolicyBody, ReasonBody
from inference.text.reasons import LabelBook, reason_for
from inference.text_checking import decisive
from inference.verdicts import Heard, Verdict


class MediaAnswers:
    """Answers checks of single pictures and clips."""

    def __init__(self, labels: LabelBook) -> None:
        self._labels = labels
        self._ids = Ids()

    def answer(self, checked: Checked, *, request_id: str | None, elapsed_s: float) -> MediaAnswer:
        """Write a verdict as its answer."""
        verdict = checked.verdict
        leading = decisive(verdict)
        check_id = self._ids.next()
        reason = reason_for(verdict, self._labels)
        return MediaAnswer(
            request_id=request_id or check_id,
            check_id=check_id,
            decision=verdict.decision,
            action_hint=leading.action_hint if leading else "pass",
            label=leading.finding.label if leading else None,
            severity=leading.severity if leading else None,
            score=leading.finding.score if leading else 0.0,
            findings=list(_media_findings(verdict)),
            reason=ReasonBody(reason.zh, reason.en),
            policy=PolicyBody(verdict.policy.id, verdict.policy.version),
            shadow=dict(verdict.shadow),
            degraded=list(checked.degraded),
            elapsed_ms=round(elapsed_s * 1000, 3),
        )


def _media_findings(verdict: Verdict) -> Iterator[MediaFinding]:
    for judged in verdict.judged:
        finding, match, heard = judged.finding, judged.finding.match, judged.finding.heard
        yield MediaFinding(
            label=finding.label,
            sublabel=finding.sublabel,
            source=finding.detector,
            score=finding.score,
            decision=judged.decision,
            boxes=[BoxBody(box.x, box.y, box.w, box.h, box.score, box.name) for box in finding.boxes],
            text=finding.text,
            qr=finding.qr,
            model=str(finding.model) if finding.model else None,
            word_list=match.list if match else None,
            term=match.term if match else None,
            spans=[(span.start, span.end) for span in match.spans] if match else [],
            transforms=list(match.transforms) if match else [],
            heard=_heard(heard),
        )


def _heard(heard: Heard | None) -> HeardBody | None:
    return None if heard is None else HeardBody(round(heard.start_s, 3), round(heard.end_s, 3), heard.units, list(heard.alike))
