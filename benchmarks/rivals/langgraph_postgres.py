"""LangGraph with its Postgres checkpointer, durability "sync", a pool of connections."""

import asyncio
import statistics
import sys
import time
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph_steps import config, counting
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from postgres_server import postgres
from report import publish


@asynccontextmanager
async def checkpointer(url: str):
    how = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(url, min_size=10, max_size=20, kwargs=how, open=False) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        yield saver


async def steps(url: str) -> dict[str, float]:
    async with checkpointer(url) as saver:
        graph = counting(saver)

        async def one(thread: str, count: int) -> None:
            result = await graph.ainvoke({"n": 0, "steps": count}, config(thread), durability="sync")
            assert result["n"] == count

        await one("warm", 10)
        together, alone = [], []
        for round_ in range(3):
            start = time.perf_counter()
            await asyncio.gather(*(one(f"{round_}-{run}", 10) for run in range(50)))
            together.append(time.perf_counter() - start)
        for round_ in range(3):
            start = time.perf_counter()
            await one(f"alone-{round_}", 100)
            alone.append(time.perf_counter() - start)
    return {
        "steps_per_s": 500 / statistics.median(together),
        "ms_per_step": statistics.median(alone) / 100 * 1000,
    }


def measure() -> dict[str, float]:
    with postgres() as url:
        return asyncio.run(steps(url))


if __name__ == "__main__":
    publish("langgraph", version("langgraph"), {"postgres": measure})
