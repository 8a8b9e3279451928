"""A run as one turn of a conversation: it ends when the run does, and when somebody is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from weft.app.hosting import Host
from weft.app.serving.items import Item, Waits
from weft.core.errors import TransientError
from weft.core.usage import Usage
from weft.store.gates import Gate

MAX_PROMPT = 2_000
MAX_RUNS = 64
"""Runs below one whose gates are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Item):
    """The run waits for somebody: the turn ends here, the run does not. `text` says so to people."""

    gates: tuple[Gate, ...]
    text: str
    usage: Usage


async def turn_of(host: Host, url: str, run_id: str, *, after: int = 0) -> AsyncGenerator[Item]:
    """The items of a run after event number `after` until it ends, or waits for somebody to decide.

    Where it ends is read from what is written down, so that it is the same whenever one looks.
    """
    async with aclosing(host.replies.follow(run_id, after=after)) as items:
        async for item in items:
            yield item
            if isinstance(item, Waits) and (gates := gates_at(host, item)):
                yield paused(host, url, run_id, item.seq, gates)
                return


def gates_at(host: Host, item: Waits) -> tuple[Gate, ...]:
    """The gates at which a run, and those that it has started, waited at the time of `item`."""
    found: list[Gate] = []
    runs = [item.run_id]
    for run_id in runs:
        gates = host.service.gates_of(run_id)
        found += [gate for gate in gates if gate.opened_at <= item.at and (gate.closed_at or item.at + 1) > item.at]
        runs += [child.id for child in host.journal.runs.children(run_id)][:MAX_RUNS]
        if len(runs) > MAX_RUNS:
            break
    return tuple(found)


def paused(host: Host, url: str, run_id: str, seq: int, gates: tuple[Gate, ...]) -> Paused:
    """What is said when a run waits at `gates`."""
    lines = [f"- {str(gate.request.get('prompt', ''))[:MAX_PROMPT]}\n  {link(url, gate)}" for gate in gates]
    what = "a decision" if len(gates) == 1 else f"{len(gates)} decisions"
    text = f"This waits for {what} before it goes on (run {run_id}):\n" + "\n".join(lines)
    usage = host.journal.runs.get(run_id).usage
    return Paused(seq=seq, run_id=run_id, gates=gates, text=text, usage=usage)


def link(url: str, gate: Gate) -> str:
    """Where a gate is decided."""
    return f"{url}/api/v1/gates/{gate.id}"


def stopping() -> TransientError:
    """What is said to those who wait when the service stops: the run goes on with its next process."""
    return TransientError("the service is stopping; the run goes on", fix="ask the same again in a moment")
