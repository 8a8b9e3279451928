# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Literal

from pydantic import Field

from weft.spec.model.base import Identifier, Name, Section, Text, addition
from weft.spec.model.runtime import Count


class Skill(Section):
    """Instructions that agents load when they need them: in the folder `path`, or right here in `files`, by file name.

    After loading, `files` holds what the folder holds.
    """

    id: Identifier
    path: Name | None = None
    description: str = ""
    preload_metadata: bool = True
    files: dict[str, str] = addition(default={})


class Compaction(Section):
    """Shorten a long conversation by summarising its oldest part.

    The summary may take `summary_ratio` of the tokens that it stands for.
    """

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


Preset = Literal["minimal", "balanced", "long_run", "interactive"]


class ContextPolicy(Section):
    """How the context of agents is kept small and useful. A `preset` fills in what the other keys leave open."""

    preset: Preset | None = addition()
    compaction: Compaction | None = None
    notes: Notes | None = None
    retrieval: Retrieval | None = None

    def filled(self) -> "ContextPolicy":
        """The policy with what its preset says of the keys that are not written out."""
        given = _PRESETS[self.preset] if self.preset else _NOTHING
        return ContextPolicy(
            preset=self.preset,
            compaction=self.compaction or given.compaction,
            notes=self.notes or given.notes,
            retrieval=self.retrieval or given.retrieval,
        )


_NOTHING = ContextPolicy.model_construct()
_LOOK = Retrieval.model_construct(jit_tools=["grep", "head", "tail", "search"], mcp_servers=[])


def _compacts(tokens: int, ratio: float, recent: int) -> Compaction:
    return Compaction.model_construct(
        enabled=True,
        when_tokens_over=tokens,
        summary_ratio=ratio,
        preserve_recent_messages=recent,
        summarization_model=None,
    )


_PRESETS: dict[str, ContextPolicy] = {
    "minimal": _NOTHING,
    "balanced": ContextPolicy.model_construct(compaction=_compacts(100_000, 0.35, 12)),
    "long_run": ContextPolicy.model_construct(
        compaction=_compacts(80_000, 0.40, 20),
        notes=Notes.model_construct(file="artifacts/notes.md", include_last=12, format="markdown"),
        retrieval=_LOOK,
    ),
    "interactive": ContextPolicy.model_construct(compaction=_compacts(50_000, 0.30, 16)),
}
"""What each preset says."""
