"""Conditions of edges, as expressions of the template language."""

from __future__ import annotations

import re

_BRACES = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
ALWAYS_OPEN = "true"


def condition(text: str) -> str:
    """The expression of a `when`: ``else`` always holds, and braces around it or around parts of it make no difference."""
    text = text.strip()
    if text.lower() == "else":
        return ALWAYS_OPEN
    return _BRACES.sub(lambda found: f"({found[1].strip()})", text) if "{{" in text else text
