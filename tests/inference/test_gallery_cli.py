"""The commands of the gallery."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from inference.gallery_cli import gallery_app
from inference.samples import Pixels
from tests.inference.vision.gallery_maker import BOARD, LABEL, levels


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "livewarden.yaml"
    path.write_text(f"data_dir: {tmp_path / 'data'}\nmodels: {{dir: {tmp_path / 'models'}}}\n")
    return path


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = tmp_path / "shots"
    folder.mkdir()
    for number, level in enumerate(levels(BOARD, (0, 4, 8))):
        cv2.imwrite(str(folder / f"{number}.png"), cv2.cvtColor(level, cv2.COLOR_RGB2BGR))
    return folder


def clip_of(path: Path) -> Iterator[Pixels]:
    """Stands in for the reader of clips: levels of the title."""
    yield from levels(BOARD, (1, 5))


def run(config: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(gallery_app, [*map(str, words), "--config", str(config)], obj=clip_of)


def test_a_title_is_taught_from_folder_and_clip_listed_shown_removed_and_brought_back(config: Path, shots: Path) -> None:
    added = run(
        config, "add", "board", shots, "play.mp4", "--label", LABEL, "--alias", "棋牌之夜", "--until", "2030-01-01", "--json"
    )
    assert added.exit_code == 0, added.output
    told = json.loads(added.stdout)
    assert (told["name"], told["n_pictures"], told["aliases"], told["ends_at"]) == (
        "board",
        5,
        ["棋牌之夜"],
        "2030-01-01T00:00:00Z",
    )
    assert "board@1" in run(config, "list").stdout
    assert "live" in run(config, "show", "board").stdout
    assert run(config, "remove", "board").exit_code == 0
    assert "nothing in" in run(config, "list").stdout
    assert "board@1 is in force" in run(config, "rollback", "board", "1").stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("nowhere.png", "--label", LABEL), "cannot read nowhere.png"),
        ((".", "--label", "banned_game.nothing"), "banned_game.nothing"),
        ((".", "--label", LABEL, "--from", "soon"), "moment 'soon'"),
    ],
)
def test_what_cannot_be_taught_is_one_line_and_exit_code_2(
    config: Path, shots: Path, words: tuple[str, ...], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shots)
    refused = run(config, "add", "board", *words)
    assert refused.exit_code == 2
    assert problem in refused.output


def test_an_empty_folder_and_a_file_that_is_no_picture_are_named(config: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("not a picture")
    assert "empty folder" in run(config, "add", "board", tmp_path / "empty", "--label", LABEL).output
    assert "notes.txt: unknown picture type" in run(config, "add", "board", tmp_path / "notes.txt", "--label", LABEL).output
