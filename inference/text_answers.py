"""From a text request to its answer: what the lists say, what was said before, what the network thinks, what the policy decides.

Works in stages, because some of them may have to be waited for: `begin` reads the text, `heard` adds what was said before (counted
by a `Conversation`), opinions are added from outside, `finish` decides. Knows neither HTTP nor the command line. Nearly every text
passes with nothing found; its answer is written from a template.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from inference.checks import TextChecks
from inference.clock import Clock
from inference.errors import DeadlineExceeded, InvalidSample, LivewardenError
from inference.ids import Ids
from inference.schemas import TextAnswer, TextRequest
from inference.text.behaviour import SpamThresholds, findings_of
from inference.text.check import NOTHING, require_text, require_texts
from inference.text.conversation import FIRST, Said, Windows
from inference.text.joined import Joined
from inference.text.local_conversation import LocalConversation
from inference.text.matcher import Reading
from inference.text.reasons import reason_for
from inference.text_checking import NOBODY, Checking, decided_body, unchecked_body
from inference.text_passes import Passes, asks_nothing
from inference.verdicts import Decision, Finding, Verdict
from models.taxonomy import Taxonomy

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConversationRules:
    """What is made of a user's and a room's earlier messages."""

    windows: Windows = field(default_factory=Windows)
    """How far back is looked."""
    thresholds: SpamThresholds = field(default_factory=SpamThresholds)
    """From how many messages on it is flooding."""


class TextAnswers:
    """Answers text checks; safe to call from several threads."""

    def __init__(
        self,
        checks: TextChecks,
        clock: Clock,
        *,
        taxonomy: Taxonomy,
        rules: ConversationRules | None = None,
        heard: Callable[[TextRequest], None] | None = None,
        opinion: Callable[[Sequence[str]], Sequence[Sequence[Finding]]] | None = None,
    ) -> None:
        """Take what answers are made of.

        Args:
            checks: the engine's part that judges texts.
            clock: monotonic seconds.
            taxonomy: labels that a request may ask for.
            rules: how far back is looked, and from when on it is flooding.
            opinion: the network for `answer`: canonical texts in, findings out, on the calling thread.
            heard: told of every text of a known sender that passed whole; must be quick.
        """
        self._checks = checks
        self._clock = clock
        self._taxonomy = taxonomy
        rules = rules or ConversationRules()
        self._windows, self._thresholds = rules.windows, rules.thresholds
        self._conversation = LocalConversation(self._windows)
        self._heard = heard
        self._opinion = opinion
        self._lock = threading.Lock()
        self._ids = Ids()
        self._passes = Passes(checks, self._ids)

    def answer(self, request: TextRequest, arrived_s: float) -> TextAnswer:
        """Check one text with the counters of this process, and the network it was given for this.

        Args:
            request: as it came.
            arrived_s: monotonic seconds at which the request had arrived.

        Raises:
            InvalidSample: the text cannot be looked at, or a label is unknown; whatever `on_error` says.
            NotFound: there is no such policy.
            DeadlineExceeded: the deadline has passed and the request names no decision for that.
        """
        try:
            checking = self.begin(request, arrived_s)
            if checking.has_sender:
                with self._lock:
                    self.hear(checking)
            if self._opinion is not None and self.wants_opinion(checking):
                canonical = self._checks.text.normaliser.canonical(request.text)
                self.add_opinion(checking, self._opinion([canonical])[0])
            return self.finish(checking)
        except Exception as error:  # noqa: BLE001  the caller may have asked for an answer whatever happens
            return self.failed(request, arrived_s, error)

    # the stages

    def begin(self, request: TextRequest, arrived_s: float) -> Checking:
        """Read a text; raises as `answer`."""
        return self._begun(request, arrived_s, None)

    def answer_plain(self, request: TextRequest, arrived_s: float) -> Checking | bytes:
        """Read a text and count it in this process; one thread at a time, raises as `answer`.

        Returns:
            The answer as it stands on the wire where there is nothing in the text, else what is left to be finished.
        """
        checking = None
        if request.deadline_ms is not None or not asks_nothing(request):
            checking = self._begun(request, arrived_s, None)
        else:
            require_text(request.text)
            reading = self._checks.text.read(request.text, request.scene)
            if reading is not NOTHING:
                checking = Checking(request, arrived_s, reading)
        if checking is None:
            return self._plain(request, arrived_s)
        if checking.has_sender:
            self.hear(checking)
        return checking

    def _plain(self, request: TextRequest, arrived_s: float) -> Checking | bytes:
        """Count a text in which nothing was found, and answer it where nothing that was said before matters."""
        said, room_id, uid = NOBODY, request.room_id, request.uid
        if uid and room_id:
            said = self._conversation.observe(room_id, uid, self._checks.text.fold(request.text), request.text, self._clock.now_s())
            if said is not FIRST and self._matters(said):
                checking = Checking(request, arrived_s, NOTHING)
                if self.heard(checking, said):
                    self._conversation.forget_earlier(room_id, uid)
                return checking
            if self._heard is not None:
                self._heard(request)
        return self._passes.one(request, said, self._elapsed_ms(arrived_s))

    def begin_many(self, requests: Sequence[TextRequest], arrived_s: float) -> list[Checking]:
        """Read several texts, those of one scene together; raises as `answer`, for the first that is wrong."""
        readings = self.read_many(requests)
        return [self._begun(request, arrived_s, reading) for request, reading in zip(requests, readings, strict=True)]

    def read_many(self, requests: Sequence[TextRequest]) -> list[Reading]:
        """Say what stands in several texts, those of one scene read together; raises for the first that cannot be looked at."""
        texts = [request.text for request in requests]
        require_texts(texts)
        scenes = {request.scene for request in requests}
        if len(scenes) == 1:
            return self._checks.text.read_many(texts, scenes.pop())
        readings: list[Reading] = [NOTHING] * len(requests)
        for scene in scenes:
            places = [place for place, request in enumerate(requests) if request.scene is scene]
            found = self._checks.text.read_many([texts[place] for place in places], scene)
            for place, reading in zip(places, found, strict=True):
                readings[place] = reading
        return readings

    def _begun(self, request: TextRequest, arrived_s: float, reading: Reading | None) -> Checking:
        if reading is None:
            require_text(request.text)
        if request.deadline_ms is not None and (self._clock.now_s() - arrived_s) * 1000 > request.deadline_ms:
            raise DeadlineExceeded(f"the text was not reached within deadline_ms {request.deadline_ms:g}")
        if reading is None:
            reading = self._checks.text.read(request.text, request.scene)
        if request.labels is not None:
            self._require_labels(request.labels)
            reading = dataclasses.replace(reading, findings=tuple(self._wanted(reading.findings, request.labels)))
        return Checking(request, arrived_s, reading)

    def key(self, checking: Checking) -> str:
        """Return what makes a message the same as another: its letters and digits, without disguise."""
        return self._checks.text.fold(checking.request.text)

    def piece(self, checking: Checking) -> str:
        """Return the text where it may be a piece of something: it passes by itself."""
        passes = not checking.reading.findings or self._verdict(checking).decision is Decision.PASS
        return checking.request.text if passes else ""

    def count(self, checking: Checking) -> Said:
        """Count a message among those of its user and room, in this process; one thread at a time."""
        request = checking.request
        assert request.uid is not None  # for the type checker: the caller asks `has_sender`
        assert request.room_id is not None
        return self._conversation.observe(
            request.room_id, request.uid, self.key(checking), self.piece(checking), self._clock.now_s()
        )

    def hear_many(self, requests: Sequence[TextRequest], readings: Sequence[Reading], arrived_s: float) -> list[Checking | bytes]:
        """Count messages that came together in this process, and answer those in which there is nothing; one thread at a time.

        Args:
            requests: as they came.
            readings: of each text, from `read_many`.
            arrived_s: monotonic seconds.

        Returns:
            For each the answer as it stands on the wire, or what is left to be finished.
        """
        begun = [
            None if reading is NOTHING and asks_nothing(request) else self._begun(request, arrived_s, reading)
            for request, reading in zip(requests, readings, strict=True)
        ]
        counted = self._count_many(requests, begun)
        elapsed_ms, write, pass_on = self._elapsed_ms(arrived_s), self._passes.write, self._heard
        templates = {scene: self._passes.template(scene) for scene in {request.scene for request in requests}}
        answers: list[Checking | bytes] = []
        for request, checking, said in zip(requests, begun, counted, strict=True):
            if checking is None:
                if said is FIRST or not self._matters(said):
                    if pass_on is not None and said is not NOBODY:
                        pass_on(request)
                    answers.append(write(templates[request.scene], request, said, elapsed_ms))
                    continue
                checking = Checking(request, arrived_s, NOTHING)
            if said is not NOBODY and self.heard(checking, said):
                self._conversation.forget_earlier(str(request.room_id), str(request.uid))
            answers.append(checking)
        return answers

    def _matters(self, said: Said) -> bool:
        """Tell whether anything could be made of what was said before."""
        limits = self._thresholds
        counts = said.repeat_60s >= limits.repeat or said.user_10s >= limits.flood or said.similar_uids_60s >= limits.swarm
        return counts or bool(said.earlier)

    def _count_many(self, requests: Sequence[TextRequest], begun: Sequence[Checking | None]) -> list[Said]:
        """Count the messages of known senders, in their order; NOBODY for the others."""
        fold = self._checks.text.fold
        senders = [place for place, request in enumerate(requests) if request.uid and request.room_id]
        pieces = [request.text if one is None else self.piece(one) for request, one in zip(requests, begun, strict=True)]
        counted = self._conversation.observe_many(
            [requests[place].room_id or "" for place in senders],
            [requests[place].uid or "" for place in senders],
            [fold(requests[place].text) for place in senders],
            [pieces[place] for place in senders],
            self._clock.now_s(),
        )
        if len(senders) == len(requests):
            return counted
        found = dict(zip(senders, counted, strict=True))
        return [found.get(place, NOBODY) for place in range(len(requests))]

    def hear(self, checking: Checking) -> None:
        """Count a message in this process, and read it together with those before it; one thread at a time."""
        if self.heard(checking, self.count(checking)):
            self._conversation.forget_earlier(str(checking.request.room_id), str(checking.request.uid))

    def heard(self, checking: Checking, said: Said) -> bool:
        """Add what was said before; True where a term runs over several messages, so that its pieces are done with."""
        checking.said = said
        request = checking.request
        if said.repeat_60s > 1 or said.user_10s > 1 or said.similar_uids_60s > 1:
            found = findings_of(said, self.key(checking), self._thresholds)
            checking.others += found if request.labels is None else self._wanted(found, request.labels)
        if not said.earlier or checking.reading.findings:
            return False
        return self._join(checking, said.earlier)

    def _join(self, checking: Checking, earlier: tuple[str, ...]) -> bool:
        request = checking.request
        for n_messages in range(1, len(earlier) + 1):  # the fewest messages that say it: what is older may only be near
            joined = Joined.of(earlier[-n_messages:], request.text, max_chars=self._windows.joined_chars)
            if joined is None:
                return False
            found = self._checks.text.read(joined.text, request.scene).findings
            for finding in self._wanted(found, request.labels) if request.labels is not None else found:
                spans = joined.present(finding.match.spans) if finding.match is not None else ()
                if finding.match is not None and spans:
                    shown = "".join(request.text[span.start : span.end] for span in spans)
                    transforms = tuple(dict.fromkeys((*finding.match.transforms, "joined")))
                    match = dataclasses.replace(finding.match, spans=spans, matched=shown, transforms=transforms)
                    checking.others.append(dataclasses.replace(finding, match=match))
                    checking.n_joined = n_messages
            if checking.n_joined:
                return True
        return False

    def wants_opinion(self, checking: Checking) -> bool:
        """Tell whether the network could change anything: not where the lists block already."""
        return not checking.reading.findings or self._verdict(checking).decision is not Decision.BLOCK

    def add_opinion(self, checking: Checking, findings: Sequence[Finding]) -> None:
        """Add what the network found."""
        labels = checking.request.labels
        checking.others += findings if labels is None else self._wanted(findings, labels)

    def finish(self, checking: Checking) -> TextAnswer:
        """Decide, and write the answer."""
        request, verdict = checking.request, self._verdict(checking)
        if verdict.decision is Decision.PASS and not checking.degraded:
            self._pass_on(request)
        reason = reason_for(verdict, self._taxonomy)
        elapsed_ms = self._elapsed_ms(checking.arrived_s)
        return decided_body(checking, verdict, check_id=self._ids.next(), reason=reason, elapsed_ms=elapsed_ms)

    def finish_pass(self, checking: Checking) -> bytes:
        """Write the answer of a plain text as it stands on the wire; the same as `finish` encoded, for less."""
        self._pass_on(checking.request)
        return self._passes.one(checking.request, checking.said, self._elapsed_ms(checking.arrived_s))

    def _pass_on(self, request: TextRequest) -> None:
        if self._heard is not None and request.uid and request.room_id:
            self._heard(request)

    def failed(self, request: TextRequest, arrived_s: float, error: Exception) -> TextAnswer:
        """Answer with the decision the caller named for this case; nothing was looked at, and `degraded` says so.

        Raises:
            Exception: the error itself, where the caller named none or where the request is at fault.
        """
        at_fault = isinstance(error, LivewardenError) and error.status < 500
        if request.on_error is None or at_fault:
            raise error
        if not isinstance(error, LivewardenError):
            log.error("text check failed", extra={"scene": request.scene}, exc_info=error)
        elapsed_ms = self._elapsed_ms(arrived_s)
        return unchecked_body(request, request.on_error, check_id=self._ids.next(), elapsed_ms=elapsed_ms)

    def _verdict(self, checking: Checking) -> Verdict:
        findings = (*checking.reading.findings, *checking.others)
        return self._checks.decide_text(findings, checking.request.scene, checking.request.policy, "")

    def _wanted(self, findings: Sequence[Finding], labels: Sequence[str]) -> list[Finding]:
        matches = self._taxonomy.matches
        return [finding for finding in findings if any(matches(pattern, finding.label) for pattern in labels)]

    def _require_labels(self, labels: Sequence[str]) -> None:
        for pattern in labels:
            try:
                self._taxonomy.expand(pattern)
            except ValueError as exc:
                raise InvalidSample(f"labels: {exc}") from exc

    def _elapsed_ms(self, arrived_s: float) -> float:
        return round((self._clock.now_s() - arrived_s) * 1000, 3)
