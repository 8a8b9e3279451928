"""Weft's side: the real engine over the real journal with full durability, as `weft run` wires it."""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from report import peak_mb, publish
from weft.app.memory import settle
from weft.engine.local import Engine
from weft.engine.port import Done
from weft.plan.nodes import Block, Call, Map, Plan, Sequence
from weft.store.journal import Journal

TEXT = "x" * 100
FAN_OUT = 10_000
RECORDED = 10_000


class NoOp:
    """Performs a step that does nothing; `moments` are when steps began."""

    derived = False

    def __init__(self, value=None, stop_at=None):
        self.value = value
        self.moments = []
        self.stop_at = stop_at
        self.stopped = asyncio.Event()

    async def perform(self, call, scope, context):
        self.moments.append(time.perf_counter())
        if self.stop_at is not None and len(self.moments) > self.stop_at:
            self.stopped.set()
            await asyncio.Event().wait()
        return Done(self.value)

    async def check(self, call, scope, context):
        return None


def chain(count: int) -> Plan:
    steps = tuple(Call(name=f"step[{index}]", performer="noop", target="noop", effect="pure") for index in range(count))
    return Plan(workflow="chain", root=Block(name="", body=Sequence(name="", children=steps, into="steps")))


@asynccontextmanager
async def engine(performer, name="noop"):
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        made = Engine(journal, {name: performer})
        settle()  # as the command line does
        yield made, journal
        await made.close()
        journal.close()


async def one(made: Engine, plan: Plan, scope=None) -> str:
    run_id = await made.start(plan, scope or {})
    result = await made.drive(run_id)
    assert result.status == "completed", result.error
    return run_id


async def steps(case: str) -> dict:
    runs, count = (50, 10) if case == "throughput" else (1, 100)
    plan = chain(count)
    async with engine(NoOp({"n": 1})) as (made, _):
        await one(made, plan)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            await asyncio.gather(*(one(made, plan) for _ in range(runs)))
            times.append(time.perf_counter() - start)
    middle = statistics.median(times)
    if case == "throughput":
        return {"steps_per_s": runs * count / middle}
    return {"ms_per_step": middle / count * 1000}


async def growth() -> dict:
    performer = NoOp({"response": TEXT})
    async with engine(performer) as (made, journal):
        await one(made, chain(20))
        performer.moments.clear()
        run_id = await one(made, chain(1_010))
        sizes = step_sizes(journal.database.path, run_id)
    gaps = [after - before for before, after in pairwise(performer.moments)]
    return {
        "ms_at_10": statistics.median(gaps[5:16]) * 1000,
        "ms_at_1000": statistics.median(gaps[994:1005]) * 1000,
        "bytes_at_10": statistics.median(sizes[5:16]),
        "bytes_at_1000": statistics.median(sizes[994:1005]),
    }


def step_sizes(path: Path, run_id: str) -> list[int]:
    """Bytes of each step's events, hashes and salts and blobs included."""
    query = """
        SELECT sum(length(e.run_id) + length(e.path) + length(e.kind) + 16 + coalesce(length(e.data), length(b.bytes))
                   + length(e.salt) + length(e.hash))
        FROM events e LEFT JOIN blobs b ON b.hash = e.blob
        WHERE e.run_id = ? AND e.path != '' GROUP BY e.path ORDER BY min(e.seq)
    """
    with sqlite3.connect(path) as connection:
        return [row[0] for row in connection.execute(query, (run_id,))]


async def fan_out() -> dict:
    body = Call(name="", performer="noop", target="noop", effect="pure")
    plan = Plan(workflow="fan", root=Map(name="branch", items="items", body=body))
    async with engine(NoOp({"n": 1})) as (made, _):
        start = time.perf_counter()
        await one(made, plan, {"items": list(range(FAN_OUT))})
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_mb": peak_mb()}


async def resume() -> dict:
    plan = chain(RECORDED + 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        journal = Journal(path, durability="fast")
        first = NoOp({"n": 1}, stop_at=RECORDED)
        made = Engine(journal, {"noop": first})
        run_id = await made.start(plan, {})
        driving = asyncio.ensure_future(made.drive(run_id))
        await first.stopped.wait()
        driving.cancel()
        with suppress(asyncio.CancelledError):
            await driving
        await made.close()
        journal.close()
        performer = NoOp({"n": 1})
        start = time.perf_counter()
        journal = Journal(path)
        made = Engine(journal, {"noop": performer})
        result = await made.drive(run_id)
        assert result.status == "completed"
        assert len(performer.moments) == 1
        await made.close()
        journal.close()
    return {"seconds_to_first_step": performer.moments[0] - start}


if __name__ == "__main__":
    publish(
        "weft",
        "0.1.0",
        {
            "throughput": lambda: asyncio.run(steps("throughput")),
            "alone": lambda: asyncio.run(steps("alone")),
            "growth": lambda: asyncio.run(growth()),
            "fan_out": lambda: asyncio.run(fan_out()),
            "resume": lambda: asyncio.run(resume()),
        },
    )
