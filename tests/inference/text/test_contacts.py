"""Contacts are found in any disguise that folding sees through; numbers that are none are not."""

from __future__ import annotations

import pytest

from inference.text.contacts import find_contacts
from inference.text.normalise import Normaliser
from inference.text.tables import Tables

NORMALISER = Normaliser(Tables.load())


def found(text):
    return [(contact.type.value, contact.value) for contact in find_contacts(NORMALISER.canonical(text))]


@pytest.mark.parametrize(
    ("text", "contact"),
    [
        ("加薇❤❤abc123", ("wechat", "abc123")),
        ("加薇❤abc一二3", ("wechat", "abc123")),
        ("微信号：lao_wang88", ("wechat", "lao_wang88")),
        ("＋ｖ ａｂｃ１２３４", ("wechat", "abc1234")),
        ("vx13812345678", ("wechat", "13812345678")),
        ("qq 一二三4五⑥七8", ("qq", "12345678")),
        ("企鹅：88 66 21 33", ("qq", "88662133")),
        ("扣扣群八八六六二一三三", ("qq", "88662133")),
        ("电话1 3 8-1234·5678", ("phone", "13812345678")),
        ("幺三八一二三四五六七八", ("phone", "13812345678")),
        ("+86 13812345678", ("phone", "13812345678")),
        ("看www.abc-def.com/x?y=1", ("url", "www.abc-def.com/x?y=1")),
        ("去 abc点com 看", ("url", "abc.com")),
        ("房间号：9 9 9 8", ("room", "9998")),
    ],
)
def test_a_contact_is_found_with_its_type_and_value(text, contact):
    assert contact in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "6666666666666",
        "2333333333",
        "比分 13:5 第38分钟",
        "加微信",
        "加v吧主播",
        "qq 666666",
        "订单号138123456789012",
        "版本 1.2.3",
        "v我50",
        "一三五七九",
        "2018-11-24 20:00:00",
        "伤害 1234567 爆炸",
        "加油",
    ],
)
def test_what_is_no_contact_is_not_found(text):
    assert found(text) == []


def test_places_are_those_of_the_canonical_text():
    (contact,) = find_contacts("来加薇 abc123 吧")

    assert (contact.first, contact.last) == (1, 9)
