"""A list is replayed on ordinary lines: what the policy would not pass counts, worst terms first."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from inference.errors import ConfigError
from inference.list_trial import Trial, silenced_base_terms
from inference.policy_book import PolicyBook
from inference.samples import Modality, Scene
from inference.text.check import TextChecker
from inference.text.lexicon import BASE_ALLOW, BASE_LIST, AllowList, Mode, Term, WordList, read_phrases
from inference.text.list_check import (
    DEFAULT_BUDGET,
    ORDINARY,
    CorpusLine,
    ListReport,
    n_untried,
    read_corpus,
    replay_list,
    silenced_terms,
)
from inference.text.matcher import Language
from inference.verdicts import Decision, Finding, Judged, PolicyRef, Span, TextMatch, Verdict
from models.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
LINES = tuple(CorpusLine(number, text) for number, text in enumerate(["加油", "加油加油", "你好", "加油站，你好", "再见"], 1))


def find_literally(*terms: str, ref: str = "mine@1", score: float = 0.9):
    """Return a finder of words as they stand, one finding a place."""

    def find(text: str, scene: Scene) -> list[Finding]:
        found = []
        for term in terms:
            start = text.find(term)
            while start >= 0:
                match = TextMatch(ref, term, (Span(start, start + len(term)),), term)
                found.append(Finding("custom.word", score, Modality.TEXT, "lexicon", match=match))
                start = text.find(term, start + 1)
        return found

    return find


def review_at_half(findings, scene: Scene) -> Verdict:
    judged = [Judged(finding, Decision.REVIEW if finding.score >= 0.5 else Decision.PASS, "*", 1, "pass") for finding in findings]
    return Verdict(Decision.REVIEW, PolicyRef("test", 1), tuple(judged))


def words(*terms: Term) -> WordList:
    return WordList("mine", 1, terms)


def test_lines_are_counted_once_and_terms_are_told_worst_first():
    report = replay_list("mine@1", LINES, find_literally("你好", "加油"), review_at_half)

    assert (report.n_lines, report.n_hit, report.rate) == (5, 4, 0.8)
    assert [(term.term, term.n_lines) for term in report.terms] == [("加油", 3), ("你好", 2)]
    assert [(hit.line.number, hit.spans) for hit in report.terms[0].hits] == [
        (1, (Span(0, 2),)),
        (2, (Span(0, 2),)),
        (2, (Span(2, 4),)),
        (4, (Span(0, 2),)),
    ]


def test_what_the_policy_passes_does_no_harm():
    report = replay_list("mine@1", LINES, find_literally("加油", score=0.4), review_at_half)

    assert (report.n_hit, report.terms) == (0, ())


def test_what_others_find_does_not_count():
    report = replay_list("mine@1", LINES, find_literally("加油", ref="contacts@1"), review_at_half)

    assert report.n_hit == 0


def test_the_budget_is_the_largest_rate_that_is_let_in():
    report = ListReport(1000, 2, ())

    assert report.within(0.002)
    assert not ListReport(1000, 3, ()).within(0.002)
    assert not report.within(0.0)


def test_terms_that_cannot_hit_are_counted():
    now = datetime(2026, 11, 25, tzinfo=UTC)
    terms = [
        Term("一二", "custom.word", 2),
        Term("三四", "custom.word", 2, scenes=frozenset({Scene.NICKNAME})),
        Term("五六", "custom.word", 2, expires=now),
        Term("七八", "custom.word", 2, scenes=frozenset({Scene.NICKNAME}), expires=now),
    ]

    assert n_untried(terms, Scene.DANMAKU, now) == 3
    assert n_untried(terms, Scene.NICKNAME, now) == 2


def test_terms_that_an_allow_list_switches_off_are_told():
    terms = [Term("加油", "custom.word", 2), Term("你好", "custom.word", 2), Term("加.", "custom.word", 2, mode=Mode.REGEX)]

    silenced = silenced_terms(terms, find_literally("加油", "你好"), find_literally("你好"))

    assert silenced == (terms[0],)


def test_an_allowed_phrase_inside_a_shipped_term_switches_it_off_and_a_longer_one_does_not():
    assert [term.text for term in silenced_base_terms(AllowList("ours", 1, ("赌博", "外挂硬盘")))] == ["赌博"]


def test_a_trial_looks_at_the_corpus_with_one_list_and_the_allowed_phrases(tmp_path: Path):
    corpus = tmp_path / "lines.txt"
    corpus.write_text("天狼星观测\n加微信abc123\n天狼星座\n你好\n", "utf-8")
    trial = Trial(PolicyBook.load(taxonomy=TAXONOMY), ("天狼星座",), corpus=corpus)

    report = trial.replay(words(Term("天狼星", "custom.word", 2, mode=Mode.EXACT)))

    assert [(term.term, [hit.line.number for hit in term.hits]) for term in report.terms] == [("天狼星", [1])]


def test_a_trial_takes_the_scene(tmp_path: Path):
    corpus = tmp_path / "lines.txt"
    corpus.write_text("天狼星观测\n", "utf-8")
    term = Term("天狼星", "custom.word", 2, frozenset({Scene.NICKNAME}))
    policies = PolicyBook.load(taxonomy=TAXONOMY)

    hits = [Trial(policies, (), scene, corpus).replay(words(term)).n_hit for scene in (Scene.DANMAKU, Scene.NICKNAME)]

    assert hits == [0, 1]


def test_the_shipped_list_passes_its_own_check():
    base = WordList.read(BASE_LIST, TAXONOMY.__getitem__, name="base")
    trial = Trial(PolicyBook.load(taxonomy=TAXONOMY), read_phrases(BASE_ALLOW))

    report = trial.replay(base)

    assert report.within(DEFAULT_BUDGET), [(term.term, hit.line.text) for term in report.terms for hit in term.hits]


def test_a_list_of_everyday_words_does_not_pass():
    everyday = words(*(Term(text, "custom.word", 2) for text in ("主播", "加油", "礼物")))
    checker = TextChecker(Language.load(), TAXONOMY, [everyday], ())
    policies = PolicyBook.load(taxonomy=TAXONOMY)

    def decide(findings, scene: Scene) -> Verdict:
        return policies.verdict(policies.for_text("", scene), findings, scene=scene)

    report = replay_list(everyday.ref, read_corpus(), checker.findings, decide)

    assert not report.within(DEFAULT_BUDGET)
    assert report.terms[0].term == "主播"


def test_the_shipped_corpus_is_many_different_short_lines():
    lines = read_corpus(ORDINARY)

    assert len(lines) >= 1500
    assert len({line.text for line in lines}) == len(lines)
    assert max(len(line.text) for line in lines) <= 40
    assert not any(line.text.startswith("# ") for line in lines)


def test_a_corpus_may_be_text_or_csv(tmp_path: Path):
    plain, table = tmp_path / "lines.txt", tmp_path / "lines.csv"
    plain.write_text("\ufeff# remark\n\n 你好 \n# 这也是弹幕\n", "utf-8")
    table.write_text('user,text\nu1,你好\nu2,"一,\n二"\nu3,\n', "utf-8")

    assert read_corpus(plain) == (CorpusLine(3, "你好"), CorpusLine(4, "# 这也是弹幕"))
    assert [line.text for line in read_corpus(table)] == ["你好", "一,\n二"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("empty.txt", b"# remark\n\n", "holds no text"),
        ("empty.csv", b"", "has the columns none; it needs one called 'text'"),
        ("other.csv", "line,user\n你好,u\n".encode(), "has the columns line, user; it needs one called 'text'"),
        ("huge.csv", b"text\n" + b"x" * 200_000, "line 2: no CSV: field larger than field limit"),
        ("gbk.txt", "你好".encode("gbk"), "UTF-8"),
    ],
)
def test_a_corpus_that_cannot_serve_is_refused(tmp_path: Path, name: str, content: bytes, problem: str):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigError, match=problem):
        read_corpus(tmp_path / name)
