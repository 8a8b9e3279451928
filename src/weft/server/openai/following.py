"""A run as one turn of a conversation: it ends when the run does, and when somebody is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from weft.app.hosting import Host
from weft.app.serving.items import Ended, Item, Waits
from weft.app.serving.places import BEGINNING, Place, Rest, family, rests
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

    @property
    def place(self) -> Place:
        """Where the next turn begins."""
        return Place(self.seq, self.at)


async def turn_of(host: Host, url: str, run_id: str, place: Place = BEGINNING) -> AsyncGenerator[Item]:
    """The items of a run after a place until it ends, or waits for somebody to decide.

    Where it ends is read from what is written down, so that it is the same whenever one looks.
    """
    ended = stopped_at(host, run_id, place)
    async with aclosing(host.replies.follow(run_id, place)) as items:
        async for item in items:
            if ended is not None and item.at > ended.at:
                if isinstance(item, Waits | Ended) or item.run_id == ended.run_id:
                    break
                continue  # what others did by then may be yet to be read
            yield item
            if isinstance(item, Waits) and (gates := gates_at(host, run_id, item.at)):
                yield _paused(host, url, item, gates)
                return
    if ended is not None:
        last = Item(seq=ended.after, run_id=run_id, at=ended.at)
        yield _paused(host, url, last, gates_at(host, run_id, ended.at))


def stopped_at(host: Host, run_id: str, place: Place) -> Rest | None:
    """Where the turn has ended that begins at a place, if somebody had to decide and the run was not over; None else."""
    found = rests(host.journal, run_id, place)
    return next((rest for rest in found if gates_at(host, run_id, rest.at)), None)


def gates_at(host: Host, run_id: str, at: int) -> tuple[Gate, ...]:
    """The gates at which a run, and those that it has started, waited at a time."""
    gates = [gate for one in family(host.journal, run_id) for gate in host.journal.gates.of(one)]
    return tuple(gate for gate in gates if gate.opened_at <= at and (gate.closed_at or at + 1) > at)


def _paused(host: Host, url: str, last: Item, gates: tuple[Gate, ...]) -> Paused:
    """What is said when a run waits at `gates`, from `last` on."""
    run_id = last.run_id
    lines = [f"- {str(gate.request.get('prompt', ''))[:MAX_PROMPT]}\n  {link(url, gate)}" for gate in gates]
    what = "a decision" if len(gates) == 1 else f"{len(gates)} decisions"
    text = f"This waits for {what} before it goes on (run {run_id}):\n" + "\n".join(lines)
    usage = host.journal.runs.get(run_id).usage
    return Paused(seq=last.seq, run_id=run_id, at=last.at, gates=gates, text=text, usage=usage)


def link(url: str, gate: Gate) -> str:
    """Where a gate is decided."""
    return f"{url}/api/v1/gates/{gate.id}"


def stopping() -> TransientError:
    """What is said to those who wait when the service stops: the run goes on with its next process."""
    return TransientError("the service is stopping; the run goes on", fix="ask the same again in a moment")
