"""How terms are said."""

from __future__ import annotations

import pytest

from inference.speech.pronouncing import MAX_READINGS, Pronouncer
from inference.text.matcher import Language
from models.speech_codec import units_of


@pytest.fixture(scope="module")
def pronouncer() -> Pronouncer:
    return Pronouncer(Language.load().normaliser)


def said(pronouncer: Pronouncer, text: str) -> list[str]:
    return [" ".join(spoken.syllables) for spoken in pronouncer.readings(text)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("加微信", "jia wei xin"),
        ("加薇信", "jia wei xin"),
        ("加 微*信", "jia wei xin"),
        ("微信群聊", "wei xin qun liao"),
        ("jiaweixin", "jia wei xin"),
        ("jia微信", "jia wei xin"),
        ("vx", "wei ai ke si"),
        ("QQ群", "qiu qiu qun"),
        ("6合彩", "liu he cai"),
        ("绿茶", "lv cha"),
        ("國旗", "guo qi"),
    ],
)
def test_a_term_is_said_in_syllables_however_it_is_written(pronouncer: Pronouncer, text: str, first: str):
    assert said(pronouncer, text)[0] == first


def test_every_reading_of_a_polyphone_is_one_way_to_say_it(pronouncer: Pronouncer):
    assert {"yin hang", "yin xing"} <= set(said(pronouncer, "银行"))
    assert {"chong qing", "zhong qing"} <= set(said(pronouncer, "重庆"))
    assert {"jia qiu qiu", "jia kou kou"} <= set(said(pronouncer, "加QQ"))


def test_readings_are_bounded_and_none_is_there_twice(pronouncer: Pronouncer):
    many = pronouncer.readings("行行行行行行")

    assert 1 < len(many) <= MAX_READINGS
    assert len({spoken.units for spoken in many}) == len(many)


def test_homophones_are_one_path(pronouncer: Pronouncer):
    assert pronouncer.readings("冰毒")[0].units == pronouncer.readings("病毒")[0].units


@pytest.mark.parametrize("text", ["whatsapp", "telegram", "微信телефон", "…", "❤", ""])
def test_what_cannot_be_said_in_mandarin_has_no_reading(pronouncer: Pronouncer, text: str):
    assert pronouncer.readings(text) == ()


@pytest.mark.parametrize("syllables", ["jia wei xin", "yi wu yu yuan", "zhi chi shi zi ci si", "lv nve er", "kei ge"])
def test_units_are_written_as_the_syllables_they_came_from(pronouncer: Pronouncer, syllables: str):
    units = [unit for syllable in syllables.split() for unit in units_of(syllable)]

    assert pronouncer.written(units) == syllables


def test_a_unit_that_makes_no_syllable_is_written_alone(pronouncer: Pronouncer):
    initial, final = units_of("jia")

    assert pronouncer.written([initial, initial, final]) == "j jia"
    assert pronouncer.written([initial]) == "j"
    assert pronouncer.written([]) == ""
