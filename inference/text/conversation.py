"""What was said in each room lately: repeats, users who say the same, how fast one user writes, and the pieces to join.

The contract only. `local_conversation.py` keeps it for one process, `redis_conversation.py` for several replicas together. What is
too much is not known here (`behaviour.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

MAX_SPOKEN = 64
"""Messages of one user that are told apart in the flood window; who writes more counts as writing so many."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How far back is looked, exact to the microsecond. A message said a window ago no longer counts."""

    said_s: float = 60.0
    """For repeats and for users who say the same, seconds."""
    spoken_s: float = 10.0
    """For the messages of one user, and for the pieces that are joined, seconds; at most `said_s`."""
    n_joined: int = 4
    """Earlier messages that the present one may be joined to; 0 joins none."""
    piece_chars: int = 12
    """Code points of a message that may be a piece of something; a longer one is looked at alone."""
    joined_chars: int = 64
    """Code points of all that is joined, the present message included."""

    def __post_init__(self) -> None:
        if not 0 < self.spoken_s <= self.said_s:
            raise ValueError(f"windows must be 0 < spoken_s <= said_s, got {self.spoken_s} and {self.said_s}")
        if self.n_joined < 0 or self.piece_chars < 1 or self.joined_chars < self.piece_chars:
            raise ValueError(
                "joining needs n_joined >= 0 and 1 <= piece_chars <= joined_chars, "
                f"got {self.n_joined}, {self.piece_chars}, {self.joined_chars}"
            )

    def fit(self, earlier: tuple[str, ...]) -> tuple[str, ...]:
        """Return the newest of the pieces (oldest first) that leave the present message a place in `joined_chars`."""
        n_chars, first = 0, len(earlier)
        while first and n_chars + len(earlier[first - 1]) < self.joined_chars:
            first -= 1
            n_chars += len(earlier[first])
        return earlier[first:]


class Said(msgspec.Struct, frozen=True, gc=False):
    """What was said like this in the room lately, the present message included.

    A msgspec struct, because one is made per message: 48 ns beside 553 ns of a frozen slotted dataclass.
    """

    repeat_60s: int = 1
    """Times this user said it, in `Windows.said_s`."""
    similar_uids_60s: int = 1
    """Users who said it, in `Windows.said_s`."""
    user_10s: int = 1
    """Messages of this user, whatever they say, in `Windows.spoken_s`; at most `MAX_SPOKEN`."""
    earlier: tuple[str, ...] = ()
    """Short messages of this user just before, as sent, oldest first: what the present one may be the end of (`Joined`)."""


FIRST = Said()
"""Nothing like it, and nothing else of this user."""


class Conversation(Protocol):
    """Counts messages by room and user. One thread at a time; called once per message, after the message alone was judged."""

    def observe(self, room_id: str, uid: str, key: str, text: str, now_s: float) -> Said:
        """Count one message.

        Args:
            room_id: rooms are counted apart.
            uid: who says it.
            key: the text without disguise, so that copies with other symbols count as one.
            text: as sent, a piece to be joined later; empty where it was not passed, so that it is not judged again.
            now_s: monotonic seconds; an earlier time than the last counts as the last.
        """
        ...

    def forget_earlier(self, room_id: str, uid: str) -> None:
        """Join nothing this user has said so far, because it was found once; the counts stay."""
        ...
