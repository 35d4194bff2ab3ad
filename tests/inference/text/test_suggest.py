"""What is offered is said by enough people, passes the check now and gives nobody away; memory stays within its bounds."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.text.normalise import Normaliser
from inference.text.popularity import MAX_FORMS, TableBounds
from inference.text.suggest import (
    MAX_CHECKS,
    MAX_FOLDED,
    MAX_FOLDED_BY_OFFER,
    MAX_GENERATIONS,
    MAX_KEPT_CHECKS,
    MAX_NAME,
    MAX_TEXT,
    PLATFORM_SHARE,
    Source,
    Suggester,
    SuggestSettings,
    worth_offering,
)
from inference.text.tables import Tables
from inference.text.typed import Letters

NORMALISER = Normaliser(Tables.load())
LETTERS = Letters(NORMALISER.syllables)
HOUR_S = 3_600.0


@pytest.fixture
def suggester():
    return Suggester(NORMALISER)


def say(suggester, room_id, text, users="abc", now_s=0.0):
    for uid in users:
        suggester.learn(room_id, uid, text, now_s)
    while suggester.fold_in():
        pass


def offers(suggester, prefix, *, room_id="9", now_s=0.0, limit=8, passes=lambda text: True, generation=1):
    return suggester.offer(room_id, prefix, now_s, limit=limit, passes=passes, generation=generation)


def texts(suggester, prefix, **asked):
    return [one.text for one in offers(suggester, prefix, **asked)]


# what is offered


def test_two_characters_typed_get_whole_sentences(suggester):
    say(suggester, "9", "主播今天好厉害")

    assert texts(suggester, "主播") == ["主播今天好厉害"]
    assert texts(suggester, "主播今") == ["主播今天好厉害"]
    assert texts(suggester, "主播明") == []


@pytest.mark.parametrize("prefix", ["", " ", "主", " 主 ", "\u200b主\u202e", "z", "１", "\u0301\u0301"])
def test_less_than_two_characters_after_folding_get_nothing(suggester, prefix):
    say(suggester, "9", "主播今天好厉害")
    say(suggester, "9", "z1 very good")

    assert offers(suggester, prefix) == []


@pytest.mark.parametrize("prefix", ["NICE", "ｎｉｃｅ", "  nice", "ni\u200bce", "NíCE"])
def test_prefixes_match_through_width_case_and_what_cannot_be_seen(suggester, prefix):
    say(suggester, "9", "Nice 主播")

    assert texts(suggester, prefix) == ["Nice 主播"]


def test_traditional_characters_meet_simplified_ones(suggester):
    say(suggester, "9", "厉害了主播")

    assert texts(suggester, "厲害") == ["厉害了主播"]


@pytest.mark.parametrize("prefix", ["zb", "ZB", "zbj", "zbjtzlh", "zhubo", "zhub", "zhubojintian"])
@pytest.mark.parametrize("room_id", ["9", "elsewhere"])
def test_pinyin_and_initials_are_prefixes_too(suggester, prefix, room_id):
    say(suggester, "9", "主播，今天真厉害")

    assert texts(suggester, prefix, room_id=room_id) == ["主播，今天真厉害"]


def test_a_prefix_of_syllables_that_can_be_split_two_ways_finds_both(suggester):
    say(suggester, "9", "西安真好看")
    say(suggester, "9", "线在哪里呀")

    assert set(texts(suggester, "xianz", room_id="elsewhere")) == {"西安真好看", "线在哪里呀"}


def test_the_commonest_way_to_write_it_is_offered(suggester):
    say(suggester, "9", "GG 主播", users="ab")
    say(suggester, "9", "gg 主播", users="cdefg")
    say(suggester, "9", "ＧＧ 主播", users="h")

    assert texts(suggester, "gg") == ["gg 主播"]


def test_rarer_ways_to_write_it_are_forgotten_first(suggester):
    say(suggester, "9", "abcd主播", users="ab")
    for index, form in enumerate(("ABCD主播", "Abcd主播", "aBcd主播", "abCd主播", "abcD主播", "ABcd主播")):
        say(suggester, "9", form, users=[f"u{index}"])

    assert texts(suggester, "ab") == ["abcd主播"]
    assert len(suggester._rooms["9"]._rivals[0]) == MAX_FORMS


def test_what_has_been_typed_whole_is_not_offered(suggester):
    say(suggester, "9", "主播加油")

    assert texts(suggester, "主播加") == ["主播加油"]
    assert texts(suggester, "主播加油") == []


def test_variants_that_differ_in_signs_and_repetition_are_one_offer(suggester):
    for index, text in enumerate(("主播加油", "主播加油！", "主播 加油", "主播加油油油")):
        say(suggester, "9", text, users=[f"{index}{user}" for user in range(5 - index)])

    assert texts(suggester, "主播") == ["主播加油"]


def test_no_more_than_the_limit_is_offered(suggester):
    for index in range(30):
        say(suggester, "9", f"主播{chr(0x4E00 + index)}好")

    assert len(offers(suggester, "主播", limit=1)) == 1
    assert len(offers(suggester, "主播", limit=20)) == 20


def test_a_full_answer_checks_no_further(suggester):
    for index in range(9):
        say(suggester, "9", f"主播{chr(0x4E00 + index)}好")
    asked = []

    offers(suggester, "主播", limit=3, passes=lambda text: not asked.append(text))
    assert len(asked) == 3


# popularity


def test_the_more_often_said_comes_first(suggester):
    say(suggester, "9", "主播唱得好", users="ab")
    say(suggester, "9", "主播玩得好", users="abcdef")
    say(suggester, "9", "主播笑得好", users="abcd")

    assert texts(suggester, "主播") == ["主播玩得好", "主播笑得好", "主播唱得好"]
    scores = [one.score for one in offers(suggester, "主播")]
    assert scores == sorted(scores, reverse=True)


def test_one_users_repetitions_in_a_row_count_once(suggester):
    say(suggester, "9", "主播唱得好", users="ab" + "b" * 50)
    say(suggester, "9", "主播玩得好", users="abc")

    assert texts(suggester, "主播") == ["主播玩得好", "主播唱得好"]


def test_popularity_halves_with_each_half_life(suggester):
    say(suggester, "9", "主播唱得好", users="abcdefgh", now_s=0.0)
    say(suggester, "9", "主播玩得好", users="abc", now_s=1_200.0)

    room = suggester._rooms["9"]
    weights = {one.canon: one.weight for one in room.best("主播", 1_200.0)}
    assert weights == pytest.approx({"主播唱得好": 2.0, "主播玩得好": 3.0})
    assert texts(suggester, "主播", now_s=1_200.0)[0] == "主播玩得好"


def test_what_is_no_longer_said_is_no_longer_offered(suggester):
    say(suggester, "9", "主播唱得好", users="abc", now_s=0.0)

    room = offers(suggester, "主播", now_s=0.0)
    after_hours = offers(suggester, "主播", now_s=2 * HOUR_S)
    assert [one.source for one in room] == [Source.ROOM]
    assert [one.source for one in after_hours] == [Source.PLATFORM]
    assert offers(suggester, "主播", now_s=24 * 6 * HOUR_S) == []


def test_the_platforms_sentences_fill_up_behind_those_said_in_the_room_just_now(suggester):
    say(suggester, "8", "主播唱得好", users=map(str, range(1_000)))
    say(suggester, "9", "主播玩得好", users="ab")

    found = offers(suggester, "主播")
    assert [(one.text, one.source) for one in found] == [("主播玩得好", Source.ROOM), ("主播唱得好", Source.PLATFORM)]
    assert found[1].score < PLATFORM_SHARE <= found[0].score < 1.0


def test_scores_stay_exact_after_months(suggester):
    later_s = 90 * 24 * HOUR_S
    say(suggester, "9", "主播玩得好", users="abcd", now_s=later_s)

    (one,) = suggester._rooms["9"].best("主播", later_s + 600.0)
    assert one.weight == pytest.approx(2.0, rel=1e-6)


# privacy


def test_a_line_of_one_user_is_never_offered_however_often_it_is_said(suggester):
    for now_s in range(100):
        say(suggester, "9", "我家住在人民路", users="a", now_s=now_s)
        say(suggester, "9", "别的什么话呀", users="b", now_s=now_s)

    assert offers(suggester, "我家") == []


def test_a_room_needs_two_users_and_the_platform_three(suggester):
    say(suggester, "9", "主播唱得好", users="ab")
    assert [one.source for one in offers(suggester, "主播")] == [Source.ROOM]
    assert offers(suggester, "主播", room_id="8") == []

    say(suggester, "7", "主播唱得好", users="ab")
    assert offers(suggester, "主播", room_id="8") == []

    say(suggester, "6", "主播唱得好", users="c")
    assert [one.source for one in offers(suggester, "主播", room_id="8")] == [Source.PLATFORM]


@pytest.mark.parametrize(
    "text",
    [
        "主",
        "主播" * 15 + "呀",
        "主播12345好",
        "主播１２３４５好",
        "主播①②③④⑤好",
        "主播一二三四五",
        "主播1-2.3 4*5",
        "我是13812345678",
        "加微信abc123",
        "看www点abc",
        "主播a.com好",
        "主播https://x",
        "@张三 你好",
        "你好＠张三",
        "主播abc123好",
        "主播\u202e好厉害",
        "主播\u200b好厉害",
        "主播\x07好厉害",
        "主播\ud800好",
        "主播\x00好",
        "？？？",
        "❤❤❤",
        "   ",
    ],
)
def test_what_could_identify_somebody_or_is_no_sentence_is_not_learnt(suggester, text):
    say(suggester, "9", text)

    assert suggester.n_texts == 0


@pytest.mark.parametrize("text", ["主播1234好", "主播加油！", "第一名666", "❤主播❤", "good game", "主播 好"])
def test_ordinary_sentences_are_learnt(suggester, text):
    say(suggester, "9", text)

    assert suggester.n_texts == 2
    assert worth_offering(text, NORMALISER.canonical(text))


def test_a_known_sentence_is_not_offered_in_a_form_that_shows_something_else(suggester):
    say(suggester, "9", "主播加油", users="abc")
    say(suggester, "9", "主播\u202e加油", users="defghijkl")

    assert texts(suggester, "主播") == ["主播加油"]


@pytest.mark.parametrize(("room_id", "uid"), [("", "a"), ("9", ""), ("9" * (MAX_NAME + 1), "a")])
def test_nothing_is_learnt_of_nobody_or_nowhere(suggester, room_id, uid):
    suggester.learn(room_id, uid, "主播加油", 0.0)

    assert suggester.n_waiting == 0


def test_no_user_id_is_kept(suggester):
    suggester.learn("9", "secret-user", "主播加油", 0.0)

    assert "secret-user" not in repr(suggester._heard)


# the check


def test_what_the_check_does_not_pass_is_not_offered(suggester):
    say(suggester, "9", "主播唱得好")
    say(suggester, "9", "主播玩得好")

    assert texts(suggester, "主播", passes=lambda text: "唱" not in text) == ["主播玩得好"]


def test_new_lists_are_asked_again_and_old_verdicts_are_remembered(suggester):
    say(suggester, "9", "主播唱得好")
    asked = []

    def passes(text):
        asked.append(text)
        return len(asked) == 1

    assert texts(suggester, "主播", passes=passes, generation=1) == ["主播唱得好"]
    assert texts(suggester, "主播", passes=passes, generation=1) == ["主播唱得好"]
    assert len(asked) == 1
    assert texts(suggester, "主播", passes=passes, generation=2) == []
    assert texts(suggester, "主播", passes=passes, generation=2) == []
    assert len(asked) == 2


def test_a_verdict_is_that_of_the_form_offered(suggester):
    say(suggester, "9", "gg 主播", users="ab")
    assert texts(suggester, "gg", passes=str.islower) == ["gg 主播"]

    say(suggester, "9", "GG 主播", users="cdefg")
    assert texts(suggester, "gg", passes=str.islower) == []


def test_lists_that_refuse_many_are_worked_through_by_and_by(suggester):
    n_refused = 2 * MAX_CHECKS
    for index in range(n_refused):
        say(suggester, "9", f"主播坏{'甲乙丙丁戊己庚辛'[index // 8]}{'子丑寅卯辰巳午未'[index % 8]}", users="abcd")
    say(suggester, "9", "主播加油", users="ab")
    asked = []

    def passes(text):
        asked.append(text)
        return "坏" not in text

    found, n_asked = [], []
    for _ in range(3):
        found = texts(suggester, "主播", passes=passes)
        n_asked.append(len(asked))
    assert n_asked == [MAX_CHECKS, 2 * MAX_CHECKS, 2 * MAX_CHECKS + 1]
    assert found == ["主播加油"]


def test_a_check_that_fails_offers_nothing_and_is_not_remembered(suggester):
    say(suggester, "9", "主播加油")

    def broken(text):
        raise RuntimeError("the check fell over")

    with pytest.raises(RuntimeError):
        offers(suggester, "主播", passes=broken)
    assert texts(suggester, "主播", passes=lambda text: False) == []


def test_verdicts_of_a_few_generations_are_kept(suggester):
    say(suggester, "9", "主播加油")
    for generation in range(10):
        offers(suggester, "主播", generation=generation)

    assert list(suggester._verdicts) == list(range(10 - MAX_GENERATIONS, 10))


def test_verdicts_are_forgotten_when_there_are_too_many(suggester):
    say(suggester, "9", "主播加油")
    suggester._verdicts[1] = dict.fromkeys(map(str, range(MAX_KEPT_CHECKS)), True)
    offers(suggester, "主播", generation=1)

    assert suggester._verdicts[1] == {"主播加油": True}


# bounds


def test_lines_wait_in_a_bounded_queue_whose_oldest_is_dropped_and_counted():
    suggester = Suggester(NORMALISER, SuggestSettings(max_waiting=2))
    for text in ("主播唱得好", "主播玩得好", "主播笑得好"):
        suggester.learn("9", "a", text, 0.0)

    assert (suggester.n_waiting, suggester.n_dropped) == (2, 1)
    assert suggester.fold_in() == 2
    assert suggester._rooms["9"].known("主播唱得好") is None


def test_one_turn_of_learning_is_bounded(suggester):
    for _ in range(3 * MAX_FOLDED):
        suggester.learn("9", "a", "主播加油", 0.0)

    assert suggester.fold_in() == MAX_FOLDED
    offers(suggester, "主播")
    assert suggester.n_waiting == 2 * MAX_FOLDED - MAX_FOLDED_BY_OFFER
    assert suggester.fold_in(1) == 1


def test_what_was_said_just_now_is_offered_without_a_turn_of_learning(suggester):
    suggester.learn("9", "a", "主播加油", 0.0)
    suggester.learn("9", "b", "主播加油", 0.0)

    assert texts(suggester, "主播") == ["主播加油"]


def test_the_room_longest_without_a_line_makes_place():
    suggester = Suggester(NORMALISER, SuggestSettings(max_rooms=2))
    for room_id in ("1", "2", "1", "3"):
        say(suggester, room_id, "主播加油")

    assert (suggester.n_rooms, suggester.n_rooms_forgotten) == (2, 1)
    assert list(suggester._rooms) == ["1", "3"]


def test_lines_learnt_from_many_threads_are_all_there(suggester):
    def talk(uid):
        for _ in range(500):
            suggester.learn("9", uid, "主播加油", 0.0)

    threads = [threading.Thread(target=talk, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert suggester.n_waiting == 2_000
    assert suggester.n_dropped == 0


@pytest.mark.parametrize("bad", [{"max_rooms": 0}, {"max_waiting": 0}])
def test_bounds_that_cannot_work_are_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        SuggestSettings(**bad)


# whatever is said and asked

TALK = st.text(st.sampled_from("主播朱加油好哈zhbo1２Ａ ！❤\u200b\u202e\ud800@.微"), max_size=34)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from("123"), st.sampled_from("abcd"), TALK),
        st.tuples(st.just("ask"), st.sampled_from("1234"), st.integers(1, 20), TALK),
    ),
    max_size=120,
)


@settings(deadline=None)
@given(steps=STEPS, gap_s=st.floats(0, 5_000), bad=st.sampled_from("主播加油好哈z"))
def test_whatever_is_said_offers_pass_begin_with_the_prefix_and_memory_is_bounded(steps, gap_s, bad):
    bounds = SuggestSettings(
        room=TableBounds(max_texts=5, half_life_s=600, min_users=2),
        platform=TableBounds(max_texts=9, half_life_s=86_400, min_users=3, max_alike=4),
        max_rooms=2,
        max_waiting=8,
    )
    suggester = Suggester(NORMALISER, bounds)
    said = {}
    now_s = 0.0
    for step, room_id, who, text in steps:
        now_s += gap_s
        if step == "say":
            suggester.learn(room_id, who, text, now_s)
            said.setdefault(NORMALISER.canonical(text).strip(), {}).setdefault(who, set()).add(text.strip())
            suggester.fold_in(4)
        else:
            found = suggester.offer(room_id, text, now_s, limit=who, passes=lambda text: bad not in text, generation=1)
            check_offers(found, NORMALISER.canonical(text).lstrip(), said, limit=who, bad=bad)
        assert suggester.n_waiting <= 8
        assert suggester.n_rooms <= 2
        assert all(len(room) <= 5 for room in suggester._rooms.values())
        assert len(suggester._platform) <= 9
        assert all(0 < len(alike) <= 4 for alike in suggester._platform._filed.values())
        assert len(suggester._platform._forms) + len(suggester._platform._rivals) <= 2 * 9


def check_offers(found, typed, said, *, limit, bad):
    assert len(found) <= limit
    for one in found:
        typed_as = LETTERS.of(one.canon)
        assert one.canon.startswith(typed) or f"\n{typed}" in typed_as
        assert one.canon == NORMALISER.canonical(one.text).strip()
        assert bad not in one.text
        assert 2 <= len(one.text) <= MAX_TEXT
        assert 0.0 < one.score <= 1.0
        users = said[one.canon]
        assert len(users) >= (2 if one.source is Source.ROOM else 3)
        assert any(one.text in forms for forms in users.values())
