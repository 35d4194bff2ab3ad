"""The hourly quota of blocks of one room, by label: what is over it is told as a review. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

HOUR_S = 3600.0


@dataclass(slots=True)
class HourlyQuota:
    """When blocks were told in one room. Bounded: a label holds no more moments than its rule's quota."""

    blocks: dict[str, list[float]] = field(default_factory=dict)
    """Moments of the session's timeline within the last hour, seconds, by label."""

    def spend(self, label: str, max_per_hour: int | None, *, pts_s: float) -> bool:
        """Count one block; False, and nothing counted, where the label's quota of the last hour is used up."""
        if max_per_hour is None:
            return True
        recent = [at_s for at_s in self.blocks.get(label, ()) if at_s > pts_s - HOUR_S]
        affordable = len(recent) < max_per_hour
        self.blocks[label] = [*recent, pts_s] if affordable else recent
        return affordable
