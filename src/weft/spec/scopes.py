"""What templates may read at a place, and what those names hold there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from weft.spec.model.base import Pointer

ALWAYS = frozenset({"name", "runtime", "context_policy", "execution_context", "inputs"})
"""The names that every template may read."""

OURS = ALWAYS | {
    "last_response",
    "TRACE",
    "steps",
    "tasks",
    "branches",
    "nodes",
    "hitl_response",
    "rounds",
    "votes",
    "tally",
    "transcript",
    "turns",
    "board",
    "ballots",
}
"""The names that the language itself fills; where they are not visible, no `--var` is meant."""

STEP_FACTS = frozenset(
    {
        "response",
        "agent",
        "tool",
        "index",
        "type",
        "prompt",
        "status",
        "tokens_estimated",
        "usage",
        "cost",
        "id",
        "description",
        "output",
        "step_history",
        "choice",
        "values",
        "by",
        "why",
        "at",
        "iteration",
        "cumulative_tokens",
        "hitl_response",
    }
)
"""What can be read about a step, task, branch or node that is done."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place with templates.

    `texts` are the templates with their pointers. `names` are visible beside the inputs. `steps` is how many entries the
    list of steps has here; `keyed` which keys ``tasks``, ``branches`` and ``nodes`` have here; `everything` which ones they will
    have at the end.
    """

    texts: tuple[tuple[Pointer, str], ...] = ()
    names: frozenset[str] = frozenset()
    steps: int | None = None
    keyed: Mapping[str, Collection[str]] = field(default_factory=dict)
    everything: Mapping[str, Collection[str]] = field(default_factory=dict)
