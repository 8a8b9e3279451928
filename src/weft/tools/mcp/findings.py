"""What is found out about servers outside runs, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of trying a server: its facts and tools, or the error."""

    server: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Mapping[str, Any], ...] = ()
    error: Mapping[str, Any] | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A tool that is described differently now than when somebody last accepted it."""

    server: str
    tool: str
    before: Mapping[str, Any]
    now: Mapping[str, Any]
