"""Made-up speech for the tests: tones for voices, and a bank of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from models.speech_bank import Bank, Kind, write_bank
from models.speech_sources import Part, Recording
from models.speech_texts import Readings, Word

WORDS = (
    Word("你好", ("ni", "hao")),
    Word("微信", ("wei", "xin")),
    Word("你", ("ni",)),
    Word("信", ("xin",)),
    Word("大家", ("da", "jia")),
)
READINGS = Readings(WORDS, ("ba", "ni", "lv"))


def tone(hz: float, seconds: float, *, level: float = 0.3) -> np.ndarray:
    """Return a tone with overtones, as a voice has, under a little hiss."""
    at = np.arange(int(seconds * 16_000)) / 16_000
    voice = sum(np.sin(2 * np.pi * hz * n * at) / n for n in range(1, 9))
    hiss = np.random.default_rng(int(hz)).normal(0, 1e-3, len(at))
    return (level * (voice / 2 + hiss)).astype(np.float32)


def recordings() -> list[tuple[Kind, Recording]]:
    """Return a few clips of every kind."""
    words = [(Kind.WORDS, Recording(tone(150 + 40 * n, 0.6), w.text, w.syllables, "w", Part.TRAIN)) for n, w in enumerate(WORDS)]
    syllables = [
        (kind, Recording(tone(200 + 30 * n, 0.4), f"{one}1", (one,), kind, Part.TRAIN))
        for kind in (Kind.SYLLABLES_A, Kind.SYLLABLES_B)
        for n, one in enumerate(READINGS.syllables)
    ]
    made = [(Kind.SYNTHETIC, Recording(tone(120, 1.2), "", ("ni", "hao", "da", "jia"), "s", Part.TRAIN))]
    return [*words, *syllables, *made, (Kind.NOISE, Recording(tone(80, 1.0), "", (), "n", Part.TRAIN))]


def small_bank(folder: Path) -> Bank:
    """Write and open a bank of them."""
    write_bank(folder, recordings())
    return Bank.open(folder)


def write_pack(folder: Path, waves: list[np.ndarray], rows: list[str]) -> None:
    """Write a pack of clips, a second apart from each other's start, and its table."""
    (folder / "words_zh").mkdir()
    pack = np.zeros(16_000 * len(waves), np.float32)
    for place, wave in enumerate(waves):
        pack[16_000 * place : 16_000 * place + len(wave)] = wave
    pcm = (pack * 32767).astype("<i2").tobytes()
    target = folder / "words_zh" / "words_00.opus"
    command = ["ffmpeg", "-v", "error", "-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "-", "-c:a", "libopus", str(target)]
    subprocess.run(command, input=pcm, check=True)
    table = ["file,start_s,end_s,text,phones", *(f"words_00.opus,{place},{place + 0.7},{row}" for place, row in enumerate(rows))]
    (folder / "words_zh" / "words.csv").write_text("\n".join(table), "utf-8")
