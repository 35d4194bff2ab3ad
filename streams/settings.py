"""Settings of the whole product: the inference floor's sections and those of rooms, decoding, evidence, alerts and Kafka."""

from __future__ import annotations

import socket
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from inference.settings import InferenceSettings, Section
from streams.urls import UrlPolicy


class RoomSettings(Section):
    """Which sources may be opened, and how many rooms one machine takes."""

    max_rooms: int = Field(2000, ge=1)
    """Rooms this worker accepts; one more is refused with 503."""
    allowed_hosts: tuple[str, ...] = ("*",)
    """Host patterns that a room's source may name, e.g. `*.live.example.com`."""
    allow_private: bool = False
    """Whether sources on private and loopback addresses may be opened; link-local and cloud-metadata addresses never are."""
    shutdown_s: float = Field(10.0, gt=0)
    """How long a stopping worker may take to finish what it holds, seconds."""


class DecoderSettings(Section):
    """The decoder children."""

    rooms_per_decoder: int = Field(32, ge=1, le=100)
    """Rooms in one child process; above about 100 the interpreter's lock makes samples late (measured)."""
    slab_mib: int = Field(96, ge=8)
    """Shared memory of one child for frames on their way, MiB; a 720p frame takes 1.4."""
    open_timeout_s: float = Field(8.0, gt=0)
    read_timeout_s: float = Field(8.0, gt=0)


class EvidenceSettings(Section):
    """Where pictures and clips of what was found are kept."""

    uri: str | None = None
    """Folder or fsspec address (`s3://bucket/prefix`); None: `evidence` in the data folder."""
    max_age_days: float = Field(30.0, gt=0)
    max_gib: float = Field(20.0, gt=0)
    """The oldest go first when the local folder grows beyond this."""


class KafkaSettings(Section):
    """The broker; without `bootstrap_servers` nothing is published and alerts stay in the outbox."""

    bootstrap_servers: tuple[str, ...] = ()
    """`host:port` addresses."""
    client_id: str = "livewarden"
    group_id: str = "livewarden-workers"
    """Consumer group that shares the rooms topic among workers."""
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    create_topics: bool = True
    """Whether missing topics are created, with `partitions` and `replication`."""
    partitions: int = Field(12, ge=1)
    replication: int = Field(1, ge=1)
    row_deadline_s: float = Field(15.0, gt=0)
    """An alert not acknowledged for this long makes the publisher rebuild its producer and send again."""


class Settings(InferenceSettings):
    """Everything a Livewarden process can be told."""

    model_config = SettingsConfigDict(extra="forbid")

    worker_id: str = Field(default_factory=socket.gethostname, min_length=1, max_length=200)
    """Name of this worker in lifecycle events."""
    advertise_url: str | None = None
    """Address at which the API role reaches this worker for pushed media, e.g. `http://10.0.3.7:8080`."""
    rooms: RoomSettings = Field(default_factory=RoomSettings)
    decoders: DecoderSettings = Field(default_factory=DecoderSettings)
    evidence: EvidenceSettings = Field(default_factory=EvidenceSettings)
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    index_url: str | None = None
    """SQLAlchemy address of the violation index; None: a SQLite file in the data folder."""

    @property
    def url_policy(self) -> UrlPolicy:
        """Which sources may be opened."""
        return UrlPolicy(self.rooms.allowed_hosts, allow_private=self.rooms.allow_private)

    @property
    def evidence_uri(self) -> str:
        """Where evidence goes, as set or by default."""
        return self.evidence.uri or str(self.data_dir / "evidence")

    @property
    def index_address(self) -> str:
        """SQLAlchemy address of the violation index, as set or by default."""
        return self.index_url or f"sqlite:///{self.data_dir / 'index.db'}"
