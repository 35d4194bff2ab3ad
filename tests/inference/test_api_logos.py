"""Logos over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from inference.api_logos import logo_routes
from inference.problems import install_problem_handlers
from inference.vision.logo_book import logo_store
from inference.vision.logo_desk import MAX_PICTURES, LogoDesk
from models.taxonomy import Taxonomy
from tests.inference.vision.marks_maker import READER, mark_png

NOW = datetime(2026, 11, 25, tzinfo=UTC)
PNG = {"Content-Type": "image/png"}


def client_of(desk: LogoDesk | None, missing: str = "") -> httpx.AsyncClient:
    app = FastAPI()
    install_problem_handlers(app)
    app.include_router(logo_routes(desk, missing))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://logos")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    desk = LogoDesk(logo_store(tmp_path), READER, check_label=Taxonomy.load().__getitem__, now=lambda: NOW)
    async with client_of(desk) as client:
        yield client


def files(*pictures: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("file", (f"{index}.png", data, "image/png")) for index, data in enumerate(pictures)]


async def test_a_logo_is_enrolled_shown_and_removed(client: httpx.AsyncClient) -> None:
    asked: dict[str, Any] = {
        "title": "平台B",
        "zone": ["top-right", "0,0,0.5,0.5"],
        "min_area": 0.001,
        "words": ["平台B", "Plat B"],
    }

    put = await client.put("/v1/logos/platform-b", params=asked, files=files(mark_png(1), mark_png(2)))
    listed = (await client.get("/v1/logos")).json()["logos"]
    picture = await client.get(listed[0]["pictures"][1])
    preview = await client.get(listed[0]["preview"])
    removed = await client.delete("/v1/logos/platform-b")

    assert put.status_code == 200
    assert put.json()["notes"] == []
    assert [one["name"] for one in listed] == ["platform-b"]
    assert listed[0]["title"] == "平台B"
    assert listed[0]["words"] == ["平台B", "Plat B"]
    assert listed[0]["zones"] == [[0.6, 0.0, 0.4, 0.35], [0.0, 0.0, 0.5, 0.5]]
    assert picture.content.startswith(b"\x89PNG")
    assert preview.content.startswith(b"\x89PNG")
    assert removed.status_code == 204
    assert (await client.get("/v1/logos")).json() == {"logos": []}


async def test_a_removed_logo_can_be_rolled_back(client: httpx.AsyncClient) -> None:
    await client.put("/v1/logos/b", content=mark_png(1), headers=PNG)
    await client.delete("/v1/logos/b")

    back = await client.post("/v1/logos/b/rollback", params={"version": 1})

    assert back.json()["live"] is True
    assert (await client.get("/v1/logos/b")).status_code == 200


async def test_examining_enrols_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/logos/b/examine", content=mark_png(1), headers=PNG)

    assert answer.json() == {"alike": [], "notes": []}
    assert (await client.get("/v1/logos")).json() == {"logos": []}


async def test_a_logo_like_another_is_refused_with_the_way_out(client: httpx.AsyncClient) -> None:
    await client.put("/v1/logos/first", content=mark_png(1), headers=PNG)

    refused = await client.put("/v1/logos/second", content=mark_png(1), headers=PNG)
    forced = await client.put("/v1/logos/second", params={"force": True}, content=mark_png(1), headers=PNG)

    assert refused.status_code == 422
    assert "too like the enrolled logo 'first'" in refused.json()["detail"]
    assert forced.status_code == 200
    assert forced.json()["alike"] == [{"name": "first", "cosine": 1.0}]


@pytest.mark.parametrize(
    ("path", "asked", "body", "status", "says"),
    [
        ("b", {}, b"", 422, "the body is empty"),
        ("b", {}, b"no picture at all", 422, "unknown picture type"),
        ("b", {"label": "nonsense"}, mark_png(1), 422, "nonsense"),
        ("b", {"min_area": "much"}, mark_png(1), 422, "min_area"),
        ("b", {"colour": "red"}, mark_png(1), 422, "colour"),
        ("b", {"zone": "nowhere"}, mark_png(1), 422, "zone 'nowhere'"),
        ("Upper", {}, mark_png(1), 422, "logo name 'Upper'"),
        ("b", {}, b"\x89PNG" + bytes(21_000_000), 413, "body of 21000004 bytes; at most 20000000, send fewer"),
    ],
)
async def test_what_cannot_be_enrolled_is_refused_by_name(
    client: httpx.AsyncClient, path: str, asked: dict[str, str], body: bytes, status: int, says: str
) -> None:
    answer = await client.put(f"/v1/logos/{path}", params=asked, content=body, headers=PNG)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert says in answer.text
    assert (await client.get("/v1/logos")).json() == {"logos": []}


async def test_too_many_pictures_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.put("/v1/logos/b", files=files(*[mark_png(seed) for seed in range(MAX_PICTURES + 1)]))

    assert answer.status_code == 422
    assert "too many files" in answer.text.lower()


@pytest.mark.parametrize("path", ["/v1/logos/none", "/v1/logos/none/preview", "/v1/logos/b/pictures/7"])
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    await client.put("/v1/logos/b", content=mark_png(1), headers=PNG)

    assert (await client.get(path)).status_code == 404


async def test_without_the_networks_the_routes_say_what_is_missing() -> None:
    async with client_of(None, "no live version of 'logo-teller'") as client:
        answer = await client.put("/v1/logos/b", content=mark_png(1), headers=PNG)

    assert answer.status_code == 503
    assert "logos cannot be enrolled here: no live version of 'logo-teller'" in answer.json()["detail"]
