"""Stores what shows a violation, and finds it again by the opaque references that the tracker carries.

A reference is the stored evidence itself, as JSON: it survives a restart inside the tracker's snapshot and needs no table. A strip
of the seconds around is kept after the alert is told, since encoding it would hold the alert back; the next alert of the violation
carries it.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

import msgspec

from inference.samples import AudioClip, FrameSample
from inference.verdicts import Judged
from streams.alerts import AudioEvidence, Evidence, StillEvidence, StripEvidence
from streams.evidence import EvidenceStore, EvidenceUnavailable
from streams.strips import RecentFrames
from streams.violations import Transition

log = logging.getLogger(__name__)

BEFORE_S = 10.0
"""How far before a violation's first sighting its strip begins, seconds."""
MAX_STRIPS = 2_000
"""Strips of open violations that are remembered; overflow rule: the oldest is left out of its later alerts."""

Sample = FrameSample | AudioClip


class _Reference(msgspec.Struct, frozen=True, omit_defaults=True):
    """One opaque reference."""

    kind: Literal["still", "audio", "note"]
    still: StillEvidence | None = None
    audio: AudioEvidence | None = None
    note: str = ""


_decode = msgspec.json.Decoder(_Reference).decode


class Showcase:
    """Evidence of violations. `store` and `keep_strip` block on the disk: call them on a thread."""

    def __init__(self, store: EvidenceStore, recent: RecentFrames) -> None:
        self._store = store
        self._recent = recent
        self._strips: OrderedDict[str, StripEvidence] = OrderedDict()

    def store(self, sample: Sample, judged: Sequence[Judged]) -> tuple[str, ...]:
        """Store the sample's picture or sound with what was found on it.

        Raises:
            EvidenceUnavailable: it could not be stored.
        """
        text = next((one.finding.text for one in judged if one.finding.text), None)
        if isinstance(sample, AudioClip):
            said = [one.finding.match for one in judged if one.finding.match and one.finding.text == text]
            spans = sorted({(span.start, span.end) for match in said for span in match.spans})
            return (_encode(_Reference("audio", audio=self._store.write_audio(sample, transcript=text, spans=spans))),)
        boxes = tuple(dict.fromkeys(box for one in judged for box in one.finding.boxes))
        qr = next((one.finding.qr for one in judged if one.finding.qr), None)
        return (_encode(_Reference("still", still=self._store.write_still(sample, boxes=boxes, text=text, qr=qr))),)

    def note(self, note: str) -> str:
        """Make a reference that says why there is no media."""
        return _encode(_Reference("note", note=note))

    def evidence_of(self, transition: Transition) -> Evidence:
        """Gather what a transition's references and its violation's strip stand for."""
        references = [_decode(reference) for reference in transition.evidence]
        strip = self._strips.get(transition.violation_id)
        return Evidence(
            frames=tuple(one.still for one in references if one.still is not None),
            audio=tuple(one.audio for one in references if one.audio is not None),
            strips=() if strip is None else (strip,),
            notes=tuple(dict.fromkeys(one.note for one in references if one.note)),
        )

    def keep_strip(self, transition: Transition, sample: FrameSample) -> None:
        """Store the last seconds before a violation opened; without frames, or a disk, there is none, and nothing else suffers."""
        room = transition.room
        start_s = transition.first_seen_s - BEFORE_S
        frames = self._recent.around(room.room_id, room.session_id, start_s=start_s, end_s=sample.pts_s)
        if len(frames) < 2:
            return
        try:
            self._strips[transition.violation_id] = self._store.write_strip(sample, frames)
        except EvidenceUnavailable as error:
            log.warning("strip not stored: %s", error, extra={"room_id": room.room_id})
        while len(self._strips) > MAX_STRIPS:
            self._strips.popitem(last=False)

    def forget(self, violation_id: str) -> None:
        """Drop what is remembered of a violation that is over; its files stay."""
        self._strips.pop(violation_id, None)


def _encode(reference: _Reference) -> str:
    return msgspec.json.encode(reference).decode()
