"""Reads the results in a page of DuckDuckGo; a program of its own, which `duckduckgo_search` starts and can kill.

Reads one JSON object (``html``) and writes a list of ``title``, ``href`` and ``body``. It imports nothing of Weft.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

_MEMORY = 1024**3
_CPU_S = 10


class Reader(HTMLParser):
    """Collects results: a link of the class ``result__a``, and what follows it in one of ``result__snippet``."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[dict[str, str]] = []
        self._into: str | None = None
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look whether a result, or what is said of it, begins."""
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        if "result__a" in classes:
            self.found.append({"title": "", "href": _target(given.get("href") or ""), "body": ""})
            self._into, self._tag = "title", tag
        elif "result__snippet" in classes and self.found:
            self._into, self._tag = "body", tag

    def handle_endtag(self, tag: str) -> None:
        """Look whether it ends."""
        if tag == self._tag:
            self._into = None

    def handle_data(self, data: str) -> None:
        """Take in text."""
        if self._into and self.found:
            self.found[-1][self._into] += data


def _target(href: str) -> str:
    """Where a result leads: the page passes through an address of its own, with the target in ``uddg``."""
    with contextlib.suppress(ValueError):
        wrapped = parse_qs(urlsplit(href).query).get("uddg")
        address = wrapped[0] if wrapped else href
        if urlsplit(address).scheme in {"http", "https"}:
            return address
    return ""


def results(html: str) -> list[dict[str, Any]]:
    """The results in a page, advertisements left out."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    clean = [{name: " ".join(text.split()) for name, text in one.items()} for one in reader.found]
    return [one for one in clean if one["href"] and "duckduckgo.com/y.js" not in one["href"]]


def main() -> None:
    """Answer one question on standard input."""
    for kind, limit in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _CPU_S)):
        # Not every system has every limit; the caller's clock holds in any case.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (limit, limit))
    json.dump(results(json.load(sys.stdin.buffer)["html"]), sys.stdout)


if __name__ == "__main__":
    main()
