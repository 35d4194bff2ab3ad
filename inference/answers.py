"""From a checked sample to its answer on the wire: ids, findings with their decisions, behaviour, reasons, what was skipped.

Knows neither HTTP nor the command line; both send what is made here.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
from collections.abc import Iterator, Sequence

from inference.checks import Checked, TextChecks
from inference.clock import Clock
from inference.errors import DeadlineExceeded, InvalidSample, LivewardenError
from inference.samples import Scene
from inference.schemas import (
    BehaviourBody,
    BoxBody,
    ContactBody,
    ContextBody,
    MediaAnswer,
    MediaFinding,
    PolicyBody,
    ReasonBody,
    TextAnswer,
    TextFinding,
    TextRequest,
)
from inference.text.behaviour import Behaviour
from inference.text.check import TextResult, TextSample, require_text
from inference.text.reasons import LabelBook, reason_for
from inference.verdicts import Decision, Finding, Judged, Verdict
from models.taxonomy import Taxonomy

log = logging.getLogger(__name__)

_NO_CONTEXT = ContextBody()
_NO_BEHAVIOUR = BehaviourBody()


class Ids:
    """Ids that no other process gives: a random part per process and a count."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(8)
        self._count = itertools.count(1)

    def next(self) -> str:
        """Return a new id, 24 hexadecimal digits."""
        return f"{self._prefix}{next(self._count):08x}"


class TextAnswers:
    """Answers text checks; safe to call from several threads."""

    def __init__(self, checks: TextChecks, clock: Clock, *, taxonomy: Taxonomy) -> None:
        self._checks = checks
        self._clock = clock
        self._taxonomy = taxonomy
        self._behaviour = Behaviour()
        self._lock = threading.Lock()
        self._ids = Ids()

    def answer(self, request: TextRequest, arrived_s: float) -> TextAnswer:
        """Check one text.

        Args:
            request: as it came.
            arrived_s: monotonic seconds at which the request had arrived.

        Raises:
            InvalidSample: the text cannot be looked at, or a label is unknown; whatever `on_error` says.
            NotFound: there is no such policy.
            DeadlineExceeded: the deadline has passed and the request names no decision for that.
        """
        require_text(request.text)
        self._require_labels(request.labels)
        try:
            if request.deadline_ms is not None and (self._clock.now_s() - arrived_s) * 1000 > request.deadline_ms:
                raise DeadlineExceeded(f"the text was not reached within deadline_ms {request.deadline_ms:g}")
            result = self._check(request)
        except LivewardenError as error:
            if request.on_error is None or error.status < 500:
                raise
            return self._failed(request, request.on_error, arrived_s)
        except Exception:  # the caller asked for an answer whatever happens; without that it goes to the border
            if request.on_error is None:
                raise
            log.exception("text check failed", extra={"scene": request.scene})
            return self._failed(request, request.on_error, arrived_s)
        return self._answer(request, result, arrived_s)

    def _check(self, request: TextRequest) -> TextResult:
        def decide(findings: Sequence[Finding], scene: Scene) -> Verdict:
            kept = findings if request.labels is None else [one for one in findings if self._wanted(one, request.labels)]
            return self._checks.decide_text(kept, scene, request.policy, "")

        return self._checks.text.check(TextSample(request.text, request.scene), decide)

    def _wanted(self, finding: Finding, labels: Sequence[str]) -> bool:
        return any(self._taxonomy.matches(pattern, finding.label) for pattern in labels)

    def _require_labels(self, labels: Sequence[str] | None) -> None:
        for pattern in labels or ():
            try:
                self._taxonomy.expand(pattern)
            except ValueError as exc:
                raise InvalidSample(f"labels: {exc}") from exc

    def _said(self, request: TextRequest) -> BehaviourBody:
        """Count the text among those of its user and room."""
        if not request.uid or not request.room_id:
            return _NO_BEHAVIOUR
        folded = self._checks.text.fold(request.text)
        with self._lock:
            counts = self._behaviour.observe(request.room_id, request.uid, folded, self._clock.now_s())
        return BehaviourBody(counts.repeat_60s, counts.similar_uids_60s)

    def _answer(self, request: TextRequest, result: TextResult, arrived_s: float) -> TextAnswer:
        verdict = result.verdict
        leading = _decisive(verdict)
        check_id = self._ids.next()
        return TextAnswer(
            request_id=request.request_id or check_id,
            check_id=check_id,
            decision=verdict.decision,
            action_hint=leading.action_hint if leading else "pass",
            label=leading.finding.label if leading else None,
            severity=leading.severity if leading else None,
            score=leading.finding.score if leading else 0.0,
            findings=[_text_finding(judged) for judged in verdict.judged],
            masked_text=result.masked_text,
            contacts=[ContactBody(contact.type.value, contact.value) for contact in result.contacts],
            behaviour=self._said(request),
            context=_NO_CONTEXT,
            reason=ReasonBody(result.reason.zh, result.reason.en),
            policy=PolicyBody(verdict.policy.id, verdict.policy.version),
            shadow=dict(verdict.shadow),
            degraded=[],
            elapsed_ms=round((self._clock.now_s() - arrived_s) * 1000, 3),
            **({} if request.pass_through is None else {"pass_through": request.pass_through}),
        )

    def _failed(self, request: TextRequest, decision: Decision, arrived_s: float) -> TextAnswer:
        """Answer with the decision the caller named for this case; nothing was looked at, and `degraded` says so."""
        check_id = self._ids.next()
        return TextAnswer(
            request_id=request.request_id or check_id,
            check_id=check_id,
            decision=decision,
            action_hint="pass" if decision is Decision.PASS else "hold",
            label=None,
            severity=None,
            score=0.0,
            findings=[],
            masked_text=request.text,
            contacts=[],
            behaviour=_NO_BEHAVIOUR,
            context=_NO_CONTEXT,
            reason=ReasonBody("未能检查，按 on_error 处理", "not checked; decided by on_error"),
            policy=None,
            shadow={},
            degraded=["text"],
            elapsed_ms=round((self._clock.now_s() - arrived_s) * 1000, 3),
            **({} if request.pass_through is None else {"pass_through": request.pass_through}),
        )


def _decisive(verdict: Verdict) -> Judged | None:
    """Return the finding that carries the decision, or None where the decision is pass."""
    leading = verdict.leading
    return leading if leading is not None and leading.decision is not Decision.PASS else None


def _text_finding(judged: Judged) -> TextFinding:
    finding, match = judged.finding, judged.finding.match
    return TextFinding(
        label=finding.label,
        source=finding.detector,
        word_list=match.list if match else "",
        term=match.term if match else "",
        spans=[(span.start, span.end) for span in match.spans] if match else [],
        matched=match.matched if match else "",
        transforms=list(match.transforms) if match else [],
        score=finding.score,
        decision=judged.decision,
    )


class MediaAnswers:
    """Answers checks of single pictures and clips."""

    def __init__(self, labels: LabelBook) -> None:
        self._labels = labels
        self._ids = Ids()

    def answer(self, checked: Checked, *, request_id: str | None, elapsed_s: float) -> MediaAnswer:
        """Write a verdict as its answer."""
        verdict = checked.verdict
        leading = _decisive(verdict)
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
        finding = judged.finding
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
        )
