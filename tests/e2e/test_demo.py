"""The first thing a new user runs: the demo finds everything it planted and ends by itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(240)]


def test_the_demo_finds_all_that_it_planted(model_folder):
    command = [sys.executable, "-m", "streams.start", "demo", "--seconds", "45", "--port", "0"]
    environment = {**os.environ, "LIVEWARDEN_MODELS__DIR": str(model_folder), "COLUMNS": "160"}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "✗" not in done.stdout
    for room_id in ("advert", "qrcode", "pushed", "chat", "breaks", "talking", "watermark", "banned", "clean", "garbage"):
        assert f"✓ {room_id}: " in done.stdout
