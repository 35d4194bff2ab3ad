"""Ten thousand logos and titles enrolled and removed while rooms are watched: what grows, and what is dropped.

`livewarden up` watches rooms of the demo's platform; every round enrols one of 40 pictures under one of 100 names and removes it,
one round in twenty over HTTP. A stretch of 20 s without rounds before and after says what the rooms alone do. Printed after every
tenth: memory and open files of the whole process tree, what lies on disk, samples scored and dropped.

    python -m benchmarks.bench_enrolment --what logos gallery --rounds 10000
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import httpx
import msgspec

from benchmarks.bench_decode import tree
from benchmarks.bench_rooms import rss_mib
from benchmarks.report import machine_line
from inference.enrolment import EnrolmentStore
from inference.vision.gallery_book import gallery_store
from inference.vision.logo_book import logo_store
from models.image_titles import Title
from models.store import default_root
from tests.e2e.processes import Up, broadcasting
from tests.inference.vision.marks_maker import mark_png

E = TypeVar("E", bound=msgspec.Struct)
N_PICTURES, N_NAMES, N_PARTS = 40, 100, 10
SETTLE_S, READY_S = 20.0, 300.0
PNG = {"Content-Type": "image/png"}
HTTP_EVERY = 20
"""One round in so many goes over HTTP, with all that examining does; the others put the same files in force as the desk does at its
end, since 10,000 lessons would take hours."""
Round = Callable[[httpx.Client, int], None]


@dataclass(frozen=True, slots=True)
class Held:
    """What a running system holds at one moment."""

    at_s: float
    rss_mib: float
    n_files: int
    """Open file descriptors of the tree."""
    n_on_disk: int
    scored: float
    dropped: float

    def row(self, name: str) -> str:
        """A line of the table."""
        figures = f"{self.rss_mib:.0f} | {self.n_files} | {self.n_on_disk} | {self.scored:.0f} | {self.dropped:.0f}"
        return f"| {name} | {self.at_s:.0f} | {figures} |"


def held(up: Up, folder: Path, began_s: float) -> Held:
    pids = tree(up.server_pid())
    n_files = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
    n_on_disk = sum(1 for name in ("logos", "gallery") for _ in (folder / "data" / name).rglob("*"))
    lines = up.http.get("/metrics").text.splitlines()
    scored, dropped = (
        sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"livewarden_samples_{name}_total"))
        for name in ("scored", "dropped")
    )
    return Held(time.monotonic() - began_s, rss_mib(pids), n_files, n_on_disk, scored, dropped)


def logo_rounds(data: Path) -> Round:
    marks = [mark_png(seed) for seed in range(N_PICTURES)]

    def send(http: httpx.Client, path: str, n: int) -> None:
        http.put(path, params={"force": "true"}, content=marks[n % N_PICTURES], headers=PNG).raise_for_status()

    return rounds("/v1/logos", send, logo_store(data))


def gallery_rounds(data: Path) -> Round:
    pictures = [cv2.imencode(".png", Title.of(seed).level(0))[1].tobytes() for seed in range(N_PICTURES)]

    def send(http: httpx.Client, path: str, n: int) -> None:
        asked = {"label": "custom.image", "exact": "true" if n % 40 else "false"}
        http.post(path, params=asked, content=pictures[n % N_PICTURES], headers=PNG).raise_for_status()

    return rounds("/v1/gallery", send, gallery_store(data))


def rounds(route: str, send: Callable[[httpx.Client, str, int], None], store: EnrolmentStore[E]) -> Round:
    """Make rounds of one kind: enrol, remove."""
    lately: list[tuple[E, dict[str, bytes]]] = []

    def once(http: httpx.Client, n: int) -> None:
        name = f"churn-{n % N_NAMES}"
        if n % HTTP_EVERY == 0:
            send(http, f"{route}/{name}", n // HTTP_EVERY)
            live = store.find(name)
            files = {one.name: one.read_bytes() for one in live.folder.iterdir() if one.name != "entry.json"}
            lately[:] = [*lately[-9:], (live.entry, files)]
            http.delete(f"{route}/{name}").raise_for_status()
        else:
            store.publish(name, *lately[n % len(lately)])
            store.remove(name)

    return once


def measure(what: str, n_rounds: int, n_rooms: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-enrolment-") as name, broadcasting() as platform:
        folder = Path(name)
        once = {"logos": logo_rounds, "gallery": gallery_rounds}[what](folder / "data")
        with contextlib.closing(Up(folder, default_root(), kafka={})) as up:
            up.start()
            up.wait_ready(within_s=READY_S)
            for room in range(n_rooms):
                up.watch(f"room-{room}", platform.url("clean.flv"))
            # One of each stays, so that the detectors look all the time.
            up.http.put("/v1/logos/stays", content=mark_png(999), headers=PNG).raise_for_status()
            picture = cv2.imencode(".png", Title.of(999).level(0))[1].tobytes()
            up.http.post("/v1/gallery/stays", params={"label": "custom.image"}, content=picture, headers=PNG).raise_for_status()
            time.sleep(SETTLE_S)
            began_s = time.monotonic()
            print(f"\n### {what}, {n_rooms} rooms\n\n| rounds | s | RSS, MiB | open files | files on disk | scored | dropped |")
            print(f"|---|---|---|---|---|---|---|\n{held(up, folder, began_s).row('before')}", flush=True)
            time.sleep(SETTLE_S)
            print(held(up, folder, began_s).row("none, rooms alone"), flush=True)
            for part in range(N_PARTS):
                for n in range(part * n_rounds // N_PARTS, (part + 1) * n_rounds // N_PARTS):
                    once(up.http, n)
                print(held(up, folder, began_s).row(f"{(part + 1) * n_rounds // N_PARTS:,}"), flush=True)
            time.sleep(SETTLE_S)
            print(held(up, folder, began_s).row("after, rooms alone"), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", nargs="+", choices=["logos", "gallery"], default=["logos", "gallery"])
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--rooms", type=int, default=2)
    asked = parser.parse_args()
    print(machine_line("onnxruntime-gpu"))
    for what in asked.what:
        measure(what, asked.rounds, asked.rooms)


if __name__ == "__main__":
    main()
