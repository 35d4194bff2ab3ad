"""Which rooms may not share a decoder with others; pure. Two deaths make a suspect, a quiet time makes it innocent."""

from __future__ import annotations

from dataclasses import dataclass, field

STRIKES = 2
MEMORY_S = 600.0
"""A strike is forgotten after this long."""
CLEAR_AFTER_S = 120.0
"""A room that lived alone for this long without killing its decoder goes back among the others."""
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 300.0


@dataclass(slots=True)
class Record:
    """One room's strikes."""

    strikes_s: list[float] = field(default_factory=list)
    """Monotonic times at which its decoder died while it was a suspect."""
    n_deaths_alone: int = 0
    is_apart: bool = False
    """Whether it is in quarantine."""
    not_before_s: float = 0.0
    """Monotonic time before which it is not started again."""
    alone_since_s: float | None = None
    """When its present decoder of its own began; None when it has none."""

    def strike(self, *, now_s: float) -> bool:
        """Note a death it is suspected of; tell whether it goes, or stays, apart."""
        self.strikes_s = [at for at in self.strikes_s if now_s - at < MEMORY_S] + [now_s]
        if self.is_apart or len(self.strikes_s) >= STRIKES:
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self.n_deaths_alone, 16))
            self.n_deaths_alone += 1 if self.is_apart else 0
            self.is_apart = True
            self.not_before_s = now_s + pause_s
            self.alone_since_s = None
        return self.is_apart

    def is_clear(self, *, now_s: float) -> bool:
        """Tell whether it has proved harmless while alone."""
        return self.is_apart and self.alone_since_s is not None and now_s - self.alone_since_s >= CLEAR_AFTER_S

    def acquit(self) -> None:
        """Forget everything held against it."""
        self.strikes_s.clear()
        self.n_deaths_alone = 0
        self.is_apart = False
        self.not_before_s = 0.0
        self.alone_since_s = None
