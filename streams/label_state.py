"""One label in one room: its windows of samples, the violation that is open under it, and the quiet that follows. Pure state.

         m of n agree                      quiet_s without being seen
nothing --------------> open (`Happening`) --------------------------> over (`Past`) --cool_down_s--> nothing
                          ^                                              |
                          +----------- only something harsher -----------+
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from inference.verdicts import Decision, Judged
from streams.happening import Happening, Name
from streams.temporal import HIT_AGE_S, HitWindow
from streams.transitions import Kind, Transition

OVERTURN_HOLD_S = 600.0
"""After a person overturned a violation, nothing milder or equal opens under its key for this long: the scene is still the same."""


@dataclass(frozen=True, slots=True)
class Past:
    """The last violation of a key that is over."""

    told: Transition
    peak: Decision
    """Its harshest decision, before any quota: what comes again is held back up to this."""
    until_s: float
    """End of the cool-down, seconds of the session's timeline."""

    def holds_back(self, decision: Decision, pts_s: float) -> bool:
        """Tell whether the cool-down keeps something of this decision from opening."""
        return pts_s < self.until_s and decision.rank <= self.peak.rank


@dataclass(slots=True)
class LabelState:
    """All that is remembered of one label and sublabel of one room."""

    windows: dict[str, HitWindow] = field(default_factory=dict)
    """By detector."""
    open: Happening | None = None
    past: Past | None = None
    seen_s: float = 0.0
    """Latest hit, seconds of the session's timeline."""

    def miss(self, detector: str, pts_s: float) -> None:
        """Note a look that found nothing here; one of a detector that never saw this is no news."""
        window = self.windows.get(detector)
        if window is None:
            return
        window.miss()
        if self.open is not None:
            self.open.miss(pts_s)

    def forget_stale(self, now_s: float) -> None:
        """Drop the windows whose hits can agree with nothing that comes now, as a tick would have: it may not have been called."""
        self.windows = {detector: window for detector, window in self.windows.items() if not window.is_stale(now_s)}

    def close(self, happening: Happening, at_s: float) -> Transition:
        """Close what is open; the cool-down begins."""
        return self._end(happening.end(Kind.CLOSED), happening.peak, at_s + happening.rule.cool_down_s)

    def retract(self) -> Transition | None:
        """Take back what is open, or was closed a moment ago; None where it was taken back already."""
        if self.open is not None:
            told, peak = self.open.end(Kind.RETRACTED), self.open.peak
        elif self.past is not None and self.past.told.kind is Kind.CLOSED:
            told, peak = replace(self.past.told, kind=Kind.RETRACTED, seq=self.past.told.seq + 1), self.past.peak
        else:
            return None
        return self._end(told, peak, told.last_seen_s + OVERTURN_HOLD_S)

    def named(self, violation_id: str) -> bool:
        """Tell whether this is its violation, open or over."""
        told = self.open.told if self.open is not None else self.past.told if self.past is not None else None
        return told is not None and told.violation_id == violation_id

    def holds_back(self, decision: Decision, pts_s: float) -> bool:
        """Tell whether the quiet after the last violation keeps one of this decision from opening."""
        return self.past is not None and self.past.holds_back(decision, pts_s)

    def is_late(self, pts_s: float) -> bool:
        """Tell whether a sample belongs to the time of the violation that is over: it comes too late to count."""
        return self.open is None and self.past is not None and pts_s <= self.past.told.last_seen_s

    def _end(self, told: Transition, peak: Decision, until_s: float) -> Transition:
        self.past = Past(told, peak, until_s)
        self.open = None
        self.windows.clear()
        return told

    def is_idle(self, now_s: float) -> bool:
        """Tell whether nothing is left that could matter: not open, cooled down, and its hits long past."""
        if self.open is not None or not all(window.is_stale(now_s) for window in self.windows.values()):
            return False
        return self.past is None or now_s >= max(self.past.until_s, self.past.told.last_seen_s + HIT_AGE_S)


def strongest_by_name(judged: Iterable[Judged]) -> dict[Name, Judged]:
    """Keep one finding per label and sublabel: the harshest, then the surest."""
    best: dict[Name, Judged] = {}
    for one in judged:
        name = Name(one.finding.label, one.finding.sublabel)
        if name not in best or _strength(one) > _strength(best[name]):
            best[name] = one
    return best


def _strength(judged: Judged) -> tuple[int, float]:
    return (judged.decision.rank, judged.finding.score)
