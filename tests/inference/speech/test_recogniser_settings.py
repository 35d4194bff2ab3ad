from __future__ import annotations

import re
from pathlib import Path

import pytest

from inference.errors import ConfigError
from inference.settings import InferenceSettings
from inference.speech.recogniser_address import RecogniserAddress, RecogniserKind


def loaded(folder: Path, text: str) -> InferenceSettings:
    path = folder / "livewarden.yaml"
    path.write_text(text)
    return InferenceSettings.load(path)


def test_nothing_is_written_down_unless_a_recogniser_is_named(tmp_path: Path):
    assert loaded(tmp_path, "{}").speech.options is None


def test_the_line_of_the_settings_names_a_recogniser(tmp_path: Path):
    options = loaded(tmp_path, "speech: {transcriber: 'sherpa:/models/sense-voice', language: zh, at_once: 2}").speech.options

    assert options is not None
    assert (options.address.kind, options.address.folder) == (RecogniserKind.SHERPA, Path("/models/sense-voice"))
    assert (options.language, options.n_at_once) == ("zh", 2)


def test_the_environment_names_one_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LIVEWARDEN_SPEECH__TRANSCRIBER", "ctc:my-recogniser")

    options = InferenceSettings.load().speech.options

    assert options is not None
    assert str(options.address) == "ctc:my-recogniser"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("transcriber: sense-voice", r"speech.transcriber='sense-voice': .*names no recogniser; write ctc:name, a live model"),
        ("transcriber: 'whisper:/models'", "'whisper:/models' names no recogniser"),
        ("transcriber: 'sherpa:'", "'sherpa:' names no recogniser"),
        ("transcriber: 'ctc:My Model'", "'my model' in 'ctc:my model' is no model's name"),
        ("at_once: 0", "speech.at_once=0: .*greater than or equal to 1"),
        ("language: chinese", "speech.language='chinese'"),
        ("recogniser: x", "speech.recogniser"),
    ],
)
def test_a_line_that_makes_no_sense_stops_the_start_with_the_value_and_the_fix(tmp_path: Path, line, complaint):
    with pytest.raises(ConfigError, match=complaint):
        loaded(tmp_path, f"speech: {{{line}}}")


def test_a_folder_may_begin_at_home():
    assert RecogniserAddress.parse("sherpa:~/models/x").folder == Path.home() / "models" / "x"


def test_the_lines_of_the_readme_are_settings(tmp_path: Path):
    readme = (Path(__file__).resolve().parents[3] / "inference" / "README.md").read_text("utf-8")
    (lines,) = [block for block in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL) if block.startswith("speech:")]

    options = loaded(tmp_path, lines).speech.options

    assert options is not None
    assert options.address.kind is RecogniserKind.SHERPA
    assert (options.language, options.n_at_once) == ("zh", 2)
