"""What durability costs an agent: Weft and Pydantic AI alone in one process, by turns, over the same model and tool.

Two processes would meet two moments of the machine, and the difference that is looked for is smaller than those of the moments.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent / "rivals"))

from bare_agent import RUNS, answer, bare
from bare_writer import Writer
from bare_writer import run as commits_of
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

ROUNDS, TURNS, ALONE, COMMITS = 9, 5, 4, 20
"""Rounds, each with both at 50 at once, with turns of runs one at a time, and with commits of the bare writer."""


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


async def agent(*, tool: bool) -> dict:
    performer, plan = agent_engine_parts(tool=tool)
    theirs = bare(tool=tool)
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder) / "bare.db", asyncio.get_running_loop())
        async with engine(performer, "agent") as (made, journal):

            async def ours() -> None:
                await one(made, plan)

            for _ in range(2):
                await asyncio.gather(*(each() for each in (ours, theirs) for _ in range(10)))
            commits = await count_commits(made, journal, plan)
            rounds = [await _round(number, ours, theirs, writer) for number in range(ROUNDS)]
        writer.close()
    return {
        **{name: statistics.median(each[name] for each in rounds) * 1000 for name in rounds[0]},
        "commits_per_run": commits,
        "over_bare_at_50": statistics.median(each["ms_per_run_at_50"] / each["bare_ms_at_50"] for each in rounds),
        "over_bare_alone": statistics.median(
            (each["ms_per_run_alone"] - commits * each["commit_ms"]) / each["bare_ms_alone"] for each in rounds
        ),
    }


async def _round(
    number: int, ours: Callable[[], Awaitable[None]], theirs: Callable[[], Awaitable[None]], writer: Writer
) -> dict[str, float]:
    """Seconds a run, and a commit, of one round."""

    async def alone(one_run: Callable[[], Awaitable[None]]) -> float:
        start = time.perf_counter()
        for _ in range(ALONE):
            await one_run()
        return (time.perf_counter() - start) / ALONE

    async def together(one_run: Callable[[], Awaitable[None]]) -> float:
        start = time.perf_counter()
        await asyncio.gather(*(one_run() for _ in range(RUNS)))
        return (time.perf_counter() - start) / RUNS

    turns = [(await alone(ours), await alone(theirs)) for _ in range(TURNS)]
    start = time.perf_counter()
    await commits_of(writer, number, COMMITS)
    commit = (time.perf_counter() - start) / COMMITS
    return {
        "ms_per_run_at_50": await together(ours),
        "bare_ms_at_50": await together(theirs),
        "ms_per_run_alone": statistics.fmean(mine for mine, _ in turns),
        "bare_ms_alone": statistics.fmean(other for _, other in turns),
        "commit_ms": commit,
    }


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
