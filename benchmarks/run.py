"""Compare Weft with its peers: every side in turn, some rounds, medians and ratios.

    .venv/bin/python benchmarks/run.py [--rounds N] [--minutes M] [CASE …]

Sides are scripts that print one line of JSON; see README.md beside this file. They run one after the other, never at once, and
interleaved, so that a slow minute of the machine hits all of them.
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from cases import CASES, Case, Goal, Medians, Side

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
LONGEST_MEASUREMENT = 180.0
"""Seconds that one side may take for one case in one round."""


class Rounds:
    """The samples so far, what went wrong, and the time that is left."""

    def __init__(self, minutes: float) -> None:
        self.samples: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
        self.versions: dict[str, str] = {}
        self.failures: dict[tuple[str, str], str] = {}
        self._end = time.monotonic() + minutes * 60

    @property
    def left(self) -> float:
        return self._end - time.monotonic()

    def measure(self, case: Case, side: Side) -> None:
        """Run one side once, unless it has failed before or the time is up."""
        key = (case.name, side.name)
        if key in self.failures or self.left <= 0:
            return
        command = [str(ROOT / side.venv / "bin" / "python"), str(ROOT / side.script), case.name]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                check=False,
                capture_output=True,
                text=True,
                timeout=min(LONGEST_MEASUREMENT, self.left),
            )
        except subprocess.TimeoutExpired as error:
            self.failures[key] = f"stopped after {error.timeout:.0f} s"
            return
        except OSError as error:
            self.failures[key] = str(error)
            return
        if done.returncode:
            self.failures[key] = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
            return
        self._record(key, done.stdout)

    def _record(self, key: tuple[str, str], output: str) -> None:
        try:
            line = json.loads(output.strip().splitlines()[-1])
            metrics = {name: float(value) for name, value in line["metrics"].items()}
        except (IndexError, KeyError, TypeError, ValueError):
            self.failures[key] = "did not print the line of JSON that is expected"
            return
        self.versions[key[1]] = str(line.get("version", ""))
        self.samples[key].append(metrics)

    def medians(self) -> Medians:
        return {
            key: {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}
            for key, samples in self.samples.items()
        }


def judge(goal: Goal, medians: Medians) -> tuple[float | None, str]:
    """The goal's number and what to call it."""
    try:
        value = goal.value(medians)
    except (KeyError, ZeroDivisionError):
        return None, "not measured"
    return value, "met" if goal.holds(value) else "MISSED"


def table(case: Case, rounds: Rounds, medians: Medians) -> list[str]:
    """The case's sides, a line each, and its goals."""
    names = list(case.metrics)
    heads = [f"{name} [{unit}]" if (unit := case.metrics[name]) else name for name in names]
    lines = ["", f"{case.name}: {case.question}", "  " + "side".ljust(14) + "".join(head.rjust(24) for head in heads)]
    for side in case.sides:
        key = (case.name, side.name)
        if key in medians:
            cells = [f"{medians[key][name]:,.2f}" if name in medians[key] else "" for name in names]
            lines.append("  " + side.name.ljust(14) + "".join(cell.rjust(24) for cell in cells))
        else:
            lines.append("  " + side.name.ljust(14) + "  " + rounds.failures.get(key, "no time left"))
    for goal in case.goals:
        value, verdict = judge(goal, medians)
        shown = "" if value is None else f"{value:,.2f} "
        lines.append(f"    {goal.text}: {shown}(goal {'≥' if goal.at_least else '≤'} {goal.bound:g}) {verdict}")
    return lines


def machine() -> dict[str, object]:
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def write_results(cases: list[Case], rounds: Rounds, medians: Medians) -> None:
    data = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "versions": rounds.versions,
        "cases": {
            case.name: {
                "question": case.question,
                "medians": {side.name: medians.get((case.name, side.name)) for side in case.sides},
                "samples": {side.name: rounds.samples.get((case.name, side.name), []) for side in case.sides},
                "failures": {s.name: f for s in case.sides if (f := rounds.failures.get((case.name, s.name)))},
                "goals": [
                    {
                        "text": goal.text,
                        "bound": goal.bound,
                        "at_least": goal.at_least,
                        "value": value,
                        "verdict": verdict,
                    }
                    for goal in case.goals
                    for value, verdict in (judge(goal, medians),)
                ],
            }
            for case in cases
        },
    }
    RESULTS.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def progress(text: str) -> None:
    """What is being measured, on one line that the next one overwrites; nothing where nobody watches."""
    if sys.stderr.isatty():
        print("\r" + text.ljust(70), end="\r", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare Weft with its peers.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured (default: 5)")
    parser.add_argument("--minutes", type=float, default=14, help="when to stop starting measurements (default: 14)")
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"only these: {', '.join(case.name for case in CASES)}"
    )
    asked = parser.parse_args()
    cases = [case for case in CASES if case.name in asked.cases or not (asked.cases or case.long)]
    if len(cases) < len(set(asked.cases)):
        parser.error(f"there is no such case; choose from {', '.join(case.name for case in CASES)}")

    rounds = Rounds(asked.minutes)
    for number in range(asked.rounds):
        for case in cases:
            for side in case.sides:
                progress(f"round {number + 1}/{asked.rounds}  {case.name}  {side.name}")
                rounds.measure(case, side)
    progress("")

    medians = rounds.medians()
    print(f"Medians of up to {asked.rounds} rounds on {os.cpu_count()} cores, {platform.platform()}")
    print(", ".join(f"{side} {version}" for side, version in sorted(rounds.versions.items())))
    for case in cases:
        print("\n".join(table(case, rounds, medians)))
    write_results(cases, rounds, medians)
    print(f"\nAll samples: {RESULTS.relative_to(ROOT)}")
    return 1 if rounds.failures else 0


if __name__ == "__main__":
    sys.exit(main())
