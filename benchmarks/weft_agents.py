"""What durability costs an agent: Weft and Pydantic AI alone in one process, by turns, over the same model and tool.

Two processes would meet two moments of the machine, and the difference that is looked for is smaller than those of the moments.
A third one takes its turns, too: Pydantic AI again, which waits for a commit of the bare writer where Weft waits for one of its own. What
that takes longer than without is the disk's and any recorder's, and a commit in the middle of an agent takes another time than one of
many in a row.
"""

import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent / "rivals"))

from bare_agent import RUNS, answer, bare, double
from bare_writer import Writer
from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel

from report import publish
from weft.agents.builder import AgentBuilder
from weft.agents.performer import AgentPerformer
from weft.core.clock import SystemClock
from weft.engine.local import Engine
from weft.plan.nodes import Block, Call, Plan
from weft.secrets.resolve import Secrets
from weft.store.journal import Journal
from weft.tools.port import ToolContext
from weft.tools.registry import build_tools
from weft_steps import engine, one

ROUNDS, TURNS, ALONE = 9, 5, 4
"""Rounds, each with both at 50 at once, and with so many turns of runs one at a time."""


def agent_engine_parts(*, tool: bool):
    """The performer of agent calls as the application wires it, over the bare side's model; and a plan with one call."""
    clock, secrets, model = SystemClock(), Secrets(), FunctionModel(answer)
    definitions = {"double": {"kind": "python", "callable": "bench_tools:double"}} if tool else {}
    tools = build_tools(definitions, allowed_modules=["bench_tools"])

    def context(step):
        return ToolContext(key=step.key, workdir=Path(), clock=clock, http=None, secrets=secrets)

    builder = AgentBuilder(lambda _: model, context)
    agents = {"a": {"prompt": "You help.", "model": "offline/extract", "tools": list(definitions)}}
    call = Call(name="ask", performer="agent", target="a", input={"prompt": "go"}, conversation="a")
    plan = Plan(workflow="agent", root=Block(name="", body=call), definitions={"name": "agent", "agents": agents})
    return AgentPerformer(builder, lambda _: tools), plan


def bare_with_commits(writer: Writer, *, tool: bool):
    """Runs the bare agent, which waits for a commit before each request and after each answer: that is where a durable one has to."""
    numbers = itertools.count()

    async def commit() -> None:
        nonlocal count
        count += 1
        await writer.append(next(numbers), 0)

    async def recorded(messages, info):
        await commit()
        response = answer(messages, info)
        await commit()
        return response

    made, count = Agent(FunctionModel(recorded), tools=[double] if tool else []), 0

    async def one_run() -> int:
        nonlocal count
        count = 0
        result = await made.run("go")
        assert result.output == "done"
        return count

    return one_run


async def agent(*, tool: bool) -> dict:
    performer, plan = agent_engine_parts(tool=tool)
    theirs = bare(tool=tool)
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder) / "bare.db", asyncio.get_running_loop())
        kept = bare_with_commits(writer, tool=tool)
        async with engine(performer, "agent") as (made, journal):

            async def ours() -> None:
                await one(made, plan)

            for _ in range(2):
                await asyncio.gather(*(each() for each in (ours, theirs) for _ in range(10)))
            commits = await count_commits(made, journal, plan)
            if await kept() != commits:
                sys.exit(f"Weft waits for {commits} commits, what it is compared with for another number of them")
            together, alone = [], []
            for _ in range(ROUNDS):
                alone += [[await _alone(side) for side in (ours, theirs, kept)] for _ in range(TURNS)]
                together.append([await _together(side) for side in (ours, theirs)])
        writer.close()
    names = ("ms_per_run_alone", "bare_ms_alone", "bare_ms_with_commits", "ms_per_run_at_50", "bare_ms_at_50")
    took = (*zip(*alone, strict=True), *zip(*together, strict=True))
    return {
        **{name: statistics.median(times) * 1000 for name, times in zip(names, took, strict=True)},
        "commits_per_run": commits,
        "over_bare_at_50": statistics.median(mine / other for mine, other in together),
        "over_bare_alone": statistics.median(1 + (mine - kept) / other for mine, other, kept in alone),
    }


async def _alone(one_run: Callable[[], Awaitable[object]]) -> float:
    """Seconds a run, one after the other."""
    start = time.perf_counter()
    for _ in range(ALONE):
        await one_run()
    return (time.perf_counter() - start) / ALONE


async def _together(one_run: Callable[[], Awaitable[object]]) -> float:
    """Seconds divided by runs, all at once."""
    start = time.perf_counter()
    await asyncio.gather(*(one_run() for _ in range(RUNS)))
    return (time.perf_counter() - start) / RUNS


async def count_commits(made: Engine, journal: Journal, plan: Plan) -> int:
    """How many commits one run alone waits for."""
    inner, count = journal.writer.submit, 0

    def submit(work):
        nonlocal count
        count += 1
        return inner(work)

    journal.writer.submit = submit
    try:
        await one(made, plan)
    finally:
        del journal.writer.submit
    return count


if __name__ == "__main__":
    publish(
        "weft",
        "0.1.0",
        {
            "agent": lambda: asyncio.run(agent(tool=False)),
            "agent_tool": lambda: asyncio.run(agent(tool=True)),
        },
    )
