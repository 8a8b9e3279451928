"""A run as one turn of a conversation: it ends when the run does, and when somebody is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from weft.app.hosting import Host
from weft.app.serving.replies import Answered, Asked, Item, Waits
from weft.core.errors import TransientError
from weft.core.usage import Usage
from weft.store.gates import Gate

MAX_PROMPT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Item):
    """The run waits for somebody: the turn ends here, the run does not. `text` says so to people."""

    gates: tuple[Gate, ...]
    text: str
    usage: Usage


async def turn_of(host: Host, url: str, run_id: str, *, after: int = 0) -> AsyncGenerator[Item]:
    """The items of a run until it ends, or waits for somebody to decide."""
    asked: dict[str, str] = {}
    async with aclosing(host.replies.follow(run_id, after=after)) as items:
        async for item in items:
            match item:
                case Asked(gate=gate, run_id=of):
                    asked[gate] = of
                case Answered(gate=gate):
                    asked.pop(gate, None)
                case Waits():
                    yield item
                    if gates := _open(host, asked):
                        yield paused(host, url, run_id, item.seq, gates)
                        return
                    continue
                case _:
                    pass
            yield item


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


def _open(host: Host, asked: dict[str, str]) -> tuple[Gate, ...]:
    runs = dict.fromkeys(asked.values())
    found = [gate for run_id in runs for gate in host.service.gates_of(run_id)]
    return tuple(gate for gate in found if gate.id in asked and gate.status == "open")
