"""What forks and replays cost: the real engine over the real journal with full durability."""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from report import publish
from weft.app.memory import settle
from weft.core.clock import SystemClock
from weft.engine.fork import Forks
from weft.engine.local import Engine
from weft.engine.port import Done
from weft.engine.replay import replay
from weft.plan.nodes import Block, Call, Graph, Map, Plan, Sequence
from weft.store.journal import Journal

SHORT, LONG = 100, 10_000
FORKS = 101


class NoOp:
    """Performs a step that does nothing."""

    async def perform(self, call, scope, context):
        return Done({"response": "x" * 100})

    async def check(self, call, scope, context):
        return None


def chain(events: int) -> Plan:
    steps = tuple(Call(name=f"s{index}", performer="noop", target="noop", effect="pure") for index in range(events - 3))
    return Plan(workflow="chain", root=Block(name="", body=Sequence(name="", children=steps, into="steps")))


def mixed(items: int) -> Plan:
    """Fan-out over items, each a sequence with two calls at once: composites, notes and outcomes interleaved."""
    two = Graph(name="both", children=tuple(Call(name=name, performer="noop", target="noop") for name in "ab"))
    body = Sequence(name="", children=(two, Call(name="end", performer="noop", target="noop")))
    return Plan(workflow="mixed", root=Map(name="items", items=str(list(range(items))), body=body))


async def recorded(journal: Journal, plan: Plan) -> str:
    engine = Engine(journal, {"noop": NoOp()})
    run_id = await engine.start(plan, {})
    result = await engine.drive(run_id)
    assert result.status == "completed", result.error
    await engine.close()
    return run_id


async def forks() -> dict[str, float]:
    """The median time of a fork at the last step, by the length of the past; short and long ones by turns."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        ids = {count: await recorded(journal, chain(count)) for count in (SHORT, LONG)}
        make = Forks(journal, SystemClock())
        times: dict[int, list[float]] = {SHORT: [], LONG: []}
        for _ in range(FORKS):
            for count, run_id in ids.items():
                began = time.perf_counter()
                await make.fork(run_id, make.point(run_id, f"/s{count - 4}"))
                times[count].append(time.perf_counter() - began)
        journal.close()
        return {f"ms_at_{count}": statistics.median(spent) * 1_000 for count, spent in times.items()}


async def journals() -> dict[str, tuple[Plan, list]]:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        plans = {"chain": chain(LONG), "mixed": mixed(1_500)}
        found = {name: (plan, journal.events(await recorded(journal, plan))) for name, plan in plans.items()}
        journal.close()
        return found


def replays() -> dict[str, float]:
    """The best of three replays each: what the machine does besides only ever slows one down."""
    metrics = {}
    for name, (plan, events) in asyncio.run(journals()).items():
        best = 0.0
        for _ in range(3):
            began = time.process_time()
            replay("r", plan, events).demand()
            best = max(best, len(events) / (time.process_time() - began))
        metrics[f"{name}_events_per_s"] = best
    return metrics


if __name__ == "__main__":
    settle()
    publish("weft", "0.1.0", {"fork": lambda: asyncio.run(forks()), "replay": replays})
