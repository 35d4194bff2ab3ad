"""One text on its way from request to answer, and the bodies that are written at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.schemas import (
    BehaviourBody,
    ContactBody,
    ContextBody,
    PolicyBody,
    ReasonBody,
    TextAnswer,
    TextFinding,
    TextRequest,
)
from inference.text.check import masked, unwelcome
from inference.text.conversation import Said
from inference.text.matcher import Reading
from inference.text.reasons import Reason
from inference.verdicts import Decision, Finding, Judged, Verdict

NOBODY = Said(0, 0, 0)
"""What is known of a message without user or room."""


@dataclass(slots=True)
class Checking:
    """One text on its way to an answer; belongs to one call."""

    request: TextRequest
    arrived_s: float
    """Monotonic seconds."""
    reading: Reading
    said: Said = NOBODY
    others: list[Finding] = field(default_factory=list)
    """Findings beside those of the text alone: of messages read together, of flooding, of the network."""
    n_joined: int = 0
    """Earlier messages of the user that a finding needed."""
    degraded: list[str] = field(default_factory=list)
    """Stages that were skipped."""

    @property
    def has_sender(self) -> bool:
        """Whether it is known who says it, and where."""
        return bool(self.request.uid and self.request.room_id)

    @property
    def is_plain(self) -> bool:
        """Whether nothing was found, nothing was asked for, and nothing went wrong: the answer is that of every such text."""
        reading, request = self.reading, self.request
        if reading.findings or reading.contacts or self.others or self.degraded:
            return False
        return request.policy is None and request.pass_through is None


def decisive(verdict: Verdict) -> Judged | None:
    """Return the finding that carries the decision, or None where the decision is pass."""
    leading = verdict.leading
    return leading if leading is not None and leading.decision is not Decision.PASS else None


def decided_body(checking: Checking, verdict: Verdict, *, check_id: str, reason: Reason, elapsed_ms: float) -> TextAnswer:
    """Write what was found and decided."""
    request, leading, said = checking.request, decisive(verdict), checking.said
    return TextAnswer(
        request_id=request.request_id or check_id,
        check_id=check_id,
        decision=verdict.decision,
        action_hint=leading.action_hint if leading else "pass",
        label=leading.finding.label if leading else None,
        severity=leading.severity if leading else None,
        score=leading.finding.score if leading else 0.0,
        findings=[_text_finding(judged) for judged in verdict.judged],
        masked_text=masked(request.text, unwelcome(verdict)),
        contacts=[ContactBody(contact.type.value, contact.value) for contact in checking.reading.contacts],
        behaviour=BehaviourBody(said.repeat_60s, said.similar_uids_60s),
        context=ContextBody(checking.n_joined),
        reason=ReasonBody(reason.zh, reason.en),
        policy=PolicyBody(verdict.policy.id, verdict.policy.version),
        shadow=dict(verdict.shadow),
        degraded=checking.degraded,
        elapsed_ms=elapsed_ms,
        **({} if request.pass_through is None else {"pass_through": request.pass_through}),
    )


def unchecked_body(request: TextRequest, decision: Decision, *, check_id: str, elapsed_ms: float) -> TextAnswer:
    """Write the decision that the caller named for a check that failed: nothing was looked at, and `degraded` says so."""
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
        behaviour=BehaviourBody(),
        context=ContextBody(),
        reason=ReasonBody("未能检查，按 on_error 处理", "not checked; decided by on_error"),
        policy=None,
        shadow={},
        degraded=["text"],
        elapsed_ms=elapsed_ms,
        **({} if request.pass_through is None else {"pass_through": request.pass_through}),
    )


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
