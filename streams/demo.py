"""`livewarden demo`: rooms made on the spot are watched for real, with everything embedded, and what is planted must be found.

The demo's own live platform (`streams/demo_broadcast.py`) runs in a process of its own; its rooms are pulled over HTTP-FLV and HLS,
one more is pushed, and one has a danmaku feed. Everything goes through the HTTP API, as a platform would do it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import httpx
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from inference.errors import ConfigError
from models.errors import ModelsError
from models.store import ModelStore
from models.zoo import Zoo
from streams import demo_broadcast, demo_scenes
from streams.demo_plan import CHAT, CLEAN, PLANTED, TITLES, enrol, sources
from streams.rooms_cli import rooms_table
from streams.serve import Role, running
from streams.settings import Settings

AGPL = "AGPL-3.0-only"
REFRESH_S = 1.0
PLAIN_REFRESH_S = 5.0
"""Between two lines where the output is no terminal, seconds."""
PUSH_EVERY_S = 1.0
CHAT_EVERY_S = 0.7


def run_demo(settings: Settings, *, seconds: float | None, port: int) -> int:
    """Run the demo.

    Args:
        settings: models and device are taken from them; everything else is the demo's own.
        seconds: end by itself after this long; None: until Ctrl-C.
        port: of the console; 0 takes a free one.

    Returns:
        0 when everything planted was found (or the user ended it), else 1.
    """
    console = Console()
    accepted = (*settings.models.accept_licences, AGPL)
    models = settings.models.model_copy(update={"accept_licences": accepted})
    pull_models(models.dir, accepted, models.mirror, console)
    with tempfile.TemporaryDirectory(prefix="livewarden-demo-") as folder:
        own = Settings.load(
            data_dir=Path(folder),
            models=models.model_dump(),
            device=settings.device.model_dump(),
            api={"host": "127.0.0.1", "port": port},
            rooms={"allow_private": True, "shutdown_s": 3.0},
            kafka={"bootstrap_servers": ()},
        )
        with contextlib.suppress(KeyboardInterrupt):
            return asyncio.run(_Demo(own, console).run(seconds))
    return 0


def pull_models(root: Path, accepted: Sequence[str], mirror: Path | None, console: Console) -> None:
    """Pull the public models that are missing, licences shown; what cannot be had is said, and the rest goes on without it."""
    zoo, store = Zoo.load(), ModelStore(root)
    missing = zoo.missing(store)
    if not missing:
        return
    console.print(f"pulling {len(missing)} public models into {root}, once:")
    for name in missing:
        licence = zoo[name].licence
        note = "  (accepted for this demo; a deployment decides in models.accept_licences)" if licence.spdx == AGPL else ""
        with console.status(f"  {name}  {licence.spdx}"):
            try:
                ref = zoo.pull(name, store, accept_licences=accepted, mirror_dir=mirror)
            except ModelsError as error:
                console.print(f"  [red]{name} is not here: {error}[/red]\n  [red]the demo goes on without it[/red]")
                continue
        console.print(f"  {ref}  {licence.spdx}{note}")


class _Demo:
    """One run."""

    def __init__(self, settings: Settings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._rooms: list[dict[str, Any]] = []
        self._violations: list[dict[str, Any]] = []
        self._missing: dict[str, str] = {}
        self._was_blind: set[str] = set()
        self._recovered: set[str] = set()

    async def run(self, seconds: float | None) -> int:
        """Serve, show and sum up."""
        with self._console.status("loading models and making the rooms"):
            async with _platform() as platform, self._server() as url:
                self._console.print(f"console: [bold]{url}/[/bold]    API: {url}/docs    (Ctrl-C ends)\n")
                async with httpx.AsyncClient(base_url=url, timeout=10.0) as api:
                    return await self._play(api, platform, seconds)
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[str]:
        settings = self._settings
        try:
            async with running(settings, Role.UP) as server:
                yield server.url
        except ConfigError as error:
            if "cannot listen" in str(error):
                raise ConfigError(f"{error}, or give the demo another port with --port") from error
            raise

    async def _play(self, api: httpx.AsyncClient, platform: str, seconds: float | None) -> int:
        await enrol(api)
        for room_id, source in sources(platform).items():
            (await api.put(f"/v1/rooms/{room_id}", json={"source": source, "title": TITLES[room_id]})).raise_for_status()
        ends_s = None if seconds is None else time.monotonic() + seconds
        feeds = [asyncio.create_task(self._push(api), name="push"), asyncio.create_task(self._chat(api), name="chat")]
        try:
            await self._show_until(api, ends_s)
        finally:
            for feed in feeds:
                feed.cancel()
            await asyncio.gather(*feeds, return_exceptions=True)
        await self._look(api)
        return self._sum_up()

    async def _show_until(self, api: httpx.AsyncClient, ends_s: float | None) -> None:
        is_terminal = self._console.is_terminal
        with Live(console=self._console, auto_refresh=False, transient=True) if is_terminal else contextlib.nullcontext() as live:
            while ends_s is None or time.monotonic() < ends_s:
                await self._look(api)
                if live is not None:
                    live.update(self._table(), refresh=True)
                else:
                    found = len({(one["room_id"], one["label"]) for one in self._violations})
                    watched = sum(room["watching"] for room in self._rooms)
                    self._console.print(f"{watched} of {len(self._rooms)} rooms watched, {found} violations found")
                await asyncio.sleep(REFRESH_S if is_terminal else PLAIN_REFRESH_S)

    async def _look(self, api: httpx.AsyncClient) -> None:
        self._rooms = (await api.get("/v1/rooms")).json()["rooms"]
        self._violations = (await api.get("/v1/violations", params={"limit": 200})).json()["violations"]
        self._missing = (await api.get("/v1/status")).json()["missing"]
        for room in self._rooms:
            if room["state"] == "reconnecting" or (room["room_id"] in self._was_blind and not room["watching"]):
                self._was_blind.add(room["room_id"])
            elif room["watching"] and room["room_id"] in self._was_blind:
                self._recovered.add(room["room_id"])

    async def _push(self, api: httpx.AsyncClient) -> None:
        """Push a picture a second, as a platform that decodes for itself would."""
        game, casino = demo_scenes.Game(5), demo_scenes.advert("advert_gambling.png", x=420, y=500)
        for index in itertools.count():
            picture = game.frame(index * demo_scenes.FPS, casino)
            _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            await api.post("/v1/rooms/pushed/frames", content=jpeg.tobytes(), headers={"Content-Type": "image/jpeg"})
            await asyncio.sleep(PUSH_EVERY_S)

    async def _chat(self, api: httpx.AsyncClient) -> None:
        """Say the danmaku lines, again and again."""
        for index, text in enumerate(itertools.cycle(CHAT)):
            await api.post("/v1/rooms/chat/danmaku", json={"lines": [{"text": text, "uid": f"u{index % 7}"}]})
            await asyncio.sleep(CHAT_EVERY_S)

    def _table(self) -> RenderableType:
        found = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("room", "label", "decision", "score", "why"):
            found.add_column(name, no_wrap=name != "why")
        for one in self._violations[:12]:
            colour = "red" if one["decision"] == "block" else "yellow"
            decision = f"[{colour}]{one['decision']}[/{colour}]"
            found.add_row(one["room_id"], one["label"], decision, f"{one['score']:.2f}", Text(one["reason"]["zh"]))
        missing = [Text(f"not looking with {name}: {reason}", style="red") for name, reason in self._missing.items()]
        return Group(rooms_table(self._rooms), Text(), found, *missing)

    def _sum_up(self) -> int:
        """Print what was found and what was not; returns the exit code."""
        self._console.print(self._table())
        self._console.print()
        found = {(one["room_id"], one["label"]) for one in self._violations}
        complete = True
        for planted in PLANTED:
            complete &= self._tell((planted.room_id, planted.label) in found, f"{planted.room_id}: {planted.what}", "not found")
        quiet = not any(room_id == CLEAN for room_id, _ in found)
        complete &= self._tell(quiet, f"{CLEAN}: nothing to find", "a false alarm")
        garbage = next((room for room in self._rooms if room["room_id"] == "garbage"), None)
        complete &= self._tell(
            garbage is not None and not garbage["watching"] and bool(garbage["reason"]),
            f"garbage: said to be unwatched ({garbage['reason'] if garbage else 'gone'})",
            "not told",
        )
        complete &= self._tell("breaks" in self._recovered, "breaks: went blind and came back", "did not come back yet")
        return 0 if complete else 1

    def _tell(self, good: bool, what: str, otherwise: str) -> bool:
        self._console.print(f"  [green]✓[/green] {what}" if good else f"  [red]✗ {what}: {otherwise}[/red]")
        return good


@asynccontextmanager
async def _platform() -> AsyncIterator[str]:
    """Run the demo's live platform; yields its address once every stream is on air."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=demo_broadcast.serve, args=(theirs,), name="demo-platform")
    process.start()
    theirs.close()
    try:
        port = await asyncio.to_thread(_wait_on_air, ours)
        yield f"http://127.0.0.1:{port}"
    finally:
        ours.close()
        await asyncio.to_thread(process.join, 5.0)
        if process.is_alive():
            process.kill()


def _wait_on_air(pipe: Connection) -> int:
    """Read the platform's port, and wait until all of its streams are encoded."""
    port = int(pipe.recv()["port"])
    for _ in demo_broadcast.shows():
        pipe.recv()
    return port
