"""The text checks of a running role: counters shared through Redis, the network, completion of danmaku, and the tasks they need.

Composition only; what each part does is in `inference/`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inference.api import InFlight
from inference.engine import Engine
from inference.suggest_api import SuggestDesk, Vetting
from inference.text.redis_address import RedisAddress
from inference.text.redis_conversation import RedisConversation
from inference.text.suggest import Suggester
from inference.text_answers import ConversationRules, TextAnswers
from inference.text_desk import TextDesk, TextParts
from models.taxonomy import Taxonomy
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class TextService:
    """What the text routes of a role stand on."""

    answers: TextAnswers
    parts: TextParts
    suggest: SuggestDesk
    desk: TextDesk
    """Answers the worker's danmaku, by the same counters and the same network."""


def text_service(settings: Settings, engine: Engine) -> TextService:
    """Put the parts together.

    Raises:
        ConfigError: the address of Redis is none.
    """
    clock, own = engine.clock, settings.text.conversation
    vetting = Vetting(engine, lambda: engine.generation)
    suggest = SuggestDesk(Suggester(engine.text.normaliser), vetting, InFlight(settings.api.max_in_flight), clock)
    answers = TextAnswers(
        engine, clock, taxonomy=Taxonomy.load(), rules=ConversationRules(own.windows(), own.thresholds()), heard=suggest.heard
    )
    shared = None
    if own.redis_url is not None:
        shared = RedisConversation(
            RedisAddress(own.redis_url.get_secret_value()),
            windows=own.windows(),
            timeout_s=own.redis_timeout_s,
            prefix=own.redis_prefix,
        )
    parts = TextParts(engine.classifier, shared, engine.text.normaliser.canonical, engine.metrics)
    return TextService(answers, parts, suggest, TextDesk(answers, clock, parts))


@asynccontextmanager
async def serving_texts(service: TextService) -> AsyncIterator[None]:
    """Run what the text routes need, for the time of the context."""
    shared = service.parts.shared
    learning = asyncio.create_task(service.suggest.keep_learning(), name="suggestions")
    try:
        async with shared if isinstance(shared, RedisConversation) else contextlib.nullcontext():
            yield
    finally:
        learning.cancel()
        await asyncio.gather(learning, return_exceptions=True)
