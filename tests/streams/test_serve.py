"""What runs a role: a worker that fails must end the process, never leave its rooms blind behind an API that answers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from inference.clock import SystemClock
from inference.errors import ConfigError
from streams import serve
from streams.serve import Role, running, watching
from streams.settings import Settings

ENGINE = SimpleNamespace(clock=SystemClock())
STORES = SimpleNamespace(index=None, evidence=None)


class ScriptedWorker:
    """Runs until cancelled, or fails when told to."""

    failing = asyncio.Event()
    was_cancelled = False

    def __init__(self, *_: object, **__: object) -> None:
        type(self).failing = asyncio.Event()
        type(self).was_cancelled = False

    async def run(self) -> None:
        try:
            await self.failing.wait()
        except asyncio.CancelledError:
            type(self).was_cancelled = True
            raise
        raise RuntimeError("the worker broke")


@pytest.fixture(autouse=True)
def _scripted(monkeypatch):
    monkeypatch.setattr(serve, "Worker", ScriptedWorker)


async def wait_behind_a_failing_worker() -> None:
    async with watching(ENGINE, STORES, Settings.load(), Role.UP):
        ScriptedWorker.failing.set()
        await asyncio.Event().wait()


async def test_failed_worker_ends_what_waits_behind_it():
    with pytest.raises(ExceptionGroup) as caught:
        await wait_behind_a_failing_worker()
    assert "the worker broke" in str(caught.value.exceptions[0])


async def test_worker_is_ended_with_its_context():
    async with watching(ENGINE, STORES, Settings.load(), Role.UP):
        await asyncio.sleep(0)
    assert ScriptedWorker.was_cancelled


@pytest.mark.parametrize("role", [Role.API, Role.WORKER])
async def test_roles_apart_need_a_broker(role, tmp_path):
    with pytest.raises(ConfigError, match=r"set kafka\.bootstrap_servers"):
        async with running(Settings.load(data_dir=tmp_path), role):
            pass


async def test_taken_port_is_told_before_models_are_loaded(tmp_path):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with running(Settings.load(data_dir=tmp_path, api={"port": port}), Role.UP):
                pass
