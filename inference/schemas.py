"""Bodies of the synchronous checks as they stand on the wire: requests and answers of CONTRACTS, with units and ranges.

msgspec structs, because the text route decodes one per danmaku; the OpenAPI document is made from the same types, so the two cannot
differ. No logic here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from inference.samples import Scene
from inference.text.check import MAX_TEXT
from inference.verdicts import Decision

MAX_BATCH = 100
"""Texts in one request."""

Score = Annotated[float, Meta(ge=0, le=1, description="calibrated, 0..1")]
Name = Annotated[str, Meta(max_length=256)]
TextBody = Annotated[str, Meta(description=f"up to {MAX_TEXT} code points", extra_json_schema={"maxLength": MAX_TEXT})]


class User(Struct, frozen=True):
    """Who says it, as far as the platform tells."""

    level: int | None = None
    register_days: Annotated[float, Meta(ge=0)] | None = None
    is_anchor: bool = False
    is_manager: bool = False


class TextRequest(Struct, frozen=True):
    """One text to check."""

    text: TextBody
    scene: Scene = Scene.DANMAKU
    request_id: Name | None = None
    uid: Name | None = None
    room_id: Name | None = None
    user: User | None = None
    published_at: datetime | None = None
    policy: Name | None = None
    labels: (
        Annotated[list[str], Meta(max_length=100, description="codes or patterns such as `ads.*`; others are left out")] | None
    ) = None
    deadline_ms: Annotated[float, Meta(gt=0, description="from the arrival of the request")] | None = None
    on_error: Annotated[Decision, Meta(description="the decision where the check fails or is late")] | None = None
    pass_through: dict[str, Any] | None = None


class TextBatchRequest(Struct, frozen=True):
    """Up to 100 texts; answered in their order."""

    texts: Annotated[list[TextRequest], Meta(min_length=1, max_length=MAX_BATCH)]


class TextFinding(Struct, frozen=True, rename={"word_list": "list"}):
    """One term or contact found in a text."""

    label: str
    source: Annotated[str, Meta(description="lexicon, contact, ...")]
    word_list: str
    term: str
    spans: Annotated[list[tuple[int, int]], Meta(description="half-open, in code points of the text as sent")]
    matched: str
    transforms: list[str]
    score: Score
    decision: Decision


class ContactBody(Struct, frozen=True):
    """One contact found in a text."""

    type: Annotated[str, Meta(description="wechat, qq, phone, url, room")]
    value: str


class BehaviourBody(Struct, frozen=True):
    """How often the same was said in the room in the last 60 seconds, this text included; zeros without uid and room_id."""

    repeat_60s: int = 0
    similar_uids_60s: int = 0


class ContextBody(Struct, frozen=True):
    """What else than the text was looked at."""

    joined_messages: Annotated[int, Meta(description="earlier messages of the user read together with this one")] = 0


class ReasonBody(Struct, frozen=True):
    """Why, for people; empty for pass."""

    zh: str = ""
    en: str = ""


class PolicyBody(Struct, frozen=True):
    """The policy that decided."""

    id: str
    version: int


class TextAnswer(Struct, frozen=True):
    """The verdict on one text."""

    request_id: str
    check_id: str
    decision: Decision
    action_hint: str
    label: str | None
    severity: Annotated[int, Meta(ge=1, le=4)] | None
    score: Score
    findings: list[TextFinding]
    masked_text: str
    contacts: list[ContactBody]
    behaviour: BehaviourBody
    context: ContextBody
    reason: ReasonBody
    policy: PolicyBody | None
    shadow: dict[str, Decision]
    degraded: list[str]
    elapsed_ms: float
    pass_through: dict[str, Any] | UnsetType = UNSET


class TextBatchAnswer(Struct, frozen=True):
    """The verdicts on the texts of one request, in their order."""

    results: list[TextAnswer]


class BoxBody(Struct, frozen=True):
    """A rectangle, in fractions of the picture; x, y is the top-left corner."""

    x: float
    y: float
    w: float
    h: float
    score: Score
    name: str


class HeardBody(Struct, frozen=True):
    """When something was said, seconds from the beginning of the clip, and the sounds heard there."""

    start_s: float
    end_s: float
    units: Annotated[str, Meta(description="toneless pinyin, where an acoustic model heard it")]
    alike: Annotated[list[str], Meta(description="ordinary words that sound the same")] = []


class MediaFinding(Struct, frozen=True, rename={"word_list": "list"}):
    """One label found on a picture or in a clip."""

    label: str
    sublabel: str | None
    source: Annotated[str, Meta(description="name of the detector")]
    score: Score
    decision: Decision
    boxes: list[BoxBody]
    text: str | None
    qr: str | None
    model: Annotated[str, Meta(description="name@version")] | None
    word_list: Annotated[str, Meta(description="of words read or heard: the list, and its version")] | None = None
    term: Annotated[str, Meta(description="as the list writes it")] | None = None
    spans: Annotated[list[tuple[int, int]], Meta(description="half-open, in code points of `text`")] = []
    transforms: list[str] = []
    heard: HeardBody | None = None


class MediaAnswer(Struct, frozen=True):
    """The verdict on one picture or clip."""

    request_id: str
    check_id: str
    decision: Decision
    action_hint: str
    label: str | None
    severity: Annotated[int, Meta(ge=1, le=4)] | None
    score: Score
    findings: list[MediaFinding]
    reason: ReasonBody
    policy: PolicyBody
    shadow: dict[str, Decision]
    degraded: list[str]
    elapsed_ms: float


class MediaQuery(Struct, frozen=True):
    """The query of a picture or sound check; a picture's body is the picture, so everything else stands in the address."""

    detectors: Annotated[str, Meta(max_length=256, description="names, separated by commas; all by default")] | None = None
    policy: Annotated[str, Meta(max_length=256, description="id of the policy")] | None = None
    biz: Annotated[str, Meta(max_length=256, description="the business it belongs to")] = ""
    deadline_ms: Annotated[float, Meta(gt=0, description="from the arrival of the request")] | None = None
    request_id: Name | None = None


class ProblemDetail(Struct, frozen=True):
    """What is wrong at one place of a body."""

    loc: str
    """JSONPath-like, e.g. `$.text`."""
    msg: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """RFC 9457: why a request was refused, and what would be right."""

    title: str
    status: int
    detail: str
    errors: list[ProblemDetail] = []
    type: str = "about:blank"


def media_parameters() -> list[dict[str, Any]]:
    """Return the parameters of `MediaQuery` as an OpenAPI document writes them."""
    _, parts = msgspec.json.schema_components((MediaQuery,))
    fields = parts[MediaQuery.__name__]["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields.items()]


def components() -> tuple[dict[type, dict[str, Any]], dict[str, Any]]:
    """Return the JSON Schema of each body, and the components that they refer to."""
    types = (TextRequest, TextBatchRequest, TextAnswer, TextBatchAnswer, MediaAnswer, Problem)
    schemas, parts = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return dict(zip(types, schemas, strict=True)), parts
