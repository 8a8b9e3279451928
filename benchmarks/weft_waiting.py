"""What waiting costs: timers that are all due at one moment, and gates from the decision to the next step.

The real engine, worker and journal with full durability. Lateness is taken from the journal: when the end of a wait was written, less
when it was due.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from report import peak_mb, publish
from weft.app.automation.worker import Worker
from weft.app.memory import settle
from weft.core.clock import SystemClock
from weft.engine.local import Engine
from weft.engine.port import Done
from weft.engine.questions import Answer
from weft.plan.nodes import Block, Call, Gate, Graph, Map, Plan, Sequence, Wait
from weft.store.journal import Journal

TIMERS = 10_000
LEAD_S, WAIT_S = 10.0, 3_600
DECISIONS = 30
SECOND = 1_000_000


class StandingClock(SystemClock):
    """The moment at which it was made, so that all timers that are set under it are due at once."""

    def __init__(self) -> None:
        self.moment = super().micros()

    def micros(self) -> int:
        return self.moment


class LaterClock(SystemClock):
    """The machine's time, put forward so that it is `at` now."""

    def __init__(self, at: int) -> None:
        self._ahead = at - super().micros()

    def micros(self) -> int:
        return super().micros() + self._ahead


class Steps:
    """Performs the steps around waits; `moments` says when each step began."""

    def __init__(self) -> None:
        self.moments: dict[str, float] = {}
        self.begun: dict[str, asyncio.Event] = {}

    async def perform(self, call, scope, context):
        run_id = context.run_id
        if call.target == "busy":
            await self.event(run_id).wait()
            return Done(None)
        self.moments[run_id] = time.perf_counter()
        self.event(run_id).set()
        return Done(None)

    async def check(self, call, scope, context):
        return None

    def event(self, run_id: str) -> asyncio.Event:
        return self.begun.setdefault(run_id, asyncio.Event())


class Hands:
    """What a worker needs to drive runs."""

    def __init__(self, engine: Engine) -> None:
        self.start = engine.start
        self.drive = engine.drive
        self.cancel = engine.cancel


@asynccontextmanager
async def journal_in_folder():
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        settle()  # as the command line does
        yield journal
        journal.close()


def waits_in_one_run() -> Plan:
    body = Wait(name="", seconds=str(WAIT_S))
    return Plan(workflow="timers", root=Map(name="t", items="items", body=body, max_parallel=TIMERS))


def lateness(journal: Journal, run_ids: list[str]) -> list[float]:
    """Seconds from the due time to the written end of every timer of these runs."""
    late = []
    for run_id in run_ids:
        due = {}
        for event in journal.events(run_id):
            if event.kind == "timer.set":
                due[event.path] = event.data["due"]
            elif event.kind == "step.completed" and event.path in due:
                late.append((event.at - due.pop(event.path)) / SECOND)
        assert not due, "a timer has not ended"
    return late


def figures(late: list[float]) -> dict[str, float]:
    assert len(late) == TIMERS, f"{len(late)} timers"
    late.sort()
    return {
        "early": sum(each < 0 for each in late),
        "p50_late_s": late[len(late) // 2],
        "p99_late_s": late[len(late) * 99 // 100],
        "peak_mb": peak_mb(),
    }


async def timers() -> dict[str, float]:
    """All in one run, which lets go of them first, and is driven again shortly before they are due."""
    async with journal_in_folder() as journal:
        standing = StandingClock()
        first = Engine(journal, {}, clock=standing, near_s=0)
        run_id = await first.start(waits_in_one_run(), {"items": list(range(TIMERS))})
        assert (await first.drive(run_id)).status == "waiting"
        await first.close()
        second = Engine(journal, {}, clock=LaterClock(standing.moment + int((WAIT_S - LEAD_S) * SECOND)))
        assert (await second.drive(run_id)).status == "completed"
        await second.close()
        return figures(lateness(journal, [run_id]))


async def timer_runs() -> dict[str, float]:
    """Each in a run of its own, which a worker takes up when it is due."""
    plan = Plan(workflow="timer", root=Sequence(name="", children=(Wait(name="w", seconds=str(WAIT_S)),)))
    async with journal_in_folder() as journal:
        standing = StandingClock()
        first = Engine(journal, {}, clock=standing, near_s=0)

        async def prepared() -> str:
            run_id = await first.start(plan, {})
            assert (await first.drive(run_id)).status == "waiting"
            return run_id

        run_ids = []
        for _ in range(TIMERS // 100):
            run_ids += await asyncio.gather(*(prepared() for _ in range(100)))
        await first.close()
        clock = LaterClock(standing.moment + int((WAIT_S - LEAD_S) * SECOND))
        second = Engine(journal, {}, clock=clock)
        worker = Worker(journal, Hands(second), clock, concurrency=64)
        began = time.perf_counter()
        working = asyncio.ensure_future(worker.run())
        last = run_ids[-1]
        while any(not journal.runs.get(run_id).ended for run_id in (last, *run_ids[-64:])):
            await asyncio.sleep(0.2)
        worker.stop()
        await working
        spent = time.perf_counter() - began - LEAD_S
        await second.close()
        return figures(lateness(journal, run_ids)) | {"runs_per_s": TIMERS / spent}


def asking(*, busy: bool) -> Plan:
    """A gate and the step behind it; with `busy`, another branch works meanwhile, so that the run stays driven."""
    after = Sequence(
        name="asked",
        children=(Gate(name="gate", prompt="Go on?"), Call(name="next", performer="step", target="next")),
    )
    beside = (Call(name="busy", performer="step", target="busy"),) if busy else ()
    return Plan(workflow="gate", root=Block(name="", body=Graph(name="both", children=(after, *beside))))


async def decision_to_step(*, driven: bool) -> list[float]:
    """Milliseconds from the call that decides, made over a journal of its own as another process would, to the next step."""
    async with journal_in_folder() as journal:
        steps = Steps()
        engine = Engine(journal, {"step": steps})
        other = Journal(journal.database.path)
        decider = Engine(other, {})
        worker = Worker(journal, Hands(engine), SystemClock())
        working = asyncio.ensure_future(worker.run())
        plan, times = asking(busy=driven), []
        for _ in range(DECISIONS):
            run_id = await engine.start(plan, {}, queued=True)
            while not journal.gates.of(run_id) or (not driven and journal.runs.get(run_id).status != "waiting"):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.15)
            began = time.perf_counter()
            await decider.decide(run_id, None, Answer(choice="yes", by="bench"))
            await steps.event(run_id).wait()
            times.append((steps.moments[run_id] - began) * 1_000)
        worker.stop()
        await working
        await decider.close()
        await engine.close()
        other.close()
        return times


async def gates() -> dict[str, float]:
    metrics = {}
    for name, driven in (("driven", True), ("undriven", False)):
        times = sorted(await decision_to_step(driven=driven))
        metrics[f"{name}_ms"] = statistics.median(times)
        metrics[f"{name}_p95_ms"] = times[len(times) * 95 // 100]
    return metrics


if __name__ == "__main__":
    publish(
        "weft",
        "0.1.0",
        {
            "timers": lambda: asyncio.run(timers()),
            "timer_runs": lambda: asyncio.run(timer_runs()),
            "gates": lambda: asyncio.run(gates()),
        },
    )
