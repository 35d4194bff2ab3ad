"""Settings of the conversation counters: how far back is looked, what is joined, and where the counts are shared."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from inference.text.behaviour import SpamThresholds
from inference.text.conversation import Windows


class ConversationSettings(BaseModel):
    """What is remembered of each room and user, and for how long."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    said_s: float = Field(60.0, gt=0, le=3600)
    """Window of repeats and of users who say the same, seconds."""
    spoken_s: float = Field(10.0, gt=0, le=600)
    """Window of one user's messages and of the pieces that are joined, seconds; at most `said_s`."""
    joined_messages: int = Field(4, ge=0, le=16)
    """Earlier messages that a message may be joined to; 0 joins none."""
    piece_chars: int = Field(12, ge=1, le=64)
    """A longer message is no piece of something and is looked at alone."""
    joined_chars: int = Field(64, ge=1, le=256)
    """Code points of all that is joined."""
    max_kept: int = Field(200_000, ge=1)
    """Messages one process remembers; the oldest is forgotten first and counted."""
    repeat: int = Field(6, ge=2)
    """Times one user says the same in `said_s`: a finding of spam.repeat from here on."""
    flood: int = Field(10, ge=2, le=64)
    """Messages of one user in `spoken_s`: a finding of spam.flood from here on."""
    swarm: int = Field(20, ge=2)
    """Users who say the same in `said_s`: a finding of spam.flood from here on, where the text is no cheer."""
    swarm_letters: int = Field(12, ge=4)
    """Letters and digits from which the same text from many is a template."""
    redis_url: SecretStr | None = None
    """Redis 6 or later, `redis://`, `rediss://` or `unix://`: all replicas count together. None: each process counts alone."""
    redis_timeout_s: float = Field(0.020, gt=0, le=1)
    """A message waits so long for Redis, then this process's own counters answer, seconds."""
    redis_prefix: str = Field("livewarden", pattern=r"^[A-Za-z0-9_.:-]{1,64}$")
    """How every key begins; deployments on one server that do not share their rooms have different ones."""

    # field by field: the error of a whole section would show its input, the address with its password
    @field_validator("spoken_s")
    @classmethod
    def _within_said(cls, spoken_s: float, info: ValidationInfo) -> float:
        if spoken_s > info.data.get("said_s", spoken_s):
            raise ValueError(f"must be at most said_s, {info.data['said_s']:g}")
        return spoken_s

    @field_validator("joined_chars")
    @classmethod
    def _holds_a_piece(cls, joined_chars: int, info: ValidationInfo) -> int:
        if joined_chars < info.data.get("piece_chars", joined_chars):
            raise ValueError(f"must be at least piece_chars, {info.data['piece_chars']}")
        return joined_chars

    def windows(self) -> Windows:
        """Return how far back is looked."""
        return Windows(
            said_s=self.said_s,
            spoken_s=self.spoken_s,
            n_joined=self.joined_messages,
            piece_chars=self.piece_chars,
            joined_chars=self.joined_chars,
        )

    def thresholds(self) -> SpamThresholds:
        """Return from where on it is a finding."""
        return SpamThresholds(repeat=self.repeat, flood=self.flood, swarm=self.swarm, swarm_letters=self.swarm_letters)
