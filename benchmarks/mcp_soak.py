"""MCP servers for half an hour: calls, crashes, long results and new runs, and whether memory or latency grow.

``python benchmarks/mcp_soak.py [--seconds 1800] [--json]``. Not part of `make bench`. Every run starts a server of its own, calls its
tools from several callers at once, lets it crash once, and ends it. The first fifth warms up; of the rest, the first and the last third
are compared. Status 1 when resident memory grew by more than a tenth and 10 MiB, when the processor's time for a call or the latency of the fastest
twentieth of calls (which other work on the machine disturbs least) grew by more than half, or when open files or processes were left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from weft.core.clock import SystemClock
from weft.core.errors import ToolError
from weft.net.client import HttpClient
from weft.net.egress import EgressPolicy
from weft.secrets.resolve import Secrets
from weft.tools.mcp.pool import McpPool, Surroundings
from weft.tools.port import ToolContext
from weft.tools.runner import run_tool

SERVER = Path(__file__).resolve().parents[1] / "tests" / "tools" / "mcp" / "faulty.py"
CALLERS = 4
CALLS = 50


@dataclass
class Sample:
    """What one run showed."""

    at: float
    resident: int
    files: int
    cpu: float
    latencies: list[float] = field(default_factory=list)


def resident() -> int:
    """Resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def servers(mark: str) -> int:
    """How many processes were started with `mark` in their command."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            count += mark in (folder / "cmdline").read_text() and int(folder.name) != os.getpid()
        except OSError:
            continue
    return count


async def one_run(pool: McpPool, number: int, state: Path, context: ToolContext) -> list[float]:
    """The latencies of the calls of one run, in seconds."""
    definition = {"command": sys.executable, "args": [str(SERVER), "ok", str(state)]}
    name = f"run{number}"
    tools = await pool.tools(name, {"soak": definition}, context, history=list)
    latencies: list[float] = []

    async def caller(which: int) -> None:
        for count in range(CALLS):
            tool, args = (("echo", {"text": f"{which}-{count}"}), ("big", {"size": 20_000}))[count % 10 == 9]
            began = time.perf_counter()
            await run_tool(tools[tool], args, context)
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(caller(which) for which in range(CALLERS)))
    with contextlib.suppress(ToolError):
        await run_tool(tools["crash"], {}, context)
    await run_tool(tools["echo"], {"text": "again"}, context)
    await pool.leave(name)
    return latencies


async def soak(seconds: float) -> list[Sample]:
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as folder:
        home, policy = Path(folder), EgressPolicy()
        pool, http = McpPool(Surroundings(home=home, policy=policy)), HttpClient(policy)
        context = ToolContext(key="k", workdir=home, clock=SystemClock(), http=http, secrets=Secrets())
        began = time.monotonic()
        number = 0
        while (at := time.monotonic() - began) < seconds:
            number += 1
            used = time.process_time()
            latencies = await one_run(pool, number, home / "state", context)
            used = (time.process_time() - used) / len(latencies)
            samples.append(Sample(at, resident(), files(), used, latencies))
        await pool.aclose()
        await http.aclose()
        if left := servers(str(home)):
            raise SystemExit(f"{left} servers were left behind")
    return samples


def verdict(samples: list[Sample]) -> dict[str, float | int | bool]:
    """The first and the last third after the warm-up, side by side."""
    steady = samples[len(samples) // 5 :]
    third = max(1, len(steady) // 3)
    first, last = steady[:third], steady[-third:]
    memory = [statistics.median(one.resident for one in part) / 2**20 for part in (first, last)]
    calls = [[value * 1000 for one in part for value in one.latencies] for part in (first, last)]
    medians = [statistics.median(part) for part in calls]
    tails = [statistics.quantiles(part, n=100)[98] for part in calls]
    fastest = [statistics.quantiles(part, n=20)[0] for part in calls]
    cpu = [statistics.median(one.cpu for one in part) * 1000 for part in (first, last)]
    opened = [max(one.files for one in part) for part in (first, last)]
    grew = memory[1] > memory[0] * 1.1 and memory[1] > memory[0] + 10
    slowed = cpu[1] > cpu[0] * 1.5 or fastest[1] > fastest[0] * 1.5 + 0.5
    return {
        "runs": len(samples),
        "calls": sum(len(one.latencies) for one in samples),
        "memory_first_mib": round(memory[0], 1),
        "memory_last_mib": round(memory[1], 1),
        "p50_first_ms": round(medians[0], 3),
        "p50_last_ms": round(medians[1], 3),
        "p99_first_ms": round(tails[0], 3),
        "p99_last_ms": round(tails[1], 3),
        "cpu_first_ms": round(cpu[0], 3),
        "cpu_last_ms": round(cpu[1], 3),
        "p5_first_ms": round(fastest[0], 3),
        "p5_last_ms": round(fastest[1], 3),
        "files_first": opened[0],
        "files_last": opened[1],
        "steady": not grew and not slowed and opened[1] <= opened[0] + 2,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    found = verdict(asyncio.run(soak(given.seconds)))
    if given.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:18} {value}")
    return 0 if found["steady"] else 1


if __name__ == "__main__":
    sys.exit(main())
