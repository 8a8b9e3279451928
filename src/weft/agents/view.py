"""What an agent sees of its conversation, and when that is to be shortened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelRequest, UserPromptPart

from weft.models.ref import ModelRef
from weft.plan.definitions import DEFAULT_MODELS, PROVIDERS

_OPENING = "Summary of the conversation so far"
_KNOWN = frozenset({*DEFAULT_MODELS, *PROVIDERS.values()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """When and how a conversation is shortened; the fields are those of the language."""

    when_tokens_over: int
    summary_ratio: float
    preserve_recent_messages: int
    model: ModelRef

    @classmethod
    def of(cls, policy: Mapping[str, Any], own: ModelRef) -> Compaction | None:
        """What a plan's ``context_policy`` says for an agent whose model is `own`; None when nothing is to be shortened."""
        given = policy.get("compaction")
        if not given or not given.get("enabled", True):
            return None
        return cls(
            when_tokens_over=given["when_tokens_over"],
            summary_ratio=given["summary_ratio"],
            preserve_recent_messages=given["preserve_recent_messages"],
            model=_model(given.get("summarization_model"), own),
        )


@dataclass(slots=True, kw_only=True)
class View:
    """What a call sees of its conversation: `summary` in place of the first `cut` messages.

    `tried` is how many messages there were when a summary was last asked for, `taken` the number of the step that gave the one that
    counts.
    """

    compaction: Compaction | None = None
    overhead: int = 0
    summary: str = ""
    cut: int = 0
    steps: int = 0
    taken: int | None = None
    tried: int = 0

    def of(self, messages: Sequence[ModelMessage]) -> list[ModelMessage]:
        """The messages as they are sent."""
        if not self.cut:
            return list(messages)
        return [summary_message(self.summary), *messages[self.cut :]]

    def as_json(self) -> dict[str, int] | None:
        """What the value of the call says about it, so that the conversation goes on from there."""
        return None if self.taken is None else {"step": self.taken, "cut": self.cut}


def _model(named: str | None, own: ModelRef) -> ModelRef:
    """The model that summarises: `own` unless another one is named; a name without a provider is one of the same provider."""
    if not named:
        return own
    provider, slash, name = named.partition("/")
    provider = PROVIDERS.get(provider, provider)
    if slash and provider in _KNOWN and provider != own.provider:
        return ModelRef(provider=provider, name=name)
    return replace(own, name=name if slash and provider == own.provider else named)


def summary_message(summary: str) -> ModelRequest:
    """The message that stands for what was summarised."""
    return ModelRequest(parts=[UserPromptPart(content=f"{_OPENING}:\n\n{summary}")])
