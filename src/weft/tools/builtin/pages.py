"""Makes Markdown of HTML; a program of its own, which `web_fetch` starts and can kill.

HTML comes from anywhere, and a parser that is led into a long way must not hold up anything else. Reads one JSON object (``html``,
``url``) and writes one (``title``, ``markdown``). It imports nothing of Weft, so that it starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import re
import resource
import sys
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

_MEMORY = 1024**3
_CPU_S = 10
_DEPTH = 200
_SILENT = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "object", "head", "select", "canvas"})
_VOID = frozenset(
    {"br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr"}
)
_BLOCKS = frozenset(
    {
        *("p", "div", "section", "article", "main", "header", "footer", "nav", "aside", "figure", "figcaption", "form"),
        *(
            "table",
            "tr",
            "ul",
            "ol",
            "dl",
            "dt",
            "dd",
            "blockquote",
            "pre",
            "address",
            "fieldset",
            "details",
            "summary",
        ),
        *("h1", "h2", "h3", "h4", "h5", "h6", "li"),
    }
)
_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*", "code": "`"}
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


class Writer(HTMLParser):
    """Collects the visible text of a page as Markdown, as far as it goes without tables and pictures."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.title: list[str] = []
        self._url = url
        self._open: list[tuple[str, bool]] = []
        self._silent = 0
        self._in_title = False
        self._pre = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        if tag == "title":
            self._in_title = True
        if tag in _VOID:
            if tag == "br":
                self._say("\n")
            elif tag == "hr":
                self._say("\n\n---\n\n")
            return
        if len(self._open) >= _DEPTH:
            return
        given = dict(attrs)
        silent = tag in _SILENT or "hidden" in given or bool(_HIDDEN.search(given.get("style") or ""))
        self._open.append((tag, silent))
        self._silent += silent
        self._begin(tag, given)

    def _begin(self, tag: str, given: dict[str, str | None]) -> None:
        if tag in _BLOCKS:
            self._say("\n" if tag in {"li", "tr"} else "\n\n")
        if tag == "pre":
            self._pre += 1
            self._say("```\n")
        elif tag[0] == "h" and tag[1:].isdigit():
            self._say("#" * int(tag[1:]) + " ")
        elif tag == "li":
            self._say("- ")
        elif tag == "blockquote":
            self._say("> ")
        elif tag in {"td", "th"}:
            self._say(" | ")
        elif tag == "a":
            self._links.append(self._address(given.get("href") or ""))
            if self._links[-1]:
                self._say("[")
        elif tag in _MARKS and not self._pre:
            self._say(_MARKS[tag])

    def handle_endtag(self, tag: str) -> None:
        """End an element, and those inside it that nobody has ended."""
        if tag == "title":
            self._in_title = False
        if not any(name == tag for name, _ in self._open):
            return
        while self._open:
            name, silent = self._open.pop()
            self._end(name)
            self._silent -= silent
            if name == tag:
                return

    def _end(self, tag: str) -> None:
        if tag == "pre":
            self._pre -= 1
            self._say("\n```")
        elif tag == "a" and self._links:
            address = self._links.pop()
            if address:
                self._say(f"]({address})")
        elif tag in _MARKS and not self._pre:
            self._say(_MARKS[tag])
        if tag in _BLOCKS and tag not in {"li", "tr"}:
            self._say("\n\n")

    def handle_data(self, data: str) -> None:
        """Take in text."""
        if self._in_title:
            self.title.append(data)
        if not self._pre:
            data = re.sub(r"\s+", " ", data)
            data = data.lstrip() if not self.out or self.out[-1].endswith("\n") else data
        self._say(data)

    def _say(self, text: str) -> None:
        if not self._silent:
            self.out.append(text)

    def _address(self, href: str) -> str:
        """Where a link leads; empty for what is no address of the web, so that no script gets through."""
        with contextlib.suppress(ValueError):
            address = urljoin(self._url, href.strip())
            if urlsplit(address).scheme in {"http", "https"} and not re.search(r"[\s()<>]", address):
                return address
        return ""


def markdown(html: str, url: str) -> tuple[str, str]:
    """The title of a page and its text as Markdown."""
    writer = Writer(url)
    writer.feed(html)
    writer.close()
    text = "".join(writer.out)
    text = re.sub(r"[ \t]+\n", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    return " ".join("".join(writer.title).split()), text


def main() -> None:
    """Answer one question on standard input."""
    for kind, limit in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _CPU_S)):
        # Not every system has every limit; the caller's clock holds in any case.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (limit, limit))
    question = json.load(sys.stdin.buffer)
    title, text = markdown(question["html"], question["url"])
    json.dump({"title": title, "markdown": text}, sys.stdout)


if __name__ == "__main__":
    main()
