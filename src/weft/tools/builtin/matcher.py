"""Finds a pattern in lines; a program of its own, which `grep` starts and can kill.

Python's matcher cannot be interrupted while it backtracks, and holds every other thread up. Reads one JSON object
(``pattern``, ``ignore_case``, ``limit``, ``texts``) and writes one (``matches``: pairs of text and line, or ``error``). It
imports nothing of Weft, so that it starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import re
import resource
import sys

_MEMORY = 1024**3
_CPU_S = 10
_LINE = 5000


def main() -> None:
    """Answer one question on standard input."""
    for kind, limit in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _CPU_S)):
        # Not every system has every limit; the caller's clock holds in any case.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (limit, limit))
    question = json.load(sys.stdin.buffer)
    try:
        pattern = re.compile(question["pattern"], re.IGNORECASE if question["ignore_case"] else 0)
    except (re.error, RecursionError, OverflowError) as error:
        json.dump({"error": str(error)}, sys.stdout)
        return
    matches: list[tuple[int, int]] = []
    for place, text in enumerate(question["texts"]):
        for number, line in enumerate(text.split("\n")):
            if pattern.search(line[:_LINE]):
                matches.append((place, number))
                if len(matches) >= question["limit"]:
                    json.dump({"matches": matches}, sys.stdout)
                    return
    json.dump({"matches": matches}, sys.stdout)


if __name__ == "__main__":
    main()
