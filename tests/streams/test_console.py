"""The console page: loads nothing from outside, asks only for routes there are, says everything twice, and shows text as text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from inference.errors import NotFound
from models.taxonomy import Taxonomy
from streams.console.api import console_routes
from tests.conftest import require

FOLDER = Path(__file__).resolve().parents[2] / "streams" / "console"
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js")}
PAGE = (FOLDER / "index.html").read_text(encoding="utf-8")
STYLE = (FOLDER / "console.css").read_text(encoding="utf-8")

ROUTES = {
    "v1/status",
    "v1/rooms",
    "v1/violations",
    "v1/violations/{}",
    "v1/violations/{}/evidence/{}",
    "v1/violations/{}/review",
    "v1/text/check",
    "v1/images/check",
    "v1/audio/check",
    "v1/logos",
    "v1/logos/{}",
    "v1/logos/{}/examine",
    "v1/logos/{}/pictures/{}",
    "v1/gallery",
    "v1/gallery/{}",
    "v1/gallery/{}/rollback",
    "v1/gallery/{}/pictures/{}",
    "console/labels.json",
}
EVIL = "<img src=x onerror=\"document.title='owned'\">"

VIOLATION = {
    "violation_id": "v-1",
    "room_id": EVIL,
    "biz": "game",
    "session_id": "s",
    "decision": "block",
    "severity": 3,
    "action_hint": "warn",
    "label": "ads.qr_code",
    "sublabel": EVIL,
    "score": 0.99,
    "modality": "image",
    "state": "open",
    "review": None,
    "opened_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "detector": {"name": "codes", "model": None},
    "policy": {"id": "default", "version": 1, "rule": "ads.*"},
    "temporal": {"hits": 3, "window": 4, "first_seen_s": 1.0, "last_seen_s": 2.0, "captured_at": "2026-01-01T00:00:00Z"},
    "evidence": {"frames": [], "audio": [], "strips": [], "notes": []},
    "timing_ms": {},
    "reason": {"zh": EVIL, "en": EVIL},
    "pass_through": {},
}
ROOM = {
    "room_id": "9999",
    "title": EVIL,
    "biz": "game",
    "mode": "pull",
    "source": None,
    "state": "live",
    "reason": None,
    "session_id": "s",
    "watching": True,
    "blind_s": {"image": 1.25, "audio": None},
    "blind_reason": None,
    "degraded": [],
    "open_violations": 1,
    "picture": {"width": 1280, "height": 720, "codec": "h264"},
    "sampling": {"mode": "key", "interval_s": 2.0, "effective_fps": 0.5, "gop_s": 2.0},
    "detectors": {
        "codes": {"n_scored": 3, "n_skipped": 0, "n_superseded": 0, "rate_hz": 0.5, "last_scored_s_ago": 1.0, "floor_s": 6.0}
    },
}
STATUS = {
    "version": "0.1.0",
    "uptime_s": 61.0,
    "device": "cpu",
    "models": [],
    "missing": {"porn": EVIL},
    "kafka": {"state": "off", "pending": 0, "oldest_unpublished_s": None},
    "totals": {"rooms": 1, "watched": 1, "blind": 0, "open_violations": 1, "samples_per_s": 0.5},
}


class Tags(HTMLParser):
    """Collects what a page holds and complains of tags that do not match."""

    VOID = frozenset({"meta", "link", "input", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"


@pytest.fixture
async def client():
    app = FastAPI()
    app.include_router(console_routes(Taxonomy.load()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://console") as client:
        yield client


def test_the_page_is_well_formed_and_its_ids_are_unique():
    tags = Tags(PAGE)

    assert tags.open == []
    assert len(tags.ids) == len(set(tags.ids))


def test_every_id_the_scripts_ask_for_is_on_the_page():
    asked = {name for text in SCRIPTS.values() for name in re.findall(r'byId\("([\w-]+)"\)', text)}

    assert len(asked) > 20
    assert asked - set(Tags(PAGE).ids) == set()


@pytest.mark.parametrize("name", ["index.html", "console.css", *sorted(SCRIPTS)])
def test_nothing_is_loaded_from_outside(name):
    text = (FOLDER / name).read_text(encoding="utf-8")

    assert re.findall(r"(?:https?:)?//[\w-]+\.[\w.]+|@import|url\(", text) == []


def test_the_page_holds_no_inline_script_or_style():
    attributes = Tags(PAGE).attributes

    assert [found for found in attributes if found[1].startswith("on") or found[1] == "style"] == []
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style", PAGE) == []


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_text_never_becomes_markup(name):
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser", SCRIPTS[name]) == []
    )


def test_only_routes_that_exist_are_asked_for():
    text = SCRIPTS["api.js"]
    literals = re.findall(r'["`]((?:v1|console)/[^"`]*)["`]', text)
    asked = {re.sub(r"\$\{[^}]*\}", "{}", literal).partition("?")[0] for literal in literals}

    assert asked == ROUTES
    assert [name for name, script in SCRIPTS.items() if name != "api.js" and re.search(r"\bfetch\(|v1/", script)] == []


def test_every_word_is_there_in_both_languages():
    body = re.search(r"const WORDS = \{\n(.*?)\n\};", SCRIPTS["words.js"], re.DOTALL)
    assert body is not None
    pairs = dict(re.findall(r'^  (\w+): \[("(?:.*?)",\s*"(?:[^"]*)")\],$', body.group(1), re.MULTILINE))
    asked = {name for text in SCRIPTS.values() for name in re.findall(r'\bword\("(\w+)"', text)}
    asked |= {
        value for _, name, value in Tags(PAGE).attributes if name in {"data-word", "data-placeholder", "data-label"} and value
    }

    assert len(pairs) == len(re.findall(r"^  \w+: \[", body.group(1), re.MULTILINE))
    assert asked - set(pairs) == set()
    holes = {name: [sorted(re.findall(r"\{(\w+)\}", side)) for side in json.loads(f"[{pair}]")] for name, pair in pairs.items()}
    assert [name for name, (english, chinese) in holes.items() if english != chinese] == []


async def test_every_file_the_page_names_is_served_with_a_strict_policy(client):
    named = [value for _, name, value in Tags(PAGE).attributes if name in {"href", "src"} and value]
    imported = [f"console/{name}" for text in SCRIPTS.values() for name in re.findall(r'from "\./([\w.]+)"', text)]

    for path in ["", *named, *imported]:
        answer = await client.get(f"/{path}")
        assert answer.status_code == 200, path
        assert answer.headers["content-security-policy"].startswith("default-src 'self'"), path
        assert answer.headers["x-content-type-options"] == "nosniff", path


async def test_the_labels_names_are_those_of_the_taxonomy(client):
    names = (await client.get("/console/labels.json")).json()

    assert names["ads.qr_code"]["zh"].startswith("二维码")
    assert set(names) == {label.code for label in Taxonomy.load()}


@pytest.mark.parametrize("path", ["api.py", "__init__.py", "..%5capi.py", "none.js"])
async def test_what_is_no_file_of_the_page_is_not_served(client, path):
    with pytest.raises(NotFound):
        await client.get(f"/console/{path}")


ANSWERS = {
    "/v1/status": STATUS,
    "/v1/rooms": {"rooms": [ROOM]},
    "/v1/violations": {"violations": [VIOLATION], "next": None},
    "/console/labels.json": {"ads.qr_code": {"zh": "二维码", "en": "QR code"}},
}
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Api(BaseHTTPRequestHandler):
    """Serves the page's files and answers that try to get markup into it."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path in ANSWERS:
            kind, body = "application/json", json.dumps(ANSWERS[path]).encode()
        else:
            file = FOLDER / (path.rpartition("/")[2] or "index.html")
            kind, body = KINDS[file.suffix], file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keep quiet."""


def test_a_browser_shows_hostile_titles_as_text(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    require(browser is not None, "no Chromium on this machine", promised=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={tmp_path}"]
    flags += ["--lang=en-US", "--virtual-time-budget=4000", "--dump-dom", f"http://127.0.0.1:{server.server_port}/"]

    run = subprocess.run([str(browser), *flags], capture_output=True, text=True, timeout=90, check=False)
    server.shutdown()
    server.server_close()

    assert "1.3s" in run.stdout, run.stderr[-2000:]  # the room's blind seconds, so the page ran and drew its rows
    assert "QR code" in run.stdout
    assert run.stdout.count("&lt;img src=x onerror") >= 4
    assert '<img src="x"' not in run.stdout
    assert "<title>Livewarden</title>" in run.stdout
