"""Settings of recognised speech: which recogniser, if any, and how much of the machine it may take."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from inference.speech.recogniser_address import RecogniserAddress
from inference.speech.recognisers import RecogniserOptions


class RecogniserSettings(BaseModel):
    """What is done with speech besides listening for terms."""

    model_config = ConfigDict(extra="forbid")

    transcriber: str | None = None
    """`ctc:NAME`, a live model of the store with the task `speech.ctc`, or `sherpa:FOLDER`, a model for sherpa-onnx; None: none."""
    language: str = Field("", pattern=r"^[a-z]{0,3}$")
    """Spoken language for SenseVoice and Whisper, e.g. `zh`; empty lets the recogniser tell."""
    at_once: int = Field(1, ge=1, le=64)
    """Stretches of speech that sherpa-onnx recognises at the same time, each on one thread."""

    @field_validator("transcriber")
    @classmethod
    def _names_a_recogniser(cls, value: str | None) -> str | None:
        if value is not None:
            RecogniserAddress.parse(value)
        return value

    @property
    def options(self) -> RecogniserOptions | None:
        """The same for the registry; None where no recogniser is named."""
        if self.transcriber is None:
            return None
        return RecogniserOptions(RecogniserAddress.parse(self.transcriber), language=self.language, n_at_once=self.at_once)
