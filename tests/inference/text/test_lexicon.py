"""Lists are read whole or refused with every bad line named."""

from __future__ import annotations

import pytest

from inference.errors import ConfigError
from inference.samples import Scene
from inference.text.lexicon import BASE_LIST, Mode, WordList, read_phrases
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


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("某词,ads.contct,2,,", "ads.contact"),
        ("某词,ads.contact,9,,", "unknown level '9'"),
        ("某词,ads.contact,2,chat,", "unknown scene 'chat'"),
        ("某词,ads.contact,2,,sound", "unknown mode 'sound'"),
        ("词" * 65 + ",ads.contact,2,,", "65 characters"),
    ],
)
def test_each_bad_line_is_named_and_the_good_ones_stay(tmp_path, row, problem):
    word_list = read(tmp_path, f"term,label,level,scenes,mode\n好词,ads.contact,2,,\n{row}\n")

    assert [term.text for term in word_list.terms] == ["好词"]
    (error,) = word_list.errors
    assert error.line == 3
    assert problem in error.problem
    with pytest.raises(ConfigError, match="1 bad lines: line 3"):
        word_list.require_clean("mine.csv")


def test_a_header_without_a_column_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="lacks the columns label, level"):
        read(tmp_path, "term\n词\n")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "gbk.csv").write_bytes("词".encode("gbk"))

    with pytest.raises(ConfigError, match="UTF-8"):
        WordList.read(tmp_path / "gbk.csv", TAXONOMY.__getitem__)
    with pytest.raises(ConfigError, match="cannot read allow-list"):
        read_phrases(tmp_path / "absent.txt")
