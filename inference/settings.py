"""Settings of the inference floor, each with its default, its unit and its meaning.

Precedence: environment (`LIVEWARDEN_SECTION__FIELD`) over file (`livewarden.yaml`) over default. An unknown key or a value of the
wrong kind stops the start with the key, the value and the fix. `streams/settings.py` adds the sections of the streams floor.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from inference.errors import ConfigError
from inference.speech.recogniser_settings import RecogniserSettings
from inference.text.conversation_settings import ConversationSettings
from models.store import default_root

DEFAULT_LICENCES = ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause")
"""Licences a model may have without anybody being asked."""


_FILE: ContextVar[Path | None] = ContextVar("settings file", default=None)
"""The file that `InferenceSettings.load` is reading; a class of its own per file could not be handed to child processes."""


class Section(BaseModel):
    """A group of settings; unknown keys are refused so that a typing error is not a silent default."""

    model_config = ConfigDict(extra="forbid")


def default_data_dir() -> Path:
    """Where evidence, outbox, index and lists lie when nothing is set: the user's data folder."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "livewarden"


class DeviceSettings(Section):
    """Which share of which device runs the models."""

    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    """`auto` takes CUDA where the machine really has it, else the CPU; `cuda` that turns out to be the CPU is never ready."""
    index: int = Field(0, ge=0)
    """Which GPU, counted among those this process sees."""
    memory_mib: int | None = Field(None, gt=0)
    """Memory this worker may use, MiB, checked against the models' measured need; None: what the plugin or container allows."""
    compute_percent: int = Field(100, ge=1, le=100)
    """Share of a GPU's compute, handed to MPS where it runs."""
    threads: int | None = Field(None, ge=1, le=256)
    """Executor threads on a CPU; None: one per core. A GPU always has exactly one."""


class ModelSettings(Section):
    """Where models come from and which licences this deployment accepts."""

    dir: Path = Field(default_factory=default_root)
    """The model store."""
    mirror: Path | None = None
    """Folder that every zoo entry is taken from instead of the package index."""
    accept_licences: tuple[str, ...] = DEFAULT_LICENCES
    """SPDX names of the licences a pulled model may have; the porn detector's is AGPL-3.0-only, not among the defaults."""
    ocr_side_px: int = Field(640, ge=160, le=2560, multiple_of=32)
    """Longest side a frame is read at; 640 costs about 147 ms of one core, 960 about 283 ms."""


class ApiSettings(Section):
    """The HTTP front door."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    keys: tuple[SecretStr, ...] = ()
    """Accepted bearer keys; may be empty only while `host` is a loopback address."""
    max_in_flight: int = Field(512, ge=1)
    """Requests worked on at once; above, 429 with Retry-After."""


class TextSettings(Section):
    """How texts are checked: word lists besides the shipped base list, and whether the network is asked."""

    lists: tuple[Path, ...] = ()
    """Tenant lists (CSV or TXT), see `inference/README.md`."""
    allow: tuple[Path, ...] = ()
    """Allow-lists: a phrase a line; suppresses hits that overlap it."""
    classifier: bool = True
    """Ask the text network too; off, only lists and contact shapes speak."""
    conversation: ConversationSettings = Field(default_factory=ConversationSettings)
    """What is remembered of each room and user, and where replicas share it."""


class InferenceSettings(BaseSettings):
    """Everything the inference floor can be told."""

    # A file may hold the streams floor's sections too; `streams.settings.Settings` knows them all and refuses the rest.
    model_config = SettingsConfigDict(env_prefix="LIVEWARDEN_", env_nested_delimiter="__", extra="ignore", yaml_file=None)

    data_dir: Path = Field(default_factory=default_data_dir)
    """Outbox, index and evidence of the streams floor; one process's own."""
    shared_dir: Path | None = None
    """Imported word lists, enrolled logos, taught titles; None: `data_dir`. In a cluster a volume that all pods mount."""
    device: DeviceSettings = Field(default_factory=DeviceSettings)
    models: ModelSettings = Field(default_factory=ModelSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    speech: RecogniserSettings = Field(default_factory=RecogniserSettings)
    policies: tuple[Path, ...] = ()
    """Policy files of this deployment, beside the shipped `default` and `danmaku-default`."""

    @property
    def shared(self) -> Path:
        """Folder of what staff import, enrol and teach."""
        return self.data_dir if self.shared_dir is None else self.shared_dir

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, file, default."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, yaml_file=_FILE.get())

    @classmethod
    def load(cls, path: Path | None = None, **overrides: Any) -> Self:
        """Read the settings from a file, the environment and the caller's overrides.

        Raises:
            ConfigError: the file cannot be read, or a key or value is wrong; every wrong one is named.
        """
        if path is not None and not path.is_file():
            raise ConfigError(f"settings file {path} does not exist; create it or leave out -c")
        token = _FILE.set(path)
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise ConfigError(_explain(error, path)) from None
        except yaml.YAMLError as error:
            raise ConfigError(f"settings file {path} is not YAML: {error}") from None
        finally:
            _FILE.reset(token)


def _explain(error: ValidationError, path: Path | None) -> str:
    where = f"settings ({path} and LIVEWARDEN_* variables)" if path else "settings (LIVEWARDEN_* variables)"
    problems = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        shown = "***" if {"keys", "redis_url"} & set(problem["loc"]) else repr(problem.get("input"))
        problems.append(f"{key}={shown}: {problem['msg'].lower()}")
    return f"{where}: " + "; ".join(problems)
