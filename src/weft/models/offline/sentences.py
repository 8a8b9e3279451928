# ruff: noqa: RUF001 -- typographic marks in patterns are meant
# ruff: noqa: SIM905 -- word lists read best as prose
"""Sentences: cutting Markdown, plain text and our own quotations into units that can be quoted exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from textwrap import dedent
from typing import Literal

from weft.models.offline.columns import as_rows
from weft.models.offline.phrases import LEAD

Kind = Literal["prose", "item", "row", "heading", "code"]

_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.+?)\s*#*\s*$")
_UNDERLINE = re.compile(r"^ {0,3}(={3,}|-{3,})\s*$")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_ITEM = re.compile(r"^\s*(?:[-*+•–]|\(?\d{1,3}[.)]|[a-z][.)])\s+(?:\[[ xX]\]\s+)?(.*)$")
_LATER = re.compile(r"^\s*(?!1[.)])\d{1,3}[.)]\s|^\s*[a-z]\.\s")
"""A number that is no 1: inside a paragraph it ends a sentence of a broken line, and opens no list."""
_ROW = re.compile(r"^\s*\|.*\|\s*$")
_PAIR = re.compile(r"^\s*[*_]{0,2}[A-Z][\w /()&-]{0,40}[*_]{0,2}:[*_]{0,2}\s+\S")
_RULE = re.compile(r"^[\s|:+=*_-]+$")
_TAG_LINE = re.compile(r"^\s*</?[A-Za-z!][^<>]*>\s*$")
_PATH = r"[\w@~][\w@~.-]*(?:/[\w@~.-]+)*\.[A-Za-z][A-Za-z0-9]{0,9}"
_SOURCE = re.compile(
    r"^\s*(?:#{1,6}\s*|[-=*]{2,}\s*|//\s*|>\s*)?(?:(?:begin|start of)\s+)?"
    r"(?:(?:file|source|document|doc|path|from)(?:\s*:\s*|\s+))?[`*\"'\[(<]{0,3}"
    rf"(?P<path>{_PATH})[`*\"'\])>]{{0,3}}\s*:?\s*(?:[-=*]{{2,}})?\s*$",
    re.IGNORECASE,
)
_TAG_SOURCE = re.compile(
    r"<(?:document|doc|file|source|page)\b[^<>]*?\b(?:name|path|source|src|title|id|file)\s*=\s*[\"']([^\"'<>]{1,200})[\"']",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"^[\"“](?P<text>.{2,})[\"”]\s*(?:[\[(](?P<source>[^\[\]()]{1,200})[\])])?\s*$", re.DOTALL)
_MARKED = re.compile(r"^(?P<text>.*\S) \[(?P<source>[^\[\]\s]*[\w~-]\.[A-Za-z]\w{0,9})\]$")
"""A row or a line of code with its source, as this model quotes them: the mark is no part of the text."""
_PAIRS = re.compile(r"[^:;]{1,60}: [^;]+(?:; [^:;]{1,60}: [^;]+)+")
_INLINE = re.compile(r"!?\[([^\[\]]{1,300})\]\([^()\s]{1,500}\)|\*\*([^*\n]{1,400})\*\*|__([^_\n]{1,400})__")
_HTML = re.compile(
    r"</?(?:a|p|em|strong|b|i|u|img|h[1-6]|br|hr|code|sub|sup|span|div|td|tr|th|table|tbody|thead|details|summary|kbd|center|"
    r"picture|source|li|ul|ol|pre|blockquote|small)(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_RST_LINK = re.compile(
    r"`([^`<>]{1,200}?)\s*<[^<>`\s]{1,500}>`_{1,2}|`([^`<>]{1,200})`_{1,2}|\b([A-Za-z]\w+)_(?=[\s.,;:)])"
)
_BOXES = re.compile(r"[\u2500-\u259f]")
_SPACE = re.compile(r"\s+")
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[」』”]*")
_OPENS = re.compile(r"[\"'“‘(\[]*[A-Z0-9À-ÖØ-ÞА-Я\u3040-\uffef*`_-]")
_ABBREVIATIONS = frozenset(
    """mr mrs ms dr prof sr jr st vs etc eg ie e.g i.e cf al fig figs eq no nos vol pp p ch sec approx est inc ltd co corp
    dept univ jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun gen col sgt rev hon gov sen rep
    u.s u.k e.u a.m p.m ca resp incl max min""".split()
)
_NAME_WORDS = 2
"""Words up to which the first sentence of a list item names it."""
MAX_SENTENCE = 1_200
"""Characters after which a sentence is cut at a word: text without full stops must not become one unit."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One unit of a text: what it says on one line, where it stands, what it belongs to."""

    text: str
    index: int
    kind: Kind = "prose"
    heading: str = ""
    source: str = ""
    lead: str = ""
    """The line with a colon that introduces the list it stands in."""
    first: bool = False
    """Whether it opens a section, a source or the text."""


def read(text: str, *, source: str = "") -> list[Sentence]:
    """The units of `text` in document order: sentences, list items, table rows, headings and code lines.

    White space is normalised and link and bold marks are dropped; otherwise a sentence is exactly as it was written.
    A line that names a file, a ``<document name="…">`` tag or the mark after a quotation sets the source of what follows.
    """
    reader = _Reader(source=source)
    for line in as_rows(dedent(text).splitlines()):
        reader.line(line)
    reader.flush()
    return reader.units


class _Reader:
    """Folds lines into units; it looks one line back at most, so time grows with the length of the text."""

    def __init__(self, *, source: str) -> None:
        self.units: list[Sentence] = []
        self._source = source
        self._heading = ""
        self._lead = ""
        self._first = True
        self._fence = ""
        self._kind: Kind = "prose"
        self._lines: list[str] = []
        self._columns: list[str] = []
        self._blank = True
        self._was_code = False
        self._in_list = False
        self._directive = False

    def line(self, line: str) -> None:
        if self._fence:
            self._code(line)
            return
        fence = _FENCE.match(line)
        if fence:
            self.flush()
            self._fence = fence.group(1)
            return
        line = line.lstrip("> ") if line.lstrip().startswith(">") else line
        if not line.strip():
            self.flush()
            self._columns, self._blank = [], True
            return
        if not self._indented_code(line) and not self._marks(line):
            self._text(line)

    def _indented_code(self, line: str) -> bool:
        after_blank, self._blank = self._blank, False
        item = bool(_ITEM.match(line))
        opens = line.startswith(("    ", "\t")) and not item and not self._lines and not self._in_list
        if opens and (after_blank or self._was_code):
            self._add(line.strip(), "code")
            self._was_code = True
            return True
        self._was_code = False
        if _BOXES.search(line):
            self.flush()
            return True
        self._in_list = item or (self._in_list and line[0] in " \t")
        return False

    def _code(self, line: str) -> None:
        if line.strip().startswith(self._fence):
            self._fence = ""
        elif line.strip() and not _BOXES.search(line):
            self._add(line.strip(), "code")

    def _marks(self, line: str) -> bool:
        """Whether `line` is structure rather than text, after taking note of it."""
        if line.startswith(".. ") or (self._directive and line.startswith(" ")):
            # A directive or comment of reStructuredText and the lines that belong to it.
            self.flush()
            self._directive = True
            return True
        self._directive = False
        if _UNDERLINE.match(line):
            if len(self._lines) == 1 and len(self._lines[0]) < 120 and self._kind == "prose":
                self._set_heading(self._lines.pop())
            self.flush()
            return True
        if source := _source_of(line):
            self.flush()
            self._source, self._heading, self._first = source, "", True
            return True
        if _RULE.match(line) or _TAG_LINE.match(line):
            self.flush()
            return True
        if heading := _HEADING.match(line):
            self.flush()
            self._set_heading(heading.group(2))
            return True
        return False

    def _set_heading(self, text: str) -> None:
        self._heading, self._lead = plain(text), ""
        self._first = True
        self._add(self._heading, "heading")
        self._first = True

    def _text(self, line: str) -> None:
        if _ROW.match(line):
            self.flush()
            self._row(line)
            return
        item = _ITEM.match(line)
        if item and not (self._lines and self._kind == "prose" and _LATER.match(line)):
            self.flush()
            self._kind = "item"
            line = item.group(1)
        elif self._kind == "prose":
            if _PAIR.match(line):
                # A line such as "Due date: 3 May" is a unit of its own, whatever stands above it.
                self.flush()
            self._lead = ""
        self._lines.append(line)

    def _row(self, line: str) -> None:
        cells = [plain(cell) for cell in line.strip().strip("|").split("|")]
        if not self._columns:
            self._columns = cells
            return
        pairs = zip(self._columns, cells, strict=False)
        self._add("; ".join(f"{column}: {cell}" if column else cell for column, cell in pairs if cell), "row")

    def flush(self) -> None:
        if not self._lines:
            return
        text = plain(" ".join(self._lines))
        kind, self._lines, self._kind = self._kind, [], "prose"
        if own := LEAD.fullmatch(text):
            self._lead = own.group("part")
            return
        quoted = _QUOTED.match(text)
        if quoted:
            self._add(quoted.group("text"), kind, source=quoted.group("source") or "")
            return
        if kind == "item" and (text.startswith("`") or ": " in text) and (marked := _MARKED.match(text)):
            own_kind, text = _kind_of(marked.group("text"))
            self._add(text, own_kind, source=marked.group("source"))
            return
        sentences = list(split(text))
        if kind == "item" and len(sentences) > 1 and len(sentences[0].split()) <= _NAME_WORDS:
            # "2. Roof. Two offers came." has a name, and says the rest of it.
            before, self._lead = self._lead, sentences[0].rstrip(".")
            for sentence in sentences[1:]:
                self._add(sentence, kind)
            self._lead = before
            return
        for sentence in sentences:
            self._add(sentence, kind)
        if kind == "prose" and text.endswith(":"):
            self._lead = text[:-1]

    def _add(self, text: str, kind: Kind, *, source: str = "") -> None:
        if text:
            lead = self._lead if kind in ("item", "row") else ""
            unit = Sentence(text, len(self.units), kind, self._heading, source or self._source, lead, first=self._first)
            self.units.append(unit)
            self._first = False


def _kind_of(quotation: str) -> tuple[Kind, str]:
    """What a quotation without quotation marks was cut from, and its text."""
    if len(quotation) > 2 and quotation[0] == quotation[-1] == "`":
        return "code", quotation[1:-1]
    return ("row" if _PAIRS.fullmatch(quotation) else "item"), quotation


def _source_of(line: str) -> str:
    if len(line) > 300:
        return ""
    if tag := _TAG_SOURCE.search(line):
        return tag.group(1)
    named = _SOURCE.match(line)
    if named is None:
        return ""
    path = named.group("path")
    # A word with a full stop in it, alone on a line, is rather a word than a file.
    return path if "/" in path or line.strip() != path else ""


def plain(text: str) -> str:
    """`text` on one line, without HTML tags and the marks of links, images and bold type."""
    if "<" in text:
        text = _HTML.sub(" ", text)
    if "_" in text:
        text = _RST_LINK.sub(lambda m: m.group(1) or m.group(2) or m.group(3), text)
    text = _INLINE.sub(lambda m: m.group(1) or m.group(2) or m.group(3), text)
    return _SPACE.sub(" ", text).strip()


def split(text: str) -> Iterator[str]:
    """The sentences of one paragraph; abbreviations, initials, decimals and list numbers do not end one."""
    start = 0
    for end in _END.finditer(text):
        if end.start() < start or not _ends(text, start, end):
            continue
        yield from _bounded(text[start : end.end()].strip())
        start = end.end()
    yield from _bounded(text[start:].strip())


def _ends(text: str, start: int, end: re.Match[str]) -> bool:
    if end.group()[0] in "。！？":
        return True
    following = text[end.end() : end.end() + 4].lstrip()
    if following and not _OPENS.match(following):
        return False
    if not end.group().startswith("."):
        return True
    before = text[max(start, end.start() - 24) : end.start()].rsplit(None, 1)
    word = before[-1].strip("\"'“‘([").lower() if before else ""
    if word in _ABBREVIATIONS:
        return False
    return not (len(word) == 1 and word.isalpha() and word != "i")


def _bounded(sentence: str) -> Iterator[str]:
    while len(sentence) > MAX_SENTENCE:
        cut = sentence.rfind(" ", 0, MAX_SENTENCE)
        cut = cut if cut > 0 else MAX_SENTENCE
        yield sentence[:cut]
        sentence = sentence[cut:].lstrip()
    if sentence:
        yield sentence


def renumber(groups: list[list[Sentence]]) -> list[Sentence]:
    """Several readings as one, with indexes that run through."""
    units = [unit for group in groups for unit in group]
    return [replace(unit, index=index) for index, unit in enumerate(units)]
