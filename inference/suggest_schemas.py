"""Bodies of danmaku completion as they stand on the wire; no logic here."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from inference.schemas import Name, Problem
from inference.text.suggest import MIN_PREFIX, Source

MAX_PREFIX = 256
"""Code points of the longest prefix that is looked at; sentences are much shorter, so the longest ones only match nothing."""

MAX_LIMIT = 20
"""Sentences in one answer."""

_PREFIX_HELP = f"what has been typed: at least {MIN_PREFIX} characters after folding, or pinyin letters such as `zb` or `zhubo`"


class SuggestRequest(Struct, frozen=True):
    """What somebody is typing in a room."""

    room_id: Annotated[str, Meta(min_length=1, max_length=256)]
    prefix: Annotated[str, Meta(min_length=1, description=_PREFIX_HELP, extra_json_schema={"maxLength": MAX_PREFIX})]
    uid: Annotated[str, Meta(max_length=256, description="who types; nothing is learnt or kept of it")] | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="sentences at most")] = 8
    request_id: Name | None = None


class SuggestionBody(Struct, frozen=True):
    """One sentence that may be sent as it is: the check passes it now."""

    text: str
    score: Annotated[float, Meta(ge=0, le=1, description="how popular it is now; a platform's sentence has at most 0.5")]
    source: Annotated[Source, Meta(description="where it is popular")]


class SuggestAnswer(Struct, frozen=True):
    """Sentences that go on from the prefix, the most popular first; empty where nothing popular does."""

    request_id: str
    suggestions: list[SuggestionBody]
    elapsed_ms: float


def components() -> dict[str, Any]:
    """Return the JSON Schema of each body and of what it refers to, by name."""
    types = (SuggestRequest, SuggestAnswer, Problem)
    return msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")[1]
