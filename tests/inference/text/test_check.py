"""The check sees through disguises, leaves ordinary language alone, and its spans are true to the text as sent."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import ConfigError, InvalidSample, SampleTooLarge
from inference.samples import Scene
from inference.text.check import MAX_TEXT, TextChecker, TextSample, masked, require_text
from inference.text.reasons import Reason
from inference.verdicts import Decision, Judged, PolicyRef, Span, Verdict, worst

CHECKER = TextChecker.load()


def terms(text, checker=CHECKER, scene=Scene.DANMAKU):
    return [finding.match.term for finding in checker.findings(text, scene)]


def review_at_half(findings, scene):
    judged = [Judged(one, Decision.BLOCK if one.score >= 0.8 else Decision.REVIEW, "*", 2, "drop") for one in findings]
    judged.sort(key=lambda one: -one.finding.score)
    return Verdict(worst(one.decision for one in judged), PolicyRef("test", 1), tuple(judged))


DISGUISED = [
    ("加微信", "加微信", ()),
    ("加薇❤❤abc123", "加微信", ("homophone", "separator")),
    ("外掛", "外挂", ("traditional",)),
    ("ＮＭＳＬ", "nmsl", ("width",)),
    ("赌\u200b博", "赌博", ("invisible",)),
    ("赌*博", "赌博", ("separator",)),
    ("赌🔥博", "赌博", ("separator",)),
    ("加，微，信", "加微信", ("separator",)),
    ("傻傻逼逼逼", "傻逼", ("repeat",)),
    ("加🐧", "加QQ", ("alias", "emoji")),
    ("➕v", "加微信", ("homophone", "emoji", "leet")),
    ("加vx", "加微信", ("alias",)),
    ("jia vx", "加微信", ("alias", "pinyin", "separator")),
    ("贝者博", "赌博", ("split",)),
    ("睹博", "赌博", ("homophone",)),
    ("洗线", "洗钱", ("shape",)),
    ("练代", "代练", ("reversed",)),
    ("6合彩", "六合彩", ("leet",)),
    ("sqj", "死全家", ("initials",)),
    ("d4il1an", "代练", ("pinyin", "leet")),
    ("赌x博", "赌博", ("inserted",)),
    ("dubo", "赌博", ("pinyin",)),
    ("dai练", "代练", ("pinyin",)),
    ("网堵", "网赌", ("homophone",)),
    ("六合采", "六合彩", ("homophone",)),
    ("fu li 姬", "福利姬", ("pinyin", "separator")),
    ("扫码进裙", "扫码进群", ("homophone",)),
    ("n.m.s.l", "nmsl", ("separator",)),
]


@pytest.mark.parametrize(("text", "term", "transforms"), DISGUISED)
def test_a_disguised_term_is_found_and_the_disguise_named(text, term, transforms):
    (finding,) = CHECKER.findings(f"来 {text} 吧", Scene.DANMAKU)

    assert finding.match.term == term
    assert finding.match.transforms == transforms
    assert finding.match.matched == text
    assert finding.match.spans == (Span(2, 2 + len(text)),)


ORDINARY = [
    "这一代，练习得好",
    "现代打法",
    "下注意安全",
    "大麻烦来了",
    "参加群聊",
    "增加微信好友",
    "我在读博",
    "加vip",
    "tony sbs",
    "on my slow laptop",
    "666666666",
    "主播加油",
    "带狗进店",
    "比分3:2",
    "废物利用",
    "远离赌博",
    "他家卫星很清楚",
    "刷单词",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_language_is_left_alone(text):
    assert terms(text) == []


def test_every_term_of_the_base_list_is_found_as_it_is_written():
    for term in CHECKER.terms():
        assert term.text in terms(f"，{term.text}！"), term


def test_a_contact_behind_a_term_belongs_to_it_and_makes_it_certain():
    reading = CHECKER.read("来加薇❤❤abc123", Scene.DANMAKU)

    (finding,) = reading.findings
    assert (finding.label, finding.score, finding.match.matched) == ("ads.contact", 0.99, "加薇❤❤abc123")
    assert [(one.type, one.value) for one in reading.contacts] == [("wechat", "abc123")]


def test_a_contact_alone_is_a_finding_of_its_own_and_a_room_number_is_none():
    (finding,) = CHECKER.findings("QQ：12345678", Scene.DANMAKU)

    assert (finding.label, finding.detector, finding.match.list) == ("ads.contact", "contact", "contacts@1")
    assert CHECKER.findings("房间号 99998", Scene.DANMAKU) == ()


def test_an_allowed_phrase_drops_the_hits_it_overlaps_and_no_others(tmp_path):
    (tmp_path / "allow.txt").write_text("代打卡\n", "utf-8")
    checker = TextChecker.load(allow=[tmp_path / "allow.txt"])

    assert terms("找人代打卡", checker) == []
    assert terms("找人代打卡，赌博", checker) == ["赌博"]
    assert terms("找人代打", checker) == ["代打"]


def test_a_tenants_list_counts_in_its_scenes_only(tmp_path):
    (tmp_path / "mine.csv").write_text("term,label,level,scenes\n竞品台,competitor.mention,2,nickname\n", "utf-8")
    checker = TextChecker.load([tmp_path / "mine.csv"], base=False)

    assert terms("去竞品台", checker, Scene.NICKNAME) == ["竞品台"]
    assert terms("去竞品台", checker, Scene.DANMAKU) == []


def test_modes_say_how_much_is_seen_through(tmp_path):
    (tmp_path / "mine.csv").write_text("term,label,level,mode\n飞刀令,custom.word,2,exact\n天狼星,custom.word,2,fold\n", "utf-8")
    checker = TextChecker.load([tmp_path / "mine.csv"], base=False)

    assert terms("飞刀令 飛刀令 飞*刀令", checker) == ["飞刀令", "飞刀令"]
    assert terms("天*狼星 天狼兴", checker) == ["天狼星"]


def test_a_reload_takes_the_new_lists_and_a_bad_one_leaves_the_old(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("天狼星\n", "utf-8")
    checker = TextChecker.load([path], base=False)
    path.write_text("北极星\n", "utf-8")
    checker.reload([path], base=False)
    bad = tmp_path / "bad.csv"
    bad.write_text("term,label,level\n词,no.such,2\n", "utf-8")

    with pytest.raises(ConfigError, match=r"no\.such"):
        checker.reload([bad], base=False)
    assert terms("天狼星北极星", checker) == ["北极星"]


def test_levels_order_the_scores():
    scores = {text: CHECKER.findings(text, Scene.DANMAKU)[0].score for text in ("开挂", "外挂", "透视挂")}

    assert scores["开挂"] < scores["外挂"] < scores["透视挂"]


def test_a_result_masks_what_is_not_passed_and_says_why():
    result = CHECKER.check(TextSample("主播傻-逼，加油"), review_at_half)

    assert result.verdict.decision is Decision.BLOCK
    assert result.masked_text == "主播***，加油"
    assert "傻逼" in result.reason.zh
    assert "inserted symbols" in result.reason.en


def test_a_clean_text_has_no_reason_and_no_mask():
    result = CHECKER.check(TextSample("主播加油"), review_at_half)

    assert result.verdict.decision is Decision.PASS
    assert result.masked_text == "主播加油"
    assert result.reason == Reason()


def test_masking_keeps_the_length():
    assert masked("abcdef", [Span(1, 3), Span(5, 9)]) == "a**de*"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("x" * (MAX_TEXT + 1), SampleTooLarge, "10001 code points"),
        ("ab\x00", InvalidSample, "NUL at 2"),
        ("ab\ud83d", InvalidSample, "U\\+D83D at 2"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_with_its_place(text, error, message):
    with pytest.raises(error, match=message):
        require_text(text)


def test_the_longest_text_is_checked_to_its_end():
    text = "好" * (MAX_TEXT - 2) + "赌博"

    (finding,) = CHECKER.findings(text, Scene.DANMAKU)
    assert finding.match.spans == (Span(MAX_TEXT - 2, MAX_TEXT),)


PIECES = st.sampled_from(
    ["加", "微信", "薇", "v", "赌", "博", "傻逼", "abc123", " ", "❤", "\u200d", "，", "ＱＱ", "🐧", "➕", "dubo", "１３８"]
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(alphabet=st.characters(codec=None), max_size=80), st.lists(PIECES, max_size=30).map("".join)))
def test_spans_are_true_and_nothing_crashes_whatever_the_text(text):
    for scene in (Scene.DANMAKU, Scene.OCR):
        for finding in CHECKER.findings(text, scene):
            spans = finding.match.spans
            assert finding.match.matched == "".join(text[span.start : span.end] for span in spans)
            assert all(0 <= span.start < span.end <= len(text) for span in spans)
            assert 0.0 < finding.score <= 1.0
            assert len(masked(text, spans)) == len(text)


@pytest.mark.shared
def test_ordinary_danmaku_are_hardly_ever_hit(shared_data):
    with (shared_data / "text" / "douyu_danmaku" / "data.csv").open(encoding="utf-8", newline="") as file:
        lines = [row["text"] for row in csv.DictReader(file)]

    n_hit = sum(bool(terms(line)) for line in lines)
    assert n_hit / len(lines) < 0.01
