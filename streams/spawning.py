"""How children that run FFmpeg are started: a fresh interpreter of the same code, one thread a library, nothing shared unasked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from streams.start import ONE_THREAD

_ROOT = Path(__file__).resolve().parents[1]


def spawn(module: str, arguments: Sequence[str], *, descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Run a module's `main`; never by a fork, which would inherit locks of threads that do not exist in it.

    Args:
        module: e.g. `streams.child`.
        arguments: what it finds in `sys.argv`.
        descriptors: open files that it inherits, under the same numbers.

    Raises:
        OSError: the machine has no room for a process.
    """
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-c", f"from {module} import main; main()", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=descriptors,
        env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(paths)},
        process_group=0,
    )
