"""DBOS on SQLite, configured as its documentation shows it."""

import asyncio
import logging
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dbos import DBOS, DBOSConfig

from report import publish


@DBOS.step()
async def step(n: int) -> int:
    return n + 1


@DBOS.workflow()
async def work(count: int) -> int:
    n = 0
    for _ in range(count):
        n = await step(n)
    return n


async def steps(case: str) -> dict:
    runs, count, rounds = (50, 10, 3) if case == "throughput" else (1, 100, 3)
    await work(10)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        results = await asyncio.gather(*(work(count) for _ in range(runs)))
        times.append(time.perf_counter() - start)
        assert results == [count] * runs
    middle = statistics.median(times)
    if case == "throughput":
        return {"steps_per_s": runs * count / middle}
    return {"ms_per_step": middle / count * 1000}


def measure(case: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        config: DBOSConfig = {
            "name": "bench",
            "system_database_url": f"sqlite:///{Path(folder) / 'dbos.db'}",
            "log_level": "ERROR",
            "run_admin_server": False,
        }
        DBOS(config=config)
        DBOS.launch()
        try:
            return asyncio.run(steps(case))
        finally:
            DBOS.destroy()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    publish("dbos", version("dbos"), {case: lambda case=case: measure(case) for case in ("throughput", "alone")})
