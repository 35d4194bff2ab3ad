"""What every benchmark shares: the machine in one line, interleaved rounds, medians, and a table with ratios.

Contenders take turns within each round, so that a noisy neighbour hits them alike; compare ratios of one run, never runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Contender:
    """One thing that is measured."""

    name: str
    run: Callable[[], float]
    """Does one round and returns its figure."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one contender reached over all rounds."""

    name: str
    median: float
    low: float
    high: float
    ratio: float
    """Median over the rounds of its figure by the baseline's figure of the same round."""


@dataclass(frozen=True, slots=True)
class Report:
    """Answer to one question."""

    question: str
    unit: str
    rows: tuple[Measured, ...]
    """The baseline first."""

    def table(self) -> str:
        """Markdown: one row per contender, its ratio to the first."""
        lines = [f"### {self.question}", "", f"| contender | median {self.unit} | low | high | ratio |", "|---|---|---|---|---|"]
        lines += [f"| {row.name} | {row.median:.4g} | {row.low:.4g} | {row.high:.4g} | {row.ratio:.3f} |" for row in self.rows]
        return "\n".join(lines)


def compare(question: str, unit: str, contenders: Sequence[Contender], *, n_rounds: int = 5) -> Report:
    """Run every contender once per round, in turns; the first is the baseline. The order turns round from round to round."""
    figures: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for n in range(n_rounds):
        for contender in contenders if n % 2 == 0 else reversed(contenders):
            figures[contender.name].append(contender.run())
    base = figures[contenders[0].name]
    rows = [
        Measured(name, statistics.median(got), min(got), max(got), statistics.median(a / b for a, b in zip(got, base, strict=True)))
        for name, got in figures.items()
    ]
    return Report(question, unit, tuple(rows))


def machine_line(*packages: str) -> str:
    """Describe this machine: processor, cores this process may use, Python, versions of the packages that matter."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    parts = [
        model,
        f"{len(os.sched_getaffinity(0))} cores",
        f"load {os.getloadavg()[0]:.1f}",
        f"Python {platform.python_version()}",
    ]
    for package in packages:
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"{package} absent")
    return ", ".join(parts)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has: `--json` and `--rounds`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per question (default 5)")
    return parser


def publish(reports: Sequence[Report], *, packages: Sequence[str] = (), as_json: bool = False) -> None:
    """Print the machine and the answers, as Markdown or as JSON."""
    machine = machine_line(*packages)
    if as_json:
        json.dump({"machine": machine, "reports": [asdict(report) for report in reports]}, sys.stdout, indent=2)
        print()
        return
    print(machine)
    for report in reports:
        print(f"\n{report.table()}")
