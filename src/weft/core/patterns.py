"""Regular expressions that somebody else wrote, on texts that somebody else wrote.

Python's own matcher goes back and tries another way whenever one fails, for as long as that takes, and nothing can stop it.
`regex` reads the same notation, finds more shortcuts, and gives up when its time is over.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MAX_PATTERN = 2_000
"""Characters of a pattern."""
PATIENCE_S = 2.0
"""How long the patterns of one template, or of one value that is held to its schema, may be tried altogether."""


class PatternError(ValueError):
    """A pattern is none, or it cannot be matched in time."""


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Any:
    """The pattern for `Patience`.

    Raises:
        PatternError: it is none.
    """
    # Most files have no pattern, and it takes as long to load as everything else that checks them.
    import regex  # type: ignore[import-untyped]  # noqa: PLC0415 -- see above

    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"a pattern has more than {MAX_PATTERN:,} characters")
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise PatternError(f"{shown(pattern)} is no regular expression: {error}") from error


@dataclass(slots=True)
class Patience:
    """So many seconds may patterns be tried for one purpose."""

    left: float = PATIENCE_S

    def search(self, pattern: str, text: str) -> Any:
        """The first match of `pattern` in `text`, or None.

        Raises:
            PatternError: it is none, or the time is over.
        """
        return self._tried(pattern, compiled(pattern).search, text)

    def fullmatch(self, pattern: str, text: str) -> Any:
        """The match of `pattern` with all of `text`, or None.

        Raises:
            PatternError: it is none, or the time is over.
        """
        return self._tried(pattern, compiled(pattern).fullmatch, text)

    def _tried(self, pattern: str, matcher: Any, text: str) -> Any:
        began = time.monotonic()
        try:
            return matcher(text, timeout=max(self.left, 0.001))
        except TimeoutError:
            raise PatternError(
                f"the pattern {shown(pattern)} takes too long on a text of {len(text):,} characters, "
                "on which it could be tried in very many ways"
            ) from None
        finally:
            self.left -= time.monotonic() - began


def shown(pattern: str) -> str:
    """A pattern for messages."""
    return repr(pattern if len(pattern) <= 80 else f"{pattern[:79]}…")
