"""The pages as data: their fenced blocks, and the commands that they show."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
    ROOT / "benchmarks" / "README.md",
]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^|\n\n)((?: {4}[^\n]*\n)+)")
INLINE = re.compile(r"`([^`\n]+)`")
RUNS_WEFT = re.compile(r"(?:\.venv/bin/)?weft (.+)")


@dataclass(frozen=True)
class Block:
    """One fenced block: `language` and `note` are the words of its info string."""

    page: Path
    line: int
    language: str
    note: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        language, _, note = match[1].strip().partition(" ")
        found.append(Block(page, text.count("\n", 0, match.start()) + 1, language, note, match[2]))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def blocks(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def shown_commands(page: Path) -> list[list[str]]:
    """The arguments of every ``weft …`` that a page shows, in blocks and in the middle of sentences."""
    lines = [line.removeprefix("$ ") for block in blocks_of(page) for line in _joined(block.text)]
    lines += [line.strip() for part in INDENTED.findall(prose(page)) for line in _joined(part)]
    lines += INLINE.findall(INDENTED.sub("\n\n", prose(page)))
    found = []
    for line in lines:
        for command in re.split(r" && | \| | > ", line):
            if match := RUNS_WEFT.fullmatch(command.strip()):
                found.append(shlex.split(match[1].replace("…", ""), comments=True))
    return found


def _joined(text: str) -> list[str]:
    """The lines of a block, those that end with a backslash joined with the next one."""
    return text.replace("\\\n", " ").splitlines()
