"""The HTTP application of a role: checks, rooms, violations, console, health and metrics, behind one door for keys.

Composition only; what each route does is in `inference/api.py`, `streams/api_rooms.py`, `streams/api_violations.py` and
`streams/console/api.py`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.api import CheckDesk, CheckFront, install_checks
from inference.api_gallery import gallery_routes
from inference.api_logos import logo_routes
from inference.auth import ApiKeys, KeyDoor
from inference.engine import Engine
from inference.errors import LivewardenError
from inference.gallery_networks import gallery_desk
from inference.logo_networks import logo_desk
from inference.metrics import Metrics
from inference.suggest_api import install_suggestions
from models.errors import ModelsError
from models.store import ModelStore
from models.taxonomy import Taxonomy
from streams.api_rooms import room_routes
from streams.api_violations import violation_routes
from streams.console.api import console_routes
from streams.desk import RoomDesk
from streams.evidence import EvidenceStore
from streams.index import ViolationIndex
from streams.push import Intake
from streams.settings import Settings
from streams.sound_files import SoundFiles
from streams.text_service import TextService

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Behind:
    """What the routes are put in front of."""

    engine: Engine
    desk: RoomDesk
    index: ViolationIndex
    evidence: EvidenceStore
    sounds: SoundFiles = field(default_factory=SoundFiles)
    """Decodes encoded sound; closed by whoever answers."""


def create_app(settings: Settings, behind: Behind, service: TextService) -> ASGIApp:
    """Build the application.

    Raises:
        ConfigError: no API key is set and the address is not a loopback one.
    """
    keys = ApiKeys((key.get_secret_value() for key in settings.api.keys), host=settings.api.host)
    checks = CheckDesk.over(
        behind.engine,
        max_in_flight=settings.api.max_in_flight,
        clock=behind.engine.clock,
        decode_other=behind.sounds.decode,
        texts=service.parts,
        answers=service.answers,
    )
    app = FastAPI(title="Livewarden", version=product_version(), description="Real-time content moderation for live platforms.")
    install_checks(app, checks)
    install_suggestions(app, service.suggest)
    app.include_router(room_routes(behind.desk, Intake(behind.desk, behind.sounds.decode), settings.url_policy))
    app.include_router(violation_routes(behind.index, behind.evidence, behind.desk))
    app.include_router(_logo_routes(settings, behind.engine))
    app.include_router(gallery_routes(lambda: gallery_desk(settings.models.dir, settings.shared, behind.engine.clock)))
    app.include_router(console_routes(Taxonomy.load()))
    _add_health(app, settings, behind)
    app.add_middleware(_Measured, metrics=behind.engine.metrics)
    return KeyDoor(CheckFront(app, checks, behind.engine.metrics), keys)


def _logo_routes(settings: Settings, engine: Engine) -> APIRouter:
    """Routes of enrolled logos; where the networks that see them are missing, they say so."""
    try:
        return logo_routes(logo_desk(settings.models.dir, settings.shared, engine.clock))
    except (LivewardenError, ModelsError) as error:
        return logo_routes(None, str(error))


def product_version() -> str:
    """Return the installed version."""
    try:
        return version("livewarden")
    except PackageNotFoundError:
        return "0+checkout"


def _add_health(app: FastAPI, settings: Settings, behind: Behind) -> None:
    started_s = time.monotonic()
    models = [
        {
            "name": one.manifest.name,
            "version": one.manifest.version,
            "licence": one.manifest.licence.spdx,
            "sha256": one.manifest.sha256,
        }
        for one in ModelStore(settings.models.dir).list()
        if one.state == "live"
    ]

    @app.get("/v1/status", tags=["operations"], summary="Describe the whole: models, device, broker, totals")
    async def status() -> JSONResponse:
        told = {"version": product_version(), "uptime_s": round(time.monotonic() - started_s, 1), "models": models}
        return JSONResponse({**told, **await behind.desk.status()})

    @app.get("/healthz", tags=["operations"], summary="The process answers")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", tags=["operations"], summary="Rooms are being watched, texts are being checked")
    async def readyz() -> JSONResponse:
        unready = list(behind.desk.unready())
        return JSONResponse({"ready": not unready, "reasons": unready}, status_code=503 if unready else 200)

    @app.get("/metrics", tags=["operations"], summary="Prometheus metrics")
    async def metrics() -> Response:
        return Response(behind.engine.metrics.exposition(), media_type=EXPOSITION)


class _Measured:
    """ASGI layer that counts and times the requests that the app answers."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on; an HTTP call is counted when its answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.monotonic()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unknown")
                self._metrics.http_answered(route, scope["method"], message["status"], time.monotonic() - began_s)
            await send(message)

        await self._app(scope, receive, counted)
