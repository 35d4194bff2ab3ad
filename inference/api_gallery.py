"""HTTP routes of the gallery: list, teach, show, remove. Thin: everything is asked of the desk, on a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from inference.api_uploads import read_files
from inference.errors import InvalidSample, NotFound
from inference.gallery_cli import title_view
from inference.pictures import MAX_PICTURE_BYTES
from inference.samples import Pixels
from inference.vision.gallery_book import Title
from inference.vision.gallery_desk import GalleryDesk, Lesson, TitleOrder, read_picture

T = TypeVar("T")

PICTURE = "image/jpeg"
MAX_FILES = 80
"""Pictures of one request, counter-examples included."""
MAX_BODY = 4 * MAX_PICTURE_BYTES
"""Bytes of all pictures of one request together."""
AGAINST_FIELD = "not"
"""Name of the form field whose files look like the title and are not it."""

_encode = msgspec.json.Encoder().encode


class TitleQuery(BaseModel):
    """What is said of a title beside its pictures."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    label: str
    title: str = ""
    alias: list[str] = Field(default=[], description="another name, looked for on the screen and in room titles")
    exact: bool = Field(default=False, description="look for these very pictures only")
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    owner: str = ""

    def order(self) -> TitleOrder:
        """Return it as the desk takes it."""
        return TitleOrder(
            label=self.label,
            title=self.title,
            aliases=tuple(self.alias),
            exact=self.exact,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            owner=self.owner,
        )


class _Asking:
    """Has the desk do one thing at a time, on a thread; the desk is opened with the first question."""

    def __init__(self, open_desk: Callable[[], GalleryDesk]) -> None:
        self._open = open_desk
        self._desk: GalleryDesk | None = None
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, work: Callable[[GalleryDesk], T]) -> T:
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._work, work)

    async def read(self, work: Callable[[GalleryDesk], T]) -> T:
        """Ask what only reads the store: it need not wait for a lesson."""
        return await (self.ask(work) if self._desk is None else asyncio.to_thread(work, self._desk))

    def _work(self, work: Callable[[GalleryDesk], T]) -> T:
        if self._desk is None:
            self._desk = self._open()
        return work(self._desk)


def gallery_routes(open_desk: Callable[[], GalleryDesk]) -> APIRouter:
    """Build the routes.

    Args:
        open_desk: called on a thread with the first question.
    """
    router = APIRouter(prefix="/v1/gallery", tags=["gallery"])
    asking = _Asking(open_desk)

    @router.get("", summary="List what is looked for")
    async def get_titles() -> Response:
        titles = await asking.read(lambda desk: desk.store.live())
        return _answer({"gallery": [_view(title) for title in titles]})

    @router.get("/{name}", summary="Describe one entry")
    async def get_title(name: str) -> Response:
        return _answer(_view(await asking.read(lambda desk: desk.store.find(name))))

    @router.get("/{name}/pictures/{file}", summary="One of an entry's pictures", responses={200: {"content": {PICTURE: {}}}})
    async def get_picture(name: str, file: str, version: int | None = None) -> Response:
        def read(desk: GalleryDesk) -> bytes:
            title = desk.store.find(name) if version is None else desk.store.version(name, version)
            if file not in (*title.entry.pictures, *title.entry.against):
                raise NotFound(f"gallery entry {name!r} has no picture {file!r}")
            return (title.folder / file).read_bytes()

        return Response(await asking.read(read), media_type=PICTURE)

    @router.post("/{name}", summary="Teach an entry, or a new version of it", openapi_extra=_BODY)
    async def post_title(name: str, request: Request, asked: Annotated[TitleQuery, Query()]) -> Response:
        shown, against = await read_lesson(request)
        order = asked.order()
        learnt = await asking.ask(
            lambda desk: desk.teach(name, Lesson(_decoded(shown, "picture"), _decoded(against, "counter-example")), order)
        )
        return _answer(_view(learnt.title) | {"notes": learnt.notes})

    @router.post("/{name}/rollback", summary="Put another version in force, also of a removed entry")
    async def roll_back(name: str, version: int) -> Response:
        return _answer(_view(await asking.ask(lambda desk: desk.store.rollback(name, version))))

    @router.delete("/{name}", status_code=204, summary="Stop looking for an entry")
    async def delete_title(name: str) -> None:
        await asking.ask(lambda desk: desk.store.remove(name))

    return router


async def read_lesson(request: Request) -> tuple[list[bytes], list[bytes]]:
    """Read the pictures of a request, and those that are counter-examples: the body, or the files of a multipart body.

    Raises:
        SampleTooLarge: they are over 80 MB together.
        InvalidSample: a multipart body without a file, with too many, or damaged.
    """
    files = await read_files(request, max_bytes=MAX_BODY, max_files=MAX_FILES)
    shown = [data for field, data in files if field != AGAINST_FIELD]
    against = [data for field, data in files if field == AGAINST_FIELD]
    return shown, against


def _decoded(pictures: list[bytes], what: str) -> list[Pixels]:
    found = []
    for number, data in enumerate(pictures, start=1):
        try:
            found.append(read_picture(data))
        except InvalidSample as error:
            raise type(error)(f"{what} {number}: {error}") from error
    return found


def _view(title: Title) -> dict[str, Any]:
    address = f"/v1/gallery/{title.name}/pictures"
    return {**title_view(title), "pictures": [f"{address}/{file}" for file in title.entry.pictures]}


def _answer(view: object) -> Response:
    return Response(_encode(view), media_type="application/json")


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": dict.fromkeys(("image/jpeg", "image/png", "image/webp", "multipart/form-data"), _BINARY),
    }
}
