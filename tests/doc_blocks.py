"""The code blocks of README and docs, and the commands and outputs in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass
class Block:
    """A fenced block: where it stands, its language, and its lines."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str | None:
        """The name that the first line of a file's content gives it, as a comment."""
        found = re.match(r"# ([\w.]+\.ya?ml)\b", self.text)
        return found.group(1) if found else None


@dataclass
class Command:
    """A command of a shell block, and what the page shows that it prints."""

    place: str
    words: list[str]
    output: list[str]


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found, opened = [], None
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.startswith("```"):
            if opened is None:
                opened = Block(str(path.relative_to(ROOT)), number, line[3:].strip(), "")
            else:
                found.append(opened)
                opened = None
        elif opened is not None:
            opened.text += line + "\n"
    assert opened is None, f"{path}: a block is not closed"
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a block: with `$` before them what follows is their output, without it every line is a command."""
    lines = block.text.replace("\\\n", " ").splitlines()
    shows = any(line.startswith("$ ") for line in lines)
    found: list[Command] = []
    for line in lines:
        if shows and not line.startswith("$ "):
            if found and line.strip():
                found[-1].output.append(line)
        elif line.strip() and not line.lstrip().startswith("#"):
            found.append(Command(block.place, shlex.split(line.removeprefix("$ "), comments=True), []))
    return found


def same_but_for_blanks(line: str) -> str:
    """A line whose blanks and rules do not count: they differ from width to width. Figures do: what pages show is seeded."""
    return re.sub(r"[\s─━┃│┏┓┡┩└┘┳╇┴]+", " ", line).strip()
