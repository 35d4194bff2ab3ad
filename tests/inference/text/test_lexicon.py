"""Lists are read whole or refused with every bad line named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import ConfigError
from inference.samples import Scene
from inference.text.lexicon import BASE_ALLOW, BASE_LIST, AllowList, Mode, Term, WordList, list_mark, read_phrases
from inference.text.list_files import MAX_LIST_BYTES, csv_text
from models.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()


def read(tmp_path, text, name="mine.csv"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return WordList.read(path, TAXONOMY.__getitem__)


def test_the_shipped_list_maps_every_term_to_the_taxonomy():
    base = WordList.read(BASE_LIST, TAXONOMY.__getitem__, name="base")

    assert base.errors == ()
    assert len(base.terms) == 61
    assert base.ref == "base@1"


def test_the_shipped_list_holds_every_term_of_the_shared_one(shared_data):
    lines = (shared_data / "text" / "base_lexicon.csv").read_text("utf-8").splitlines()[1:]
    levels = {term: int(level) for term, _, level in (line.split(",") for line in lines)}

    assert {term.text: term.level for term in WordList.read(BASE_LIST, TAXONOMY.__getitem__).terms} == levels


def test_csv_says_label_level_scenes_and_mode(tmp_path):
    word_list = read(
        tmp_path, "term,label,level,scenes,mode\n# a comment,,,,\n竞品台,competitor.mention,1,danmaku|nickname,exact\n"
    )

    (term,) = word_list.terms
    assert (term.label, term.level, term.mode) == ("competitor.mention", 1, Mode.EXACT)
    assert term.scenes == {Scene.DANMAKU, Scene.NICKNAME}


def test_plain_text_is_custom_words(tmp_path):
    word_list = read(tmp_path, "\ufeff某词\n\n# remark\n另一词\n", "words.txt")

    assert [(term.text, term.label, term.level) for term in word_list.terms] == [
        ("某词", "custom.word", 2),
        ("另一词", "custom.word", 2),
    ]


def test_columns_may_have_their_other_names_in_any_order_and_case(tmp_path):
    word_list = read(tmp_path, "Severity, Category ,TERM,scene,expiry\n3,gambling.promo,某彩,danmaku,2026-12-31\n")

    (term,) = word_list.terms
    assert (term.text, term.label, term.level, term.scenes) == ("某彩", "gambling.promo", 3, {Scene.DANMAKU})
    assert term.expires is not None


def test_quotes_hold_commas_and_a_term_may_begin_with_a_hash(tmp_path):
    word_list = read(
        tmp_path, '# remark "with, quotes\n\nterm,label,level\n"一,二",custom.word,2\n"#三",custom.word,2\n#四,custom.word,2\n'
    )

    assert [term.text for term in word_list.terms] == ["一,二", "#三"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("某词,ads.contct,2,,", "ads.contact"),
        ("某词,ads.contact,9,,", "unknown level '9'"),
        ("某词,ads.contact,2,chat,", "unknown scene 'chat'"),
        ("某词,ads.contact,2,,sound", "unknown mode 'sound'"),
        ("词" * 65 + ",ads.contact,2,,", "65 characters"),
        ("一,二,ads.contact,2,,", "6 values for 5 columns; put values that hold a comma in quotes"),
        ('"一"二,ads.contact,2,,', "no CSV: ',' expected after '\"'; close every quote"),
        ('"某\n词",ads.contact,2,,', "control character U+000A at 1"),
        ("好词,ads.divert,2,,", "term '好词' is labelled ads.contact on line 2 and ads.divert here; keep one"),
        ("某词", "unknown level ''"),
    ],
)
def test_each_bad_line_is_named_and_the_good_ones_stay(tmp_path, row, problem):
    word_list = read(tmp_path, f"term,label,level,scenes,mode\n好词,ads.contact,2,,\n{row}\n另词,ads.contact,2,,\n")

    assert [term.text for term in word_list.terms] == ["好词", "另词"]
    (error,) = word_list.errors
    assert error.line == 3
    assert problem in error.problem
    with pytest.raises(ConfigError, match="1 bad lines: line 3"):
        word_list.require_clean("mine.csv")


def test_lines_are_counted_with_remarks_blank_ones_and_values_over_two_lines(tmp_path):
    word_list = read(tmp_path, 'term,label,level,reason\r\n# one\r\n\r\n某词,custom.word,2,"over\r\ntwo"\r\n词,custom.word,2,\r\n')

    assert [error.line for error in word_list.errors] == [4, 6]


def test_a_quote_that_never_closes_is_told_where_it_opens(tmp_path):
    word_list = read(tmp_path, 'term,label,level\n好词,custom.word,2\n"某词,custom.word,2\n另词,custom.word,2\n')

    assert [str(error).split(":")[0] for error in word_list.errors] == ["line 3"]
    assert [term.text for term in word_list.terms] == ["好词"]


def test_the_same_line_twice_counts_once_and_another_level_for_another_scene_is_kept(tmp_path):
    rows = ["加VX,ads.contact,2,danmaku", "加VX,ads.contact,2,danmaku", "加vx,ads.contact,3,nickname"]
    word_list = read(tmp_path, "\n".join(["term,label,level,scenes", *rows]))

    assert word_list.errors == ()
    assert [(term.text, term.level) for term in word_list.terms] == [("加VX", 2), ("加vx", 3)]


def test_patterns_that_differ_only_in_case_are_two(tmp_path):
    word_list = read(tmp_path, "term,label,level,mode\n群\\d,ads.divert,2,regex\n群\\D,ads.contact,2,regex\n")

    assert word_list.errors == ()
    assert len(word_list.terms) == 2


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("term", "lacks the columns label, level"),
        ("", "lacks the columns label, level, term"),
        ("term,label,level,expire", "unknown column 'expire'; did you mean 'expires'"),
        ("term,label,level,colour", "unknown column 'colour'; its header must be term,label,level"),
        ("term,label,category,level", "has the column 'label' twice; keep one"),
        ('"term"x,label,level', "its header is no CSV"),
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path, header, problem):
    with pytest.raises(ConfigError, match=problem):
        read(tmp_path, f"{header}\n某词,custom.word,2\n")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "gbk.csv").write_bytes("词".encode("gbk"))

    with pytest.raises(ConfigError, match="UTF-8"):
        WordList.read(tmp_path / "gbk.csv", TAXONOMY.__getitem__)
    with pytest.raises(ConfigError, match="cannot read allow-list"):
        read_phrases(tmp_path / "absent.txt")


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(MAX_LIST_BYTES + 1)

    with pytest.raises(ConfigError, match="at most 64 MiB are read"):
        WordList.read(path, TAXONOMY.__getitem__)


def test_what_is_written_reads_the_same(tmp_path):
    rows = [
        '"一,二",custom.word,2,nickname|danmaku,exact,ops,"say ""no""",2026-12-31',
        '"#三",custom.word,1,,pinyin,,,2026-12-31T18:00:00+08:00',
        "加+群 within 8,ads.divert,3,,combination,,,",
        '"群\\d{5,11}",ads.divert,3,,regex,,,',
    ]
    terms = read(tmp_path, "\n".join(["term,label,level,scenes,mode,owner,reason,expires", *rows])).terms

    again = read(tmp_path, csv_text(terms), "again.csv")

    assert again.errors == ()
    assert again.terms == terms
    assert len(terms) == 4


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=2, max_size=20).filter(
    lambda text: any(char.isalnum() for char in text)
)


@given(st.lists(WORDS, unique_by=str.casefold, max_size=20), st.text(max_size=20))
def test_whatever_the_words_are_they_survive_writing_and_reading(tmp_path_factory, words, note):
    path = tmp_path_factory.mktemp("lists") / "mine.csv"
    reason = note.strip() if note.isprintable() else ""
    terms = tuple(Term(word, "custom.word", 2, reason=reason) for word in words)
    path.write_text(csv_text(terms), "utf-8")

    read_back = WordList.read(path, TAXONOMY.__getitem__)

    assert read_back.errors == ()
    assert read_back.terms == terms


@given(st.text(max_size=200))
def test_no_file_crashes_the_reading(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("lists") / "any.csv"
    path.write_bytes(f"term,label,level\n{text}".encode("utf-8", "surrogatepass"))

    word_list = WordList.read(path, TAXONOMY.__getitem__)

    n_lines = len(path.read_text("utf-8").split("\n"))
    assert all(2 <= error.line <= n_lines for error in word_list.errors)


def test_a_file_may_say_its_own_name_and_version(tmp_path):
    body = "term,label,level\n某词,custom.word,2\n"

    assert read(tmp_path, f"{list_mark('ads', 7)}\n{body}", "7.csv").ref == "ads@7"
    assert read(tmp_path, f"# livewarden-list not json\n{body}", "7.csv").ref == "7@1"
    assert read(tmp_path, body, "7.csv").ref == "7@1"


def test_a_name_given_goes_before_what_the_file_says(tmp_path):
    path = tmp_path / "7.csv"
    path.write_text(f"{list_mark('ads', 7)}\nterm,label,level\n某词,custom.word,2\n", "utf-8")

    assert WordList.read(path, TAXONOMY.__getitem__, name="mine", version=2).ref == "mine@2"


def test_an_allow_list_is_phrases_each_once(tmp_path):
    path = tmp_path / "ours.txt"
    path.write_text("\ufeff# remark\n现代购物\n\n 远离赌博 \n现代购物\n", "utf-8")

    allow = AllowList.read(path)

    assert (allow.ref, allow.phrases, allow.errors) == ("ours@1", ("现代购物", "远离赌博"), ())
    assert read_phrases(path) == allow.phrases


def test_the_shipped_phrases_can_be_read():
    assert "废物利用" in read_phrases(BASE_ALLOW)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("加", "single-character phrase '加'"),
        ("。。。", "punctuation only"),
        ("加\u200b群", "U+200B"),
        ("长" * 201, "phrase of 201 characters; at most 200"),
    ],
)
def test_a_phrase_that_would_allow_nothing_or_everything_is_refused(tmp_path, line, problem):
    path = tmp_path / "ours.txt"
    path.write_text(f"现代购物\n{line}\n", "utf-8")

    (error,) = AllowList.read(path).errors
    assert error.line == 2
    assert problem in error.problem
    with pytest.raises(ConfigError, match=r"allow-list .* has 1 bad lines: line 2"):
        read_phrases(path)
