"""The tokens that a recogniser answers with: read from its graph's metadata or from the file beside it.

tokens.txt      <blk> 0          metadata `tokens`     <blk>
                加 1                                    加
                微 2                                    微
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.errors import ConfigError

FILE = "tokens.txt"
"""Name of the file, one of the manifest's `extra_files`."""
METADATA = "tokens"
"""Key of the graph's metadata."""
BLANKS = ("<blk>", "<blank>", "<eps>", "<pad>", "[PAD]", "")
"""How vocabularies call the symbol that says nothing."""


@dataclass(frozen=True, slots=True)
class TokenList:
    """A recogniser's symbols, by their index in its output."""

    tokens: tuple[str, ...]
    blank: int
    """Index of the symbol that says nothing."""

    @classmethod
    def of(cls, tokens: Sequence[str], *, blank_index: int | None, where: str) -> TokenList:
        """Find the blank in a list of tokens.

        Args:
            tokens: by index.
            blank_index: where the blank is; None looks for its usual names.
            where: how messages name the list.

        Raises:
            ConfigError: there are no tokens, or no blank among them.
        """
        if not tokens:
            raise ConfigError(f"{where} is empty; it needs one token for each column of the network's output")
        found = blank_index
        if found is None:
            found = next((index for index, token in enumerate(tokens) if token in BLANKS), None)
        if found is None or not 0 <= found < len(tokens):
            raise ConfigError(
                f"{where} has no blank at {found} among its {len(tokens)} tokens; call it <blk>, or set blank_index in the manifest"
            )
        return cls(tuple(tokens), found)


def read_tokens(metadata: Mapping[str, str], folder: Path, *, where: str) -> list[str]:
    """Read the tokens of a recogniser: from the metadata where they are there, else from `tokens.txt`.

    Args:
        metadata: of its graph.
        folder: where its files lie.
        where: how messages name the model.

    Raises:
        ConfigError: there are none, or a line of the file makes no sense.
    """
    if metadata.get(METADATA):
        return metadata[METADATA].split("\n")
    path = folder / FILE
    if not path.is_file():
        raise ConfigError(f"{where} has no tokens; put them into its graph's metadata {METADATA!r}, or beside it as {FILE}")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read {path}: {exc}") from exc
    return numbered([line.rstrip("\r") for line in lines if line.strip()], where=str(path))


def numbered(lines: Sequence[str], *, where: str) -> list[str]:
    """Put lines of `token index` in order; a token may be a space or hold one.

    Raises:
        ConfigError: a line has no index, or the indices are not those from 0 up.
    """
    by_index: dict[int, str] = {}
    for n_line, line in enumerate(lines, 1):
        token, parted, index = line.rpartition(" ")
        if not parted or not index.isascii() or not index.isdigit():
            raise ConfigError(f"{where}, line {n_line}: {line!r} is not a token, a space and its index")
        if by_index.setdefault(int(index), token) != token:
            raise ConfigError(f"{where}, line {n_line}: index {index} is there twice")
    missing = next((index for index in range(len(by_index)) if index not in by_index), None)
    if missing is not None:
        raise ConfigError(f"{where}: index {missing} is missing; indices go from 0 to {len(by_index) - 1}")
    return [by_index[index] for index in range(len(by_index))]
