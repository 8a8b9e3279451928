# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Literal

from pydantic import Field

from weft.spec.model.base import Identifier, Name, Section, Text
from weft.spec.model.runtime import Count


class Skill(Section):
    """Instructions in a folder that agents load when they need them."""

    id: Identifier
    path: Name
    description: str = ""
    preload_metadata: bool = True


class Compaction(Section):
    """Shorten a long conversation by summarising its oldest part."""

    enabled: bool = True
    when_tokens_over: Annotated[int, Field(ge=1000)] = 60_000
    summary_ratio: Annotated[float, Field(ge=0, le=1)] = 0.35
    preserve_recent_messages: Count = 12
    summarization_model: str | None = None


class Notes(Section):
    """A file in which each step leaves a note for later ones."""

    file: Text
    include_last: Count = 12
    format: Literal["markdown", "json"] = "markdown"


class Retrieval(Section):
    """Tools that every agent gets to look things up when needed."""

    jit_tools: list[Name] = []
    mcp_servers: list[Name] = []


class ContextPolicy(Section):
    """How the context of agents is kept small and useful."""

    compaction: Compaction | None = None
    notes: Notes | None = None
    retrieval: Retrieval | None = None
