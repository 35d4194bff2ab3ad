"""`livewarden rooms`: put up, list, describe and stop rooms of a running system, over its HTTP API."""

from __future__ import annotations

import json
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

rooms_app = typer.Typer(help="Rooms of a running system.", no_args_is_help=True)

Api = Annotated[str, typer.Option("--api", envvar="LIVEWARDEN_API_URL", help="Address of the API.")]
Key = Annotated[str | None, typer.Option("--key", envvar="LIVEWARDEN_API_KEY", help="Bearer key.", show_envvar=True)]
AsJson = Annotated[bool, typer.Option("--json", help="As the API answers.")]
DEFAULT_API = "http://127.0.0.1:8080"
UNREACHABLE = 2


@rooms_app.command()
def add(
    room_id: str,
    source: Annotated[str | None, typer.Argument(help="URL to pull; left out, media are pushed.")] = None,
    biz: str = "default",
    title: str | None = None,
    policy: Annotated[str | None, typer.Option(help="Policy id.")] = None,
    anchor_uid: str | None = None,
    api: Api = DEFAULT_API,
    key: Key = None,
) -> None:
    """Begin to watch a room, or change how it is watched."""
    body = {"source": source, "biz": biz, "title": title, "policy": policy, "anchor_uid": anchor_uid}
    _call(api, key, "PUT", f"/v1/rooms/{room_id}", {name: value for name, value in body.items() if value is not None})
    typer.echo(f"watching {room_id}" if source else f"waiting for media pushed to {room_id}")


@rooms_app.command("list")
def list_rooms(as_json: AsJson = False, api: Api = DEFAULT_API, key: Key = None) -> None:
    """List the rooms with how they are being watched."""
    rooms = _call(api, key, "GET", "/v1/rooms")["rooms"]
    if as_json:
        typer.echo(json.dumps(rooms, ensure_ascii=False, indent=2))
        return
    Console().print(rooms_table(rooms))


@rooms_app.command()
def show(room_id: str, api: Api = DEFAULT_API, key: Key = None) -> None:
    """Describe one room."""
    typer.echo(json.dumps(_call(api, key, "GET", f"/v1/rooms/{room_id}"), ensure_ascii=False, indent=2))


@rooms_app.command()
def stop(room_id: str, api: Api = DEFAULT_API, key: Key = None) -> None:
    """Stop watching a room."""
    _call(api, key, "DELETE", f"/v1/rooms/{room_id}")
    typer.echo(f"stopped {room_id}")


def rooms_table(rooms: list[dict[str, Any]]) -> Table:
    """Lay rooms out as a table; the demo shows the same one."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("room", "mode", "state", "sampling", "rate/s", "blind s", "violations"):
        table.add_column(name, justify="right" if name in {"rate/s", "blind s", "violations"} else "left", no_wrap=True)
    for room in rooms:
        blind = room["blind_s"].get("image")
        alarming = not room["watching"]
        table.add_row(
            f"{room['room_id']}  [dim]{room.get('title') or ''}[/dim]",
            room["mode"],
            room["state"] + (f" [red]{room['reason']}[/red]" if room.get("reason") else ""),
            room["sampling"].get("mode") or "-",
            f"{room['sampling'].get('effective_fps') or 0:.2f}",
            "-" if blind is None else f"[{'red' if alarming else 'green'}]{blind:.1f}[/]",
            f"[bold]{room['open_violations']}[/bold]" if room["open_violations"] else "0",
        )
    return table


def _call(api: str, key: str | None, method: str, path: str, body: object = None) -> Any:
    """Ask the API; a refusal is one line on standard error and exit code 2."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.request(method, api.rstrip("/") + path, json=body, headers=headers, timeout=10.0)
    except httpx.HTTPError as error:
        typer.echo(
            f"livewarden: {api} does not answer ({error}); is `livewarden up` running? name its address with --api", err=True
        )
        raise typer.Exit(UNREACHABLE) from None
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        detail = answer.json().get("detail", answer.text)
    except ValueError:
        detail = answer.text
    typer.echo(f"livewarden: {detail} (HTTP {answer.status_code})", err=True)
    raise typer.Exit(UNREACHABLE)
