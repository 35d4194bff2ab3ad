"""Settings of the counters: the defaults are the product's, what cannot be is refused by field, and the address stays hidden."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from inference.text.behaviour import SpamThresholds
from inference.text.conversation import Windows
from inference.text.conversation_settings import ConversationSettings
from inference.text.local_conversation import MAX_KEPT
from inference.text.redis_conversation import TIMEOUT_S


def test_the_defaults_are_those_of_the_code():
    settings = ConversationSettings()

    assert (settings.windows(), settings.thresholds()) == (Windows(), SpamThresholds())
    assert (settings.max_kept, settings.redis_timeout_s, settings.redis_url) == (MAX_KEPT, TIMEOUT_S, None)


def test_what_is_set_is_taken():
    settings = ConversationSettings(said_s=30, spoken_s=5, joined_messages=2, piece_chars=3, joined_chars=9, repeat=3, swarm=9)

    assert settings.windows() == Windows(said_s=30.0, spoken_s=5.0, n_joined=2, piece_chars=3, joined_chars=9)
    assert settings.thresholds() == SpamThresholds(repeat=3, swarm=9)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"said_s": 5.0}, "spoken_s"),
        ({"said_s": 5.0, "spoken_s": 6.0}, "spoken_s"),
        ({"piece_chars": 20, "joined_chars": 10}, "joined_chars"),
        ({"repeat": 1}, "repeat"),
        ({"redis_prefix": "a{b}"}, "redis_prefix"),
        ({"redis_timeout_s": 0}, "redis_timeout_s"),
        ({"windows": 1}, "windows"),
    ],
)
def test_what_cannot_be_is_refused_by_field_and_shows_no_address(wrong: dict[str, float], field: str):
    secret = "redis://:s3cret@host"

    with pytest.raises(ValidationError) as refused:
        ConversationSettings.model_validate({"redis_url": secret, **wrong})
    assert [problem["loc"] for problem in refused.value.errors()] == [(field,)]
    assert "s3cret" not in str(refused.value.errors())


def test_the_address_is_not_shown():
    assert "s3cret" not in repr(ConversationSettings.model_validate({"redis_url": "redis://:s3cret@host"}))
