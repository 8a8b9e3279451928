"""LangGraph with its SQLite checkpointer, durability "sync" and fsync at every commit."""

import asyncio
import operator
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Annotated, TypedDict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from report import peak_mb, publish

TEXT = "x" * 100
FAN_OUT = 10_000


class Counter(TypedDict):
    """A state that does not grow."""

    n: int
    steps: int


class History(TypedDict):
    """A state to which each step adds a line of 100 characters, as a conversation does."""

    lines: Annotated[list, operator.add]
    steps: int


class Fan(TypedDict):
    """The results of the branches."""

    done: Annotated[list, operator.add]


@asynccontextmanager
async def checkpointer():
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncSqliteSaver.from_conn_string(str(Path(folder) / "langgraph.db")) as saver:
            await saver.setup()
            await saver.conn.execute("PRAGMA synchronous=FULL")
            yield saver


def counting(saver):
    graph = StateGraph(Counter)
    graph.add_node("step", lambda state: {"n": state["n"] + 1})
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: "step" if state["n"] < state["steps"] else END, ["step", END])
    return graph.compile(checkpointer=saver)


def config(thread: str) -> dict:
    return {"configurable": {"thread_id": thread}, "recursion_limit": 5_000}


async def steps(case: str) -> dict:
    runs, count, rounds = (50, 10, 3) if case == "throughput" else (1, 100, 3)
    async with checkpointer() as saver:
        graph = counting(saver)

        async def one(thread: str, count: int) -> None:
            result = await graph.ainvoke({"n": 0, "steps": count}, config(thread), durability="sync")
            assert result["n"] == count

        await one("warm", 10)
        times = []
        for round_ in range(rounds):
            start = time.perf_counter()
            await asyncio.gather(*(one(f"{round_}-{run}", count) for run in range(runs)))
            times.append(time.perf_counter() - start)
    middle = statistics.median(times)
    if case == "throughput":
        return {"steps_per_s": runs * count / middle}
    return {"ms_per_step": middle / count * 1000}


async def growth() -> dict:
    moments = []

    def step(state):
        moments.append(time.perf_counter())
        return {"lines": [TEXT]}

    async with checkpointer() as saver:
        graph = StateGraph(History)
        graph.add_node("step", step)
        graph.add_edge(START, "step")
        graph.add_conditional_edges(
            "step", lambda state: "step" if len(state["lines"]) < state["steps"] else END, ["step", END]
        )
        compiled = graph.compile(checkpointer=saver)
        await compiled.ainvoke({"lines": [], "steps": 20}, config("warm"), durability="sync")
        moments.clear()
        await compiled.ainvoke({"lines": [], "steps": 1_010}, config("long"), durability="sync")
        sizes = await checkpoint_sizes(saver)
    gaps = [after - before for before, after in pairwise(moments)]
    return {
        "ms_at_10": statistics.median(gaps[5:16]) * 1000,
        "ms_at_1000": statistics.median(gaps[994:1005]) * 1000,
        "bytes_at_10": statistics.median(sizes[5:16]),
        "bytes_at_1000": statistics.median(sizes[994:1005]),
    }


async def checkpoint_sizes(saver) -> list[int]:
    """Bytes of each superstep in order: its checkpoint, its metadata and its pending writes."""
    query = """
        SELECT length(c.checkpoint) + length(c.metadata) + coalesce((
            SELECT sum(length(w.value)) FROM writes w WHERE w.thread_id = c.thread_id AND w.checkpoint_id = c.checkpoint_id
        ), 0) FROM checkpoints c WHERE c.thread_id = 'long' ORDER BY c.checkpoint_id
    """
    async with saver.conn.execute(query) as rows:
        return [row[0] async for row in rows][1:]


async def fan_out() -> dict:
    async with checkpointer() as saver:
        graph = StateGraph(Fan)
        graph.add_node("branch", lambda item: {"done": [item["i"]]})
        graph.add_conditional_edges(START, lambda state: [Send("branch", {"i": i}) for i in range(FAN_OUT)], ["branch"])
        graph.add_edge("branch", END)
        compiled = graph.compile(checkpointer=saver)
        start = time.perf_counter()
        result = await compiled.ainvoke({"done": []}, config("fan"), durability="sync")
        seconds = time.perf_counter() - start
    assert len(result["done"]) == FAN_OUT
    return {"seconds": seconds, "peak_mb": peak_mb()}


if __name__ == "__main__":
    publish(
        "langgraph",
        version("langgraph"),
        {
            "throughput": lambda: asyncio.run(steps("throughput")),
            "alone": lambda: asyncio.run(steps("alone")),
            "growth": lambda: asyncio.run(growth()),
            "fan_out": lambda: asyncio.run(fan_out()),
        },
    )
