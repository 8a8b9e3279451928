"""What the kit wants to see as artifacts that no model would make."""

from __future__ import annotations

import asyncio
from typing import Any


def say(text: str) -> str:
    """Give back the text."""
    return text


def link() -> dict[str, str]:
    """A file that is somewhere else."""
    return {"url": "https://example.com/output.txt", "media_type": "text/plain", "filename": "output.txt"}


def record() -> dict[str, Any]:
    """Some data."""
    return {"key": "value", "count": 42}


async def rest(seconds: float) -> str:
    """Work for a while."""
    await asyncio.sleep(min(seconds, 30.0))
    return "rested"
