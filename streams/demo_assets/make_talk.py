"""Speak what the demo's talking room says; run once with espeak-ng and ffmpeg, the sound is kept.

    python streams/demo_assets/make_talk.py

A synthetic voice says ordinary things and two terms of the shipped list. It is fed with numbered pinyin: espeak-ng's own reading
of characters picks wrong ones for many. The sound is shipped because a fresh machine has no synthesiser; it holds nobody's voice.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

VOICE = "cmn-latn-pinyin+f2"
WORDS_PER_MINUTE = 172
BITS_PER_S = 24_000
LENGTH_S = 10
"""The scene's length: the sound is filled with silence up to it."""

SAID = (
    ("大家好，欢迎来到直播间", "da4 jia1 hao3, huan1 ying2 lai2 dao4 zhi2 bo1 jian1."),
    ("喜欢的朋友加微信", "xi3 huan1 de5 peng2 you3, jia1 wei1 xin4."),
    ("六合彩注册就送", "liu4 he2 cai3, zhu4 ce4 jiu4 song4."),
    ("我们开始下一局", "wo3 men5 kai1 shi3 xia4 yi1 ju2."),
)
"""What is said, and how: 加微信 and 六合彩 are terms of the shipped list."""


def main() -> None:
    """Write `talk.ogg` beside this file."""
    target = Path(__file__).with_name("talk.ogg")
    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder) / "talk.wav"
        text = " ".join(pinyin for _, pinyin in SAID)
        subprocess.run(["espeak-ng", "-v", VOICE, "-s", str(WORDS_PER_MINUTE), "-w", str(spoken), text], check=True)
        shaped = f"adelay=300,apad=whole_dur={LENGTH_S},atrim=end={LENGTH_S}"
        codec = ["-c:a", "libopus", "-b:a", str(BITS_PER_S), "-application", "voip"]
        made = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", str(target)]
        subprocess.run(["ffmpeg", "-y", "-v", "error", "-i", str(spoken), "-af", shaped, "-ac", "1", *codec, *made], check=True)


if __name__ == "__main__":
    main()
