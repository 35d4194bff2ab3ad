"""Spoken terms as a user meets them: `scan` on a recording, `lexicon try` on sound, with the models that ship."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import require

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(240)]

LEAD_S = 3.0
SAID = "jin1 tian1 tian1 qi4 hen3 hao3, xi3 huan1 de5 peng2 you3 jia1 wei1 xin4, wo3 men5 kai1 shi3."
CLEAN = "jin1 tian1 tian1 qi4 hen3 hao3, wo3 men5 yi1 qi3 chi1 fan4, ran2 hou4 hui2 jia1."


def spoken(pinyin: str, path: Path, *, voice: str = "f2") -> Path:
    """Say numbered pinyin into a WAV file, by a voice that training never heard, after three seconds of silence."""
    program = shutil.which("espeak-ng")
    require(program is not None, "espeak-ng is not installed", promised=False)
    raw = path.with_suffix(".raw.wav")
    command = [str(program), "-v", f"cmn-latn-pinyin+{voice}", "-s", "160", "-w", str(raw), pinyin]
    subprocess.run(command, check=True, timeout=30, capture_output=True)
    with wave.open(str(raw)) as file:
        rate_hz, frames = file.getframerate(), file.readframes(file.getnframes())
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(bytes(2 * round(LEAD_S * rate_hz)) + frames)
    return path


def livewarden(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams.start", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150, check=False)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> str:
    folder = tmp_path_factory.mktemp("speech")
    path = folder / "livewarden.yaml"
    path.write_text(json.dumps({"data_dir": str(folder / "data"), "models": {"dir": str(model_folder)}}))
    return str(path)


def scanned(config: str, path: Path) -> list[dict[str, Any]]:
    done = livewarden("scan", "--json", "--detectors", "vad,spotting", "-c", config, str(path))
    assert done.returncode in {0, 1}, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_spoken_term_is_one_violation_with_its_clip(config: str, tmp_path: Path):
    events = scanned(config, spoken(SAID, tmp_path / "said.wav"))

    opened = [one for one in events if one["kind"] == "opened"]
    assert [one["label"] for one in opened] == ["ads.contact"]
    (violation,) = opened
    assert (violation["decision"], violation["modality"], violation["detector"]["name"]) == ("review", "audio", "spotting")
    assert violation["temporal"]["first_seen_s"] > LEAD_S + 1.0
    assert "加微信" in violation["reason"]["zh"]
    (audio,) = violation["evidence"]["audio"]
    (span,) = audio["spans"]
    assert audio["transcript"][span[0] : span[1]] == "jia wei xin"
    stored = Path(audio["uri"].removeprefix("file://"))
    with wave.open(str(stored)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(audio["end_s"] - audio["start_s"], abs=0.01)


def test_ordinary_talk_is_no_violation(config: str, tmp_path: Path):
    assert scanned(config, spoken(CLEAN, tmp_path / "clean.wav")) == []


def test_a_term_on_no_list_is_tried_on_sound(config: str, tmp_path: Path):
    path = spoken(SAID, tmp_path / "said.wav")

    done = livewarden("lexicon", "try", "喜欢的朋友", "买卖黄金", "--audio", str(path), "--json", "-c", config)

    said, unsaid = (json.loads(line) for line in done.stdout.splitlines())
    assert (said["heard"], unsaid["heard"]) == (True, False)
    assert said["places"][0]["start_s"] > LEAD_S + 1.0
    assert said["places"][0]["units"] == "xi huan de peng you"
    assert done.returncode == 1
