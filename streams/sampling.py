"""Which pictures of a room are looked at: pure decisions on packet facts, so that nobody hides between key frames.

Targets lie on a grid of `interval_s`, each moved at random. Most take the key frame that lies nearest, which costs one decoded
picture; a share of them (`off_key_share`) is tied to its random moment and takes whatever picture is there, for which the packets
since the key frame are decoded as well. Where key frames are further apart than the interval, every target is of that kind.

    key frames   K . . . . . K . . . . . K . . . . . K
    targets        t1      t2       t3(off key)  t4
    looked at    K           K       x           K

Packets wait undecoded until the decision falls (`Step.HOLD`), so a guess that was wrong costs no blind time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from random import Random


@dataclass(frozen=True, slots=True)
class AudioPlan:
    """How a room's sound is cut into overlapping clips."""

    window_s: float = 8.0
    """Length of a clip, seconds."""
    hop_s: float = 4.0
    """From the start of a clip to the start of the next, seconds; at most `window_s`."""

    def __post_init__(self) -> None:
        if not 0 < self.hop_s <= self.window_s:
            raise ValueError(f"hop_s must be within 0..window_s, got hop {self.hop_s} and window {self.window_s}")


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How often a room is looked at."""

    interval_s: float = 2.0
    """Mean distance of two samples on the stream's own clock, seconds."""
    jitter: float = 0.25
    """How far a target is moved at most, as a share of the interval, 0..0.5."""
    off_key_share: float = 0.05
    """Share of the samples taken at a random moment whatever frame is there, 0..1; raise it for rooms under suspicion."""
    audio: AudioPlan | None = None
    """None: sound is not decoded."""
    video: bool = True
    """False: only sound is decoded."""

    def __post_init__(self) -> None:
        if self.interval_s <= 0 or not 0 <= self.jitter <= 0.5 or not 0 <= self.off_key_share <= 1:
            raise ValueError(f"plan must have interval_s > 0, jitter 0..0.5, off_key_share 0..1, got {self}")


class SamplingMode(StrEnum):
    """How pictures are got at, as the room's status tells."""

    STARTING = "starting"
    """The distance of the key frames is not known yet."""
    KEY_FRAMES = "key_frames"
    """Key frames lie close enough; the off-key share excepted, only they are decoded."""
    DENSE = "dense"
    """Key frames lie too far apart; what leads up to each wanted frame is decoded."""


class Step(StrEnum):
    """What to do with the packet just read."""

    HOLD = "hold"
    """Keep it undecoded behind the others since the key frame."""
    KEY = "key"
    """Decode this key frame alone and hand it over at once; then keep it as the first of its group."""
    CATCH_UP = "catch_up"
    """Decode everything kept, this packet included, and offer the frames."""


class Sampler:
    """The decisions for one room and one opening of its source; not thread-safe, it belongs to the room's thread."""

    _N_GOPS = 4
    """Groups remembered; the longest counts."""
    _MAX_LONE_FAILURES = 3
    _NEAR_S = 0.005
    """A frame this much before its target is the target's: time stamps are rounded."""

    def __init__(self, plan: SamplingPlan, rng: Random) -> None:
        self.plan = plan
        self._rng = rng
        self._gops_s: deque[float] = deque(maxlen=self._N_GOPS)
        self._last_key_s: float | None = None
        self._last_sample_s: float | None = None
        self._grid_s = 0.0
        self._due_s: float | None = None
        self._exact = False
        self._n_lone_failures = 0
        self.n_missed = 0
        """Targets that passed without any frame to take."""

    @property
    def due_s(self) -> float:
        """When the next sample is wanted, on the session's timeline; minus infinity before the first packet."""
        return float("-inf") if self._due_s is None else self._due_s

    @property
    def gop_s(self) -> float | None:
        """Longest of the last distances between key frames, seconds; None while unknown."""
        return max(self._gops_s, default=None)

    @property
    def mode(self) -> SamplingMode:
        """How pictures are got at now."""
        gop_s = self.gop_s
        if gop_s is None:
            return SamplingMode.STARTING
        return SamplingMode.KEY_FRAMES if self._keys_suffice(gop_s) else SamplingMode.DENSE

    def _keys_suffice(self, gop_s: float) -> bool:
        return gop_s <= 1.5 * self.plan.interval_s and self._n_lone_failures < self._MAX_LONE_FAILURES

    def key_failed(self) -> None:
        """Note that a key frame gave no picture by itself; after a few, key frames are not asked for alone any more."""
        self._n_lone_failures += 1

    def change_plan(self, plan: SamplingPlan) -> None:
        """Follow another plan from now on; a shorter interval takes effect at once."""
        if plan == self.plan:
            return
        self.plan = plan
        if self._last_sample_s is not None and self._due_s is not None:
            self._grid_s = min(self._grid_s, self._last_sample_s + plan.interval_s)
            self._due_s = min(self._due_s, self._grid_s)

    def on_packet(self, pts_s: float, *, is_key: bool) -> Step:
        """Decide about one packet in the order of decoding.

        Args:
            pts_s: when its frame is shown, on the session's timeline.
            is_key: whether decoding can begin with it.
        """
        if self._due_s is None:
            self._due_s = self._grid_s = pts_s
        if is_key:
            return self._on_key(pts_s)
        waits_until_s = self._due_s if self._exact else max(self._due_s, self._patience_s())
        return Step.CATCH_UP if pts_s >= waits_until_s else Step.HOLD

    def _on_key(self, pts_s: float) -> Step:
        if self._last_key_s is not None and pts_s > self._last_key_s:
            self._gops_s.append(pts_s - self._last_key_s)
        self._last_key_s = pts_s
        if self._n_lone_failures >= self._MAX_LONE_FAILURES:
            return Step.CATCH_UP if pts_s >= self.due_s else Step.HOLD
        slack_s = 0.0 if self._exact else min(self.gop_s or 0.0, self.plan.interval_s) / 2
        return Step.KEY if pts_s >= self.due_s - slack_s - self._NEAR_S else Step.HOLD

    def _patience_s(self) -> float:
        """Until when a key frame is waited for rather than decoding towards the target."""
        gop_s = self.gop_s
        if gop_s is None or self._last_key_s is None:
            return self.due_s + self.plan.interval_s / 2
        if not self._keys_suffice(gop_s):
            return self.due_s
        return self._last_key_s + 1.1 * gop_s + 0.1

    def take(self, pts_s: float, *, alone: bool = False) -> bool:
        """Tell whether a decoded frame is the wanted sample; if so, set the next target.

        Args:
            pts_s: when it is shown, on the session's timeline.
            alone: it is the key frame that `Step.KEY` asked for, so it is wanted even a little before its target.
        """
        if not alone and pts_s < self.due_s - self._NEAR_S:
            return False
        if alone:
            self._n_lone_failures = 0
        self._last_sample_s = pts_s
        interval_s = self.plan.interval_s
        self._grid_s += interval_s
        if self._grid_s <= pts_s:
            n_behind = int((pts_s - self._grid_s) // interval_s) + 1
            self.n_missed += n_behind
            self._grid_s += n_behind * interval_s
        self._exact = self._rng.random() < self.plan.off_key_share
        spread = 0.5 if self._exact else self.plan.jitter
        self._due_s = max(self._grid_s + interval_s * spread * self._rng.uniform(-1, 1), pts_s + interval_s / 4)
        return True
