"""Refusals as RFC 9457 `application/problem+json`: one body for every error, naming the value and the fix.

It translates our error tree, msgspec's and FastAPI's at the HTTP border; unexpected errors become a fixed phrase, no traceback.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from inference.errors import LivewardenError, Overloaded
from inference.schemas import Problem, ProblemDetail

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
_PLACE = re.compile(r"(?P<msg>.*?)(?: - at `(?P<loc>\$.*)`)?", re.DOTALL)
_encode = msgspec.json.Encoder().encode


class TooManyRequests(Overloaded):
    """Raised when more requests are in flight than this server works on at once."""

    status = 429
    title = "too many requests"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal, ready for the wire."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """Make the Starlette response."""
        return Response(self.body, self.status, headers=dict(self.headers), media_type=PROBLEM_TYPE)


def refuse(status: int, title: str, detail: str, errors: list[ProblemDetail] | None = None) -> Refusal:
    """Build a refusal from its parts."""
    return Refusal(status, _encode(Problem(title, status, detail, errors or [])))


def refusal(error: Exception) -> Refusal:
    """Translate an error that reached the HTTP border; logs those nobody raised on purpose."""
    if isinstance(error, LivewardenError):
        refused = refuse(error.status, error.title, str(error))
        if isinstance(error, Overloaded):
            return Refusal(refused.status, refused.body, {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))})
        return refused
    if isinstance(error, msgspec.MsgspecError | UnicodeDecodeError):
        return _bad_body(error)
    if isinstance(error, RequestValidationError):
        details = [ProblemDetail(".".join(map(str, one["loc"])), str(one["msg"]).lower()) for one in error.errors()]
        return refuse(422, "invalid request", "; ".join(f"{one.loc}: {one.msg}" for one in details), details)
    if isinstance(error, HTTPException):
        refused = refuse(error.status_code, "request refused", str(error.detail))
        return Refusal(refused.status, refused.body, dict(error.headers or {}))
    log.error("request failed", exc_info=error)
    return refuse(500, "internal error", "the request failed inside; the log has the reason")


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of an app leave it as problem+json."""

    async def handle(_: Request, error: Exception) -> Response:
        return refusal(error).response()

    for kind in (LivewardenError, RequestValidationError, HTTPException, msgspec.MsgspecError, Exception):
        app.add_exception_handler(kind, handle)


def _bad_body(error: Exception) -> Refusal:
    """Say at which place of a JSON body what is wrong."""
    if isinstance(error, UnicodeDecodeError):
        message, place = f"the body is not UTF-8 at byte {error.start}", "$"
    else:
        found = _PLACE.fullmatch(str(error))
        message, place = (found["msg"], found["loc"] or "$") if found else (str(error), "$")
    if not message[1:2].isupper():  # `JSON is malformed` keeps its capitals
        message = message[:1].lower() + message[1:]
    return refuse(422, "invalid request", f"{place}: {message}", [ProblemDetail(place, message)])
