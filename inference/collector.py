"""Python's garbage collector, told that what was loaded at the start stays."""

from __future__ import annotations

import gc


def settle() -> None:
    """Take everything that exists now out of the collector's rounds; called once, when a process is ready to serve.

    Word lists, tables and models are a million objects that never go; a full round over them held up every request for 50 ms
    (benchmarks/bench_text_http.py).
    """
    gc.collect()
    gc.freeze()
