"""The answer of a text in which nothing was found, written from a template: what nearly every danmaku is answered with.

Byte for byte what `TextAnswers.finish` would encode, for a tenth of its cost. Knows no findings.
"""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from inference.checks import TextChecks
from inference.ids import Ids
from inference.samples import Scene
from inference.schemas import PolicyBody, TextRequest
from inference.text.conversation import Said
from inference.verdicts import Verdict

_encode = msgspec.json.Encoder().encode


def asks_nothing(request: TextRequest) -> bool:
    """Tell whether a request wants nothing that its answer would show, where nothing was found."""
    return request.policy is None and request.pass_through is None and request.labels is None


class Passes:
    """Writes answers that pass; safe to call from several threads."""

    def __init__(self, checks: TextChecks, ids: Ids) -> None:
        self._checks = checks
        self._next_id = ids.next_bytes
        self._templates: dict[Scene, tuple[Hashable, bytes]] = {}

    def one(self, request: TextRequest, said: Said, elapsed_ms: float) -> bytes:
        """Write the answer of one text."""
        return self.write(self.template(request.scene), request, said, elapsed_ms)

    def write(self, template: bytes, request: TextRequest, said: Said, elapsed_ms: float) -> bytes:
        """Write the answer of one text into the template of its scene; for texts that came together."""
        check_id = self._next_id()
        return template % (
            _encode(request.request_id) if request.request_id else b'"%b"' % check_id,
            check_id,
            _encode(request.text),
            said.repeat_60s,
            said.similar_uids_60s,
            elapsed_ms,
        )

    def template(self, scene: Scene) -> bytes:
        """Return the answer for `%`: request id (JSON), check id, text (JSON), repeats, users, milliseconds.

        Made anew when lists or policies have changed.
        """
        generation = self._checks.generation
        known = self._templates.get(scene)
        if known is None or known[0] != generation:
            known = self._templates[scene] = (generation, _template(self._checks.decide_text((), scene, None, "")))
        return known[1]


def _template(verdict: Verdict) -> bytes:
    policy = _encode(PolicyBody(verdict.policy.id, verdict.policy.version)).replace(b"%", b"%%")
    shadow = _encode(dict(verdict.shadow)).replace(b"%", b"%%")
    return (
        b'{"request_id":%b,"check_id":"%b","decision":"pass","action_hint":"pass","label":null,"severity":null,"score":0.0,'
        b'"findings":[],"masked_text":%b,"contacts":[],"behaviour":{"repeat_60s":%d,"similar_uids_60s":%d},'
        b'"context":{"joined_messages":0},"reason":{"zh":"","en":""},"policy":'
        + policy
        + b',"shadow":'
        + shadow
        + b',"degraded":[],"elapsed_ms":%.3f}'
    )
