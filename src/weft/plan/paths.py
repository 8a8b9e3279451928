"""Paths of steps: how names become part of one, and the patterns that say which paths belong to a node of a plan."""

from __future__ import annotations

import re

INDEX = r"\[[^\]/]*\]"
"""Pattern of what numbers a round, an item or a visit."""


def segment(text: str) -> str:
    """`text` as part of a path: the characters that paths give a meaning to are percent-encoded."""
    return "".join(f"%{ord(char):02X}" if char in "/[]%#" or ord(char) < 32 else char for char in text)


def below(place: str, name: str) -> str:
    """The pattern of the child `name` of what is at the pattern `place`; a nameless one adds nothing."""
    return f"{place}/{re.escape(name)}" if name else place
