"""Where the `livewarden` command begins: libraries are told to keep to one thread each, before any of them is loaded.

Parallelism is ours: rooms and models share the cores through lanes and threads of this product's own. A matrix library that splits
a product of forty rows among all cores makes it fifteen times slower (97 ms instead of 6 for the crops of one look).
"""

from __future__ import annotations

import os

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Read by the libraries when they are loaded, here and in every process started from here; what the user has set stays."""


def main() -> None:
    """Run the command line."""
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    from streams.cli import main as run

    run()


if __name__ == "__main__":
    main()
