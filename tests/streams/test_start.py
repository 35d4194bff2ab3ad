"""Where the command begins."""

from __future__ import annotations

import os
import subprocess
import sys

SHOW = """
import os, streams.cli, streams.start as start
streams.cli.main = lambda: print({name: os.environ.get(name) for name in start.ONE_THREAD})
start.main()
"""


def environment(**given: str) -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}, **given}


def started(**given: str) -> str:
    return subprocess.run([sys.executable, "-c", SHOW], env=environment(**given), check=True, capture_output=True, text=True).stdout


def test_libraries_keep_to_one_thread() -> None:
    assert started().strip() == str({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})


def test_what_the_user_set_stays() -> None:
    assert "'OMP_NUM_THREADS': '3'" in started(OMP_NUM_THREADS="3")


def test_nothing_heavy_is_loaded_before() -> None:
    script = "import sys, streams.start; print([name for name in ('numpy', 'cv2', 'onnxruntime') if name in sys.modules])"

    told = subprocess.run([sys.executable, "-c", script], env=environment(), check=True, capture_output=True, text=True).stdout

    assert told.strip() == "[]"
