"""HTTP routes of enrolled logos: list, examine, enrol, show, remove. Thin: everything is asked of the desk, on a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from inference.api_uploads import read_files
from inference.enrolment import Enrolled
from inference.errors import InvalidSample, NotFound, NotReady
from inference.logo_cli import logo_view
from inference.pictures import MAX_PICTURE_BYTES
from inference.vision.logo_book import LogoEntry
from inference.vision.logo_desk import MAX_PICTURES, PREVIEW, Examined, LogoDesk, LogoOrder

T = TypeVar("T")

PICTURE = "image/png"
MAX_BODY = 2 * MAX_PICTURE_BYTES
"""Bytes of all pictures of one logo together."""

_encode = msgspec.json.Encoder().encode


class LogoQuery(BaseModel):
    """What may be said of a logo beside its pictures."""

    model_config = ConfigDict(extra="forbid")

    label: str = "competitor.logo"
    title: str = ""
    min_area: float = 0.0
    zone: list[str] = Field(default=[], description="where it counts: `top-right`, or `x,y,width,height` in fractions")
    words: list[str] = Field(default=[], description="what it says: read on the screen, that counts as well")
    owner: str = ""
    force: bool = Field(default=False, description="enrol although it is like another one")

    def order(self) -> LogoOrder:
        """Return it as the desk takes it."""
        return LogoOrder(
            label=self.label,
            title=self.title,
            min_area=self.min_area,
            zones=tuple(self.zone),
            words=tuple(self.words),
            owner=self.owner,
            force=self.force,
        )


class LogoRoutes:
    """The routes over a desk; `missing` says why there is none."""

    def __init__(self, desk: LogoDesk | None, missing: str = "") -> None:
        self._desk = desk
        self._missing = missing
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, work: Callable[[LogoDesk], T]) -> T:
        """Have the desk do something on a thread.

        Raises:
            NotReady: there is no desk.
        """
        desk = self._desk
        if desk is None:
            raise NotReady(f"logos cannot be enrolled here: {self._missing}")
        async with self._one_at_a_time:
            return await asyncio.to_thread(work, desk)


def logo_routes(desk: LogoDesk | None, missing: str = "") -> APIRouter:
    """Build the routes; without a desk they answer 503 and say why."""
    router = APIRouter(prefix="/v1/logos", tags=["logos"])
    routes = LogoRoutes(desk, missing)
    _add_reading(router, routes)
    _add_writing(router, routes)
    return router


def _add_reading(router: APIRouter, routes: LogoRoutes) -> None:
    @router.get("", summary="List the logos that are looked for")
    async def get_logos() -> Response:
        logos = await routes.ask(lambda desk: desk.store.live())
        return _answer({"logos": [_view(logo) for logo in logos]})

    @router.get("/{name}", summary="Describe one logo")
    async def get_logo(name: str) -> Response:
        return _answer(_view(await routes.ask(lambda desk: desk.store.find(name))))

    @router.get("/{name}/pictures/{index}", summary="One of a logo's pictures", responses={200: {"content": {PICTURE: {}}}})
    async def get_picture(name: str, index: int) -> Response:
        def read(desk: LogoDesk) -> bytes:
            logo = desk.store.find(name)
            if not 0 <= index < len(logo.entry.pictures):
                raise NotFound(f"logo {name!r} has pictures 0 to {len(logo.entry.pictures) - 1}, not {index}")
            return (logo.folder / logo.entry.pictures[index]).read_bytes()

        return Response(await routes.ask(read), media_type=PICTURE)

    @router.get("/{name}/preview", summary="What is looked for, drawn", responses={200: {"content": {PICTURE: {}}}})
    async def get_preview(name: str) -> Response:
        return Response(await routes.ask(lambda desk: (desk.store.find(name).folder / PREVIEW).read_bytes()), media_type=PICTURE)


def _add_writing(router: APIRouter, routes: LogoRoutes) -> None:
    @router.put("/{name}", summary="Enrol a logo, or a new version of it", openapi_extra=_BODY)
    async def put_logo(name: str, request: Request, asked: Annotated[LogoQuery, Query()]) -> Response:
        pictures = await read_pictures(request)
        order = asked.order()
        logo, examined = await routes.ask(lambda desk: desk.enrol(name, pictures, order))
        return _answer(_view(logo) | _examined(examined))

    @router.post("/{name}/examine", summary="Examine a logo's pictures without enrolling them", openapi_extra=_BODY)
    async def examine(name: str, request: Request) -> Response:
        pictures = await read_pictures(request)
        return _answer(_examined(await routes.ask(lambda desk: desk.examine(name, pictures))))

    @router.delete("/{name}", status_code=204, summary="Stop looking for a logo")
    async def delete_logo(name: str) -> None:
        await routes.ask(lambda desk: desk.store.remove(name))

    @router.post("/{name}/rollback", summary="Put another version of a logo in force, also of a removed one")
    async def roll_back(name: str, version: int) -> Response:
        return _answer(_view(await routes.ask(lambda desk: desk.store.rollback(name, version))))


async def read_pictures(request: Request) -> list[bytes]:
    """Read the pictures of a request: its body, or every file of a multipart body.

    Raises:
        SampleTooLarge: they are over 40 MB together.
        InvalidSample: a multipart body without a file, with too many, or damaged.
    """
    pictures = [data for _, data in await read_files(request, max_bytes=MAX_BODY, max_files=MAX_PICTURES)]
    if not pictures:
        raise InvalidSample(f"the multipart body has no file; send 1 to {MAX_PICTURES} parts with a file name")
    return pictures


def _view(logo: Enrolled[LogoEntry]) -> dict[str, Any]:
    address = f"/v1/logos/{logo.name}"
    pictures = [f"{address}/pictures/{index}" for index in range(len(logo.entry.pictures))]
    return {**logo_view(logo), "pictures": pictures, "preview": f"{address}/preview"}


def _examined(examined: Examined) -> dict[str, Any]:
    return {
        "alike": [{"name": one.name, "cosine": round(one.cosine, 4)} for one in examined.alike],
        "notes": list(examined.notes),
    }


def _answer(view: object) -> Response:
    return Response(_encode(view), media_type="application/json")


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": dict.fromkeys(("image/png", "image/webp", "image/jpeg", "multipart/form-data"), _BINARY),
    }
}
