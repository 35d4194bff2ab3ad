"""`livewarden doctor`: what this machine can do, and the fix for what is missing. Looks only; changes nothing."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from inference.devices import DeviceShare
from inference.errors import LivewardenError
from inference.policy_book import PolicyBook
from inference.sessions import detect_providers
from models.errors import ModelsError
from models.store import ModelStore
from models.taxonomy import Taxonomy
from models.zoo import Zoo
from streams.settings import Settings

MIN_FREE_BYTES = 2 * 1024**3
CODECS = ("h264", "hevc", "vp9", "av1", "aac", "opus")
BROKER_WAIT_S = 3.0
_ASK_CODECS = "import av, json, sys; print(json.dumps([name for name in sys.argv[1:] if name in av.codecs_available]))"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    """What to do; empty where nothing is wrong."""
    needed: bool = True
    """Whether rooms can be watched without it."""


def run_doctor(settings: Settings, *, as_json: bool) -> int:
    """Examine this machine; returns 0 when rooms can be watched here, 1 when not."""
    found = [_safely(check, settings) for check in _CHECKS]
    can_watch = all(one.ok for one in found if one.needed)
    if as_json:
        sys.stdout.write(json.dumps({"can_watch": can_watch, "checks": [asdict(one) for one in found]}, ensure_ascii=False) + "\n")
        return 0 if can_watch else 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "check", "found", "fix"):
        table.add_column(name, no_wrap=name in {"", "check"})
    for one in found:
        mark = "[green]✓[/green]" if one.ok else "[red]✗[/red]" if one.needed else "[yellow]–[/yellow]"
        table.add_row(mark, one.name, one.detail, one.fix)
    Console().print(table)
    return 0 if can_watch else 1


def _safely(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    name = check.__name__.removeprefix("_")
    try:
        return check(settings)
    except (LivewardenError, ModelsError, OSError, subprocess.SubprocessError) as error:
        return Finding(name, False, str(error), "see the message")


def _machine(_: Settings) -> Finding:
    n_cpus = len(os.sched_getaffinity(0))
    return Finding("machine", True, f"Python {platform.python_version()}, {platform.machine()}, {n_cpus} cores")


def _device(settings: Settings) -> Finding:
    given = settings.device
    memory = None if given.memory_mib is None else given.memory_mib * 2**20
    share = DeviceShare.auto(
        given.provider,
        index=given.index,
        memory_bytes=memory,
        compute_percent=given.compute_percent,
        n_threads=given.threads,
    )
    providers = ", ".join(detect_providers())
    return Finding("device", True, f"{share.name}, {share.memory_bytes / 2**30:.1f} GiB, {share.n_threads} threads; {providers}")


def _models(settings: Settings) -> Finding:
    missing = Zoo.load().missing(ModelStore(settings.models.dir))
    if not missing:
        return Finding("models", True, f"all public models are in {settings.models.dir}")
    fix = f"livewarden models pull {' '.join(missing)}"
    licences = {Zoo.load()[name].licence.spdx for name in missing} - set(settings.models.accept_licences)
    accept = "".join(f" --accept {spdx}" for spdx in sorted(licences))
    can_see = not {"nudenet-320n", "ppocr-det"} <= set(missing)
    return Finding("models", False, f"not in {settings.models.dir}: {', '.join(missing)}", fix + accept, needed=not can_see)


def _policies(settings: Settings) -> Finding:
    book = PolicyBook.load(settings.policies, taxonomy=Taxonomy.load())
    return Finding("policies", True, ", ".join(f"{policy.id}@{policy.version}" for policy in book))


def _decoders(_: Settings) -> Finding:
    # Asked in a process of its own: FFmpeg is never loaded beside the models.
    answer = subprocess.run([sys.executable, "-c", _ASK_CODECS, *CODECS], capture_output=True, text=True, timeout=30, check=True)
    there = json.loads(answer.stdout)
    lacking = [name for name in ("h264", "aac") if name not in there]
    return Finding("decoders", not lacking, ", ".join(there), "reinstall av from a wheel" if lacking else "")


def _disk(settings: Settings) -> Finding:
    place = settings.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    writable = os.access(place, os.W_OK)
    ok = writable and free > MIN_FREE_BYTES
    detail = f"{settings.data_dir}: {free / 2**30:.1f} GiB free" + ("" if writable else ", not writable")
    return Finding("disk", ok, detail, "" if ok else "set data_dir to a folder that can be written, with 2 GiB free")


def _port(settings: Settings) -> Finding:
    place = f"{settings.api.host}:{settings.api.port}"
    family = socket.AF_INET6 if ":" in settings.api.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.api.host, settings.api.port))
        except OSError as error:
            return Finding("port", False, f"{place}: {error.strerror}", "set api.port, or stop what listens there", needed=False)
    return Finding("port", True, f"{place} is free")


def _kafka(settings: Settings) -> Finding:
    servers = settings.kafka.bootstrap_servers
    if not servers:
        return Finding("kafka", True, "not configured: alerts stay in the outbox and are shown by API and console", needed=False)
    reached = [server for server in servers if _reaches(server)]
    fix = "" if reached else "check kafka.bootstrap_servers and the network; found violations wait in the outbox"
    return Finding("kafka", bool(reached), f"{len(reached)} of {len(servers)} servers reached", fix, needed=False)


def _reaches(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=BROKER_WAIT_S):
            return True
    except (OSError, ValueError):
        return False


def _evidence(settings: Settings) -> Finding:
    uri = settings.evidence_uri
    is_remote = "://" in uri and not uri.startswith("file://")
    return Finding("evidence", True, f"object store {uri.partition('://')[0]}" if is_remote else str(Path(uri)))


_CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    _machine,
    _device,
    _models,
    _policies,
    _decoders,
    _disk,
    _evidence,
    _kafka,
    _port,
)
