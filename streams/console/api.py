"""Routes that serve the console page: its files and the labels' names, with headers that let it load nothing from outside.

The page and its files hold no data of anybody and need no key; what it shows comes from the API, which asks for one.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response

from inference.errors import NotFound
from models.taxonomy import Taxonomy

KINDS: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
"""File name endings that are served, with their media types."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def console_routes(taxonomy: Taxonomy) -> APIRouter:
    """Serve the page at `/`, its files under `/console/`, and the labels' names at `/console/labels.json`."""
    pages = {entry.name: entry.read_bytes() for entry in files(__name__.rpartition(".")[0]).iterdir() if _kind(entry.name)}
    names = {label.code: {"zh": label.zh, "en": label.en} for label in taxonomy}
    router = APIRouter(include_in_schema=False)

    def served(name: str) -> Response:
        if name not in pages:
            raise NotFound(f"no console file {name!r}; there are {', '.join(sorted(pages))}")
        return Response(pages[name], media_type=_kind(name), headers=HEADERS)

    @router.get("/")
    async def page() -> Response:
        return served("index.html")

    @router.get("/console/labels.json")
    async def labels() -> dict[str, dict[str, str]]:
        return names

    @router.get("/console/{name}")
    async def file(name: str) -> Response:
        return served(name)

    return router


def _kind(name: str) -> str | None:
    return KINDS.get(name.rpartition(".")[2])
