"""Conditions of edges, as expressions of the template language."""

from __future__ import annotations

import re

_BRACES = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_ELSE = re.compile(r"else|\{\{\s*else\s*\}\}", re.IGNORECASE)
ALWAYS_OPEN = "true"


def condition(text: str) -> str:
    """The expression of a `when`: ``else`` always holds, and braces around it or around parts of it make no difference."""
    text = text.strip()
    if _ELSE.fullmatch(text):
        return ALWAYS_OPEN
    return _BRACES.sub(lambda found: f"({found[1].strip()})", text) if "{{" in text else text
