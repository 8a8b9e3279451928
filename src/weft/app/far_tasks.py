"""What remote agents still wait to hear for a run: tasks over there that stay open for as long as nobody says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from weft.store.journal import Journal

_RUNS, _TASKS = 200, 50


@dataclass(frozen=True, slots=True)
class FarTask:
    """A task of a remote agent, the run that it is for, the definition of that agent, and all that is defined beside it."""

    task: str
    run_id: str
    agent: Mapping[str, Any]
    definitions: Mapping[str, Any]


def waiting(journal: Journal, run_id: str, definitions: Callable[[str], Mapping[str, Any]]) -> list[FarTask]:
    """The tasks that open gates of a run, and of those that it has started, speak for; `definitions` are those of a plan by its hash."""
    found: list[FarTask] = []
    for one in _family(journal, run_id):
        asked = [gate.request.get("facts") or {} for gate in journal.gates.of(one) if gate.status == "open"]
        if not any("remote" in facts for facts in asked):
            continue
        defined = definitions(journal.runs.get(one).plan_hash)
        for facts in asked:
            agent = (defined.get("agents") or {}).get(facts.get("agent")) or {}
            # What a gate says of itself may come from anywhere: only agents of the plan are told anything.
            if "a2a" in agent and agent["a2a"] == facts.get("remote"):
                found.append(FarTask(str(facts.get("task")), one, agent, defined))
    return found[:_TASKS]


def _family(journal: Journal, run_id: str) -> Iterator[str]:
    runs = [run_id]
    for place, one in enumerate(runs):
        yield one
        if place < _RUNS:
            runs += [child.id for child in journal.runs.children(one)]
