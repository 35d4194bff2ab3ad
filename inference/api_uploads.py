"""The files of a request that teaches: one as the body, or several as multipart, each with the name of its field."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from inference.api import MULTIPART_SLACK, read_body
from inference.errors import InvalidSample, SampleTooLarge
from inference.pictures import MAX_PICTURE_BYTES


async def read_files(request: Request, *, max_bytes: int, max_files: int) -> list[tuple[str, bytes]]:
    """Read every file of a request.

    Args:
        request: a picture as its body (field name empty), or multipart.
        max_bytes: of all files together.
        max_files: of a multipart body.

    Raises:
        SampleTooLarge: they are over `max_bytes`, or a single body over 20 MB; refused unread where the header says so.
        InvalidSample: a multipart body that is damaged or has too many files.
    """
    several = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    limit = max_bytes + MULTIPART_SLACK if several else MAX_PICTURE_BYTES
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit:
        raise SampleTooLarge(f"body of {told} bytes; at most {limit}, send fewer or smaller pictures")
    body = await read_body(request.receive, limit)
    if not several:
        return [("", body)]
    whole = {"type": "http.request", "body": body, "more_body": False}

    async def again() -> dict[str, Any]:
        return whole

    try:
        async with Request(request.scope, again).form(max_files=max_files, max_fields=16) as form:
            return [(field, await part.read()) for field, part in form.multi_items() if isinstance(part, UploadFile)]
    except (MultiPartException, HTTPException) as error:  # Starlette raises the second where the app has been reached
        why = error.message if isinstance(error, MultiPartException) else error.detail
        raise InvalidSample(f"the multipart body cannot be read: {why.rstrip('.')}; send 1 to {max_files} files") from error
