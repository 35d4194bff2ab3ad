"""The lexicon commands: what they print, what they change and how they exit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference.lexicon_cli import lexicon_app
from inference.text.lexicon import WordList
from inference.text.list_store import ListStore
from inference.text.matcher import Language
from models.taxonomy import Taxonomy
from streams.cli import app

RUN = CliRunner()
HEADER = "term,label,level,scenes,mode,owner,reason,expires\n"


@pytest.fixture(scope="module", autouse=True)
def _language_read_once() -> Iterator[None]:
    """Keep the language's tables between commands; a real command reads them once, half a second each."""
    language = Language.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Language, "load", lambda: language)
        yield


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ListStore:
    monkeypatch.setenv("LIVEWARDEN_DATA_DIR", str(tmp_path / "data"))
    return ListStore.under(tmp_path / "data")


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.csv"
    path.write_text(f"{HEADER}天狼星座谈,custom.word,3,,exact,,,\n加+群 within 8,ads.divert,2,nickname,combination,,,\n", "utf-8")
    return str(path)


@pytest.fixture
def everyday(tmp_path: Path) -> str:
    path = tmp_path / "everyday.txt"
    path.write_text("加油\n天狼星座谈\n", "utf-8")
    return str(path)


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    path = tmp_path / "lines.txt"
    path.write_text("主播加油\n加油加油\n你好\n晚安\n", "utf-8")
    return str(path)


def run(*arguments: str):
    return RUN.invoke(lexicon_app, list(arguments))


def test_a_fit_list_passes_its_check_and_nothing_is_changed(good: str, store: ListStore):
    result = run("check", good)

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-2] == "1 of 2 terms could not hit: they do not count in scene danmaku, or have expired"
    assert "2 terms hit 0 of" in result.stdout
    assert "within the budget of 0.20%" in result.stdout
    assert store.names() == ()


def test_a_list_that_hits_ordinary_lines_is_refused_with_the_lines_and_spans(everyday: str, corpus: str):
    result = run("check", everyday, "--corpus", corpus)

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0].split("\t") == ["term", "label", "lines", "line", "span", "score", "text"]
    assert lines[1].startswith("加油\tcustom.word\t2\t1\t[2,4)\t")
    assert lines[1].endswith("\t主播【加油】")
    assert "2 terms hit 2 of 4 ordinary lines: 50.00%, over the budget of 0.20%" in lines[-1]


def test_a_larger_budget_lets_it_pass(everyday: str, corpus: str):
    assert run("check", everyday, "--corpus", corpus, "--budget", "0.5").exit_code == 0


def test_at_most_twenty_lines_are_shown_five_a_term(tmp_path: Path):
    terms = [f"测试词{letter}" for letter in "甲乙丙丁戊己"]
    (tmp_path / "words.txt").write_text("\n".join(terms), "utf-8")
    (tmp_path / "lines.txt").write_text("\n".join(term for term in terms for _ in range(6)), "utf-8")

    result = run("check", str(tmp_path / "words.txt"), "--corpus", str(tmp_path / "lines.txt"))

    shown = [line for line in result.stdout.splitlines() if line.startswith("测试词")]
    assert len(shown) == 20
    assert max(sum(line.startswith(term) for line in shown) for term in terms) == 5
    assert "... and 16 more hits, of 6 terms in all" in result.stdout


def test_a_single_bad_term_is_shown_with_twenty_lines(tmp_path: Path):
    (tmp_path / "words.txt").write_text("测试词甲\n", "utf-8")
    (tmp_path / "lines.txt").write_text("测试词甲\n" * 30, "utf-8")

    result = run("check", str(tmp_path / "words.txt"), "--corpus", str(tmp_path / "lines.txt"))

    assert len([line for line in result.stdout.splitlines() if line.startswith("测试词甲\t")]) == 20
    assert "... and 10 more hits, of 1 terms in all" in result.stdout


def test_a_check_for_machines_is_one_object(everyday: str, corpus: str):
    result = run("check", everyday, "--corpus", corpus, "--json")

    said = json.loads(result.stdout)
    assert result.exit_code == 1
    assert {key: said[key] for key in ("list", "scene", "n_terms", "n_untried", "n_lines", "n_hit", "rate", "budget", "fit")} == {
        "list": "everyday",
        "scene": "danmaku",
        "n_terms": 2,
        "n_untried": 0,
        "n_lines": 4,
        "n_hit": 2,
        "rate": 0.5,
        "budget": 0.002,
        "fit": False,
    }
    (term,) = said["terms"]
    assert (term["term"], term["n_lines"]) == ("加油", 2)
    assert term["hits"][0]["text"] == "主播加油"
    assert term["hits"][0]["spans"] == [[2, 4]]


def test_a_terminal_gets_a_table(everyday: str, corpus: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")

    result = run("check", everyday, "--corpus", corpus)

    assert "\x1b[" in result.stdout
    assert "\t" not in result.stdout
    assert "【加油】" in result.stdout


def test_bad_lines_end_a_command_with_every_line_told(tmp_path: Path, store: ListStore):
    (tmp_path / "bad.csv").write_text(f"{HEADER}某词,ads.contct,2,,,,,\n词,custom.word,9,,,,,\n", "utf-8")

    for arguments in (["check"], ["import", "--name", "ads"]):
        result = run(*arguments, str(tmp_path / "bad.csv"))

        assert result.exit_code == 2
        assert "bad.csv, line 2: " in result.stderr
        assert "ads.contact" in result.stderr
        assert "line 3: single-character term '词'" in result.stderr
    assert store.names() == ()


def test_bad_lines_for_machines(tmp_path: Path):
    (tmp_path / "bad.csv").write_text(f"{HEADER}某词,custom.word,9,,,,,\n", "utf-8")

    result = run("check", str(tmp_path / "bad.csv"), "--json")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["errors"] == [{"line": 2, "problem": "unknown level '9'; known: 1, 2, 3"}]


def test_of_very_many_bad_lines_fifty_are_told(tmp_path: Path):
    (tmp_path / "bad.txt").write_text("词\n" * 60, "utf-8")

    told = run("check", str(tmp_path / "bad.txt")).stderr.splitlines()

    assert len(told) == 51
    assert told[-1] == "... and 10 more bad lines"


def test_a_file_or_corpus_that_is_not_there_exits_2(good: str, tmp_path: Path):
    missing = str(tmp_path / "absent.csv")

    assert run("check", missing).exit_code == 2
    assert run("check", good, "--corpus", missing).exit_code == 2
    assert "cannot read corpus" in run("check", good, "--corpus", missing).stderr


def test_an_import_is_in_force_with_its_notes(good: str, store: ListStore):
    result = run("import", good, "--name", "ads", "--owner", "安全组")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "ads@1 is in force"
    notes = store.find("ads").notes()
    assert notes is not None
    assert (notes.owner, notes.source, notes.n_lines, notes.false_hit_rate) == ("安全组", "good.csv", 2, 0.0)


def test_an_import_over_the_budget_is_refused_unless_forced(everyday: str, corpus: str, store: ListStore):
    refused = run("import", everyday, "--name", "ads", "--corpus", corpus)
    before = store.names()
    forced = run("import", everyday, "--name", "ads", "--corpus", corpus, "--force")

    assert refused.exit_code == 1
    assert "refused, and nothing was changed" in refused.stderr
    assert before == ()
    assert forced.exit_code == 0
    assert store.find("ads").version == 1


def test_an_import_for_machines_tells_the_report_alone_on_standard_output(good: str):
    result = run("import", good, "--name", "ads", "--json")

    assert json.loads(result.stdout)["fit"] is True
    assert result.stderr == "ads@1 is in force\n"


def test_an_allow_list_is_imported_and_warns_of_terms_it_switches_off(tmp_path: Path, store: ListStore):
    (tmp_path / "ours.txt").write_text("赌博\n", "utf-8")

    result = run("import", str(tmp_path / "ours.txt"), "--name", "ours", "--kind", "allow")

    assert result.exit_code == 0
    assert "warning: switches off shipped terms: 赌博" in result.stderr
    assert [path.name for path in store.live_allow_paths()] == ["1.txt"]


def test_a_name_that_cannot_be_one_exits_2(good: str):
    result = run("import", good, "--name", "广告")

    assert result.exit_code == 2
    assert "list name '广告'; give 1 to 40 lower-case letters" in result.stderr


def test_allowed_phrases_in_force_count_in_a_check(everyday: str, corpus: str, tmp_path: Path):
    (tmp_path / "ours.txt").write_text("主播加油\n加油加油\n", "utf-8")
    run("import", str(tmp_path / "ours.txt"), "--name", "ours", "--kind", "allow")

    assert run("check", everyday, "--corpus", corpus).exit_code == 0


def test_lists_are_listed_for_people_and_machines(good: str):
    empty = run("list")
    run("import", good, "--name", "ads")
    run("import", good, "--name", "old")
    run("remove", "old")

    table = [line.split("\t")[:4] for line in run("list").stdout.splitlines()]
    views = json.loads(run("list", "--json").stdout)

    assert "no lists in" in empty.stdout
    assert table == [["list", "kind", "state", "lines"], ["ads@1", "block", "live", "2"], ["old@1", "block", "off", "2"]]
    assert [(view["name"], view["version"], view["live"], view["n_lines"]) for view in views] == [
        ("ads", 1, True, 2),
        ("old", 1, False, 2),
    ]


def test_a_list_is_shown_with_its_versions_and_what_it_holds(good: str, everyday: str):
    run("import", good, "--name", "ads")
    run("import", everyday, "--name", "ads", "--force")
    run("rollback", "ads", "1")

    result = run("show", "ads")
    view = json.loads(run("show", "ads", "--json").stdout)

    assert [line.split("\t")[2] for line in result.stdout.splitlines()[1:3]] == ["live", "off"]
    assert {"label ads.divert: 1", "label custom.word: 1", "mode combination: 1", "expired: 0"} <= set(result.stdout.splitlines())
    assert [version["live"] for version in view["versions"]] == [True, False]
    assert view["holds"]["label ads.divert"] == 1
    assert view["holds"]["listened for in speech"] == 1  # the other counts in nicknames only


def test_an_allow_list_is_shown_with_its_phrases_counted(tmp_path: Path):
    (tmp_path / "ours.txt").write_text("现代购物\n天狼星座\n", "utf-8")
    run("import", str(tmp_path / "ours.txt"), "--name", "ours", "--kind", "allow")

    assert run("show", "ours").stdout.splitlines()[-1] == "phrases: 2"


def test_a_version_put_there_by_hand_is_shown_as_far_as_it_is_known(good: str, store: ListStore):
    run("import", good, "--name", "ads")
    (store.root / "ads" / "2.csv").write_text("term,label,level\n某词,custom.word,2\n", "utf-8")

    result = run("show", "ads")
    view = json.loads(run("show", "ads", "--json").stdout)

    assert result.stdout.splitlines()[2].split("\t") == ["ads@2", "block", "off", "?", "?", "", "", "?"]
    assert view["versions"][1] == {"name": "ads", "version": 2, "kind": "block", "live": False}


def test_try_tells_what_the_lists_in_force_find(good: str):
    run("import", good, "--name", "ads")

    result = run("try", "今晚天狼星座谈", "主播加油")

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0].split() == ["block", "今晚天狼星座谈"]
    assert "custom.word: 今晚【天狼星座谈】 [2,7) is '天狼星座谈' of ads@1" in lines[1]
    assert lines[2].split() == ["pass", "主播加油"]
    assert run("try", "主播加油").exit_code == 0


def test_try_for_machines_is_one_object_a_text(good: str):
    run("import", good, "--name", "ads")

    views = [json.loads(line) for line in run("try", "--json", "天狼星座谈", "你好").stdout.splitlines()]

    assert [view["decision"] for view in views] == ["block", "pass"]
    (finding,) = views[0]["findings"]
    assert (finding["list"], finding["term"], finding["spans"]) == ("ads@1", "天狼星座谈", [[0, 5]])
    assert views[1]["findings"] == []


def test_try_follows_scene_and_allow_list(good: str, tmp_path: Path):
    (tmp_path / "ours.txt").write_text("天狼星座谈会\n", "utf-8")
    run("import", good, "--name", "ads")
    run("import", str(tmp_path / "ours.txt"), "--name", "ours", "--kind", "allow")

    assert run("try", "天狼星座谈会").exit_code == 0
    assert run("try", "天狼星座谈", "--scene", "nickname").exit_code == 1


def test_try_cannot_steer_the_terminal():
    assert "\x1b" not in run("try", "\x1b[2J你好").stdout


def test_a_removed_list_finds_nothing_and_a_rollback_brings_it_back(good: str):
    run("import", good, "--name", "ads")

    removed = run("remove", "ads")
    without = run("try", "天狼星座谈").exit_code
    back = run("rollback", "ads", "1")

    assert removed.stdout == "ads@1 is out of force; `livewarden lexicon rollback ads 1` brings it back\n"
    assert back.stdout == "ads@1 is in force\n"
    assert (without, run("try", "天狼星座谈").exit_code) == (0, 1)


def test_an_export_can_be_imported_again(good: str, tmp_path: Path):
    run("import", good, "--name", "ads")

    result = run("export", "ads")

    assert result.exit_code == 0
    (tmp_path / "out.csv").write_text(result.stdout, "utf-8")
    again = WordList.read(tmp_path / "out.csv", Taxonomy.load().__getitem__)
    assert again.terms == WordList.read(Path(good), Taxonomy.load().__getitem__).terms
    assert again.ref == "out@1"


@pytest.mark.parametrize("arguments", [["show", "no"], ["remove", "no"], ["rollback", "no", "1"], ["export", "no"]])
def test_a_list_that_is_not_there_exits_2(arguments: list[str]):
    result = run(*arguments)

    assert result.exit_code == 2
    assert "no list 'no'; known: none yet" in result.stderr


def test_the_data_folder_of_a_settings_file_is_used(good: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LIVEWARDEN_DATA_DIR")
    settings = tmp_path / "livewarden.yaml"
    settings.write_text(f"data_dir: {tmp_path / 'other'}\nrooms: {{max_rooms: 3}}\n", "utf-8")

    run("import", good, "--name", "ads", "--config", str(settings))

    assert [stored.ref for stored in ListStore.under(tmp_path / "other").live()] == ["ads@1"]


def test_without_a_setting_lists_lie_in_the_users_data_folder(good: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LIVEWARDEN_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))

    run("import", good, "--name", "ads")

    assert [stored.ref for stored in ListStore.under(tmp_path / "home" / "livewarden").live()] == ["ads@1"]


def test_the_commands_are_part_of_livewarden(good: str):
    result = RUN.invoke(app, ["lexicon", "import", good, "--name", "ads"])

    assert result.exit_code == 0
    assert "ads@1" in RUN.invoke(app, ["lexicon", "list"]).stdout
