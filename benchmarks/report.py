"""What every side of the comparison does: take a case from the command line, print one line of JSON."""

import asyncio
import json
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping


def peak_mb() -> float:
    """The most memory that this process ever held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def publish(side: str, version: str, cases: Mapping[str, Callable[[], Mapping[str, float]]]) -> None:
    """Run the case that the command line names and print its metrics; list the cases when it names none."""
    if len(sys.argv) != 2 or sys.argv[1] not in cases:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(cases)}")
    case = sys.argv[1]
    metrics = cases[case]()
    print(json.dumps({"side": side, "version": version, "case": case, "metrics": metrics}))


async def paced(
    one: Callable[[object], Awaitable[None]], fresh: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """The pace of `one` in milliseconds a run: 20 at once, one at a time, and the processor's time of those at once.

    `fresh` makes what each run is given, outside the time.
    """
    await asyncio.gather(*(one(fresh()) for _ in range(5)))
    together, alone, cpu = [], [], []
    for _ in range(5):
        given = [fresh() for _ in range(20)]
        start, worked = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one(each) for each in given))
        together.append((time.perf_counter() - start) / len(given))
        cpu.append((time.process_time() - worked) / len(given))
        given = [fresh() for _ in range(10)]
        start = time.perf_counter()
        for each in given:
            await one(each)
        alone.append((time.perf_counter() - start) / len(given))
    return {
        "ms_per_run_at_20": statistics.median(together) * 1000,
        "ms_per_run_alone": statistics.median(alone) * 1000,
        "cpu_ms_per_run": statistics.median(cpu) * 1000,
    }
