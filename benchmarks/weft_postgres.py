"""Weft's side on Postgres: the real engine over one database, driven by one, two and four processes at once."""

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from postgres_server import postgres
from report import publish
from weft.app.memory import settle
from weft.engine.local import Engine
from weft.store.journal import Journal
from weft_steps import NoOp, chain, one

RUNS, STEPS, ROUNDS = 50, 10, 5


async def rounds(url: str, *, told: bool) -> list[float]:
    """Seconds for each round of 50 runs at once; when `told`, each begins at a word."""
    journal = Journal(url)
    made = Engine(journal, {"noop": NoOp({"n": 1})})
    settle()
    plan = chain(STEPS)
    await one(made, plan)
    times = []
    for _ in range(ROUNDS):
        if told:
            print("ready", flush=True)
            sys.stdin.readline()
        start = time.perf_counter()
        await asyncio.gather(*(one(made, plan) for _ in range(RUNS)))
        times.append(time.perf_counter() - start)
        if told:
            print("done", flush=True)
    await made.close()
    journal.close()
    return times


def alone(url: str) -> float:
    return RUNS * STEPS / statistics.median(asyncio.run(rounds(url, told=False)))


def together(url: str, count: int) -> float:
    """Steps a second of several processes, each with 50 runs at once."""
    others = [
        subprocess.Popen([sys.executable, __file__, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    times = []
    for _ in range(ROUNDS):
        for other in others:
            assert other.stdout.readline() == "ready\n"
        start = time.perf_counter()
        for other in others:
            other.stdin.write("\n")
            other.stdin.flush()
        for other in others:
            assert other.stdout.readline() == "done\n"
        times.append(time.perf_counter() - start)
    for other in others:
        other.communicate()
    return count * RUNS * STEPS / statistics.median(times)


async def latency(url: str) -> float:
    journal = Journal(url)
    made = Engine(journal, {"noop": NoOp({"n": 1})})
    settle()
    await one(made, chain(10))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        await one(made, chain(100))
        times.append(time.perf_counter() - start)
    await made.close()
    journal.close()
    return statistics.median(times) / 100 * 1000


def measure() -> dict[str, float]:
    with postgres() as url:
        return {
            "steps_per_s": alone(url),
            "steps_per_s_2": together(url, 2),
            "steps_per_s_4": together(url, 4),
            "ms_per_step": asyncio.run(latency(url)),
        }


if __name__ == "__main__":
    if sys.argv[1:] and "://" in sys.argv[1]:
        asyncio.run(rounds(sys.argv[1], told=True))
    else:
        publish("weft", "0.1.0", {"postgres": measure})
