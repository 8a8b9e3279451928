"""A process that drives runs, for tests that kill, freeze and race real processes.

    python -m tests.faults.worker HOME start          start a run, print its id, drive it
    python -m tests.faults.worker HOME drive RUN      drive a run, telling the truth about doubtful steps
    python -m tests.faults.worker HOME many COUNT     start and drive COUNT runs at once
    python -m tests.faults.worker HOME serve          take up whatever is ready, as `weft worker` does, until it is told to end
    python -m tests.faults.worker HOME fill           start runs until the journal refuses

CONCURRENCY is how many calls it performs at once, STUCK a step at which it stands still for seconds, HUNGRY one that takes more memory than
its process allows itself, GREEDY one that takes all that there is, after its effect.

What touches the world is appended to the file ``effects``, which outlives the process.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time
from pathlib import Path

from weft.app.automation.worker import Worker
from weft.core.clock import SystemClock
from weft.core.errors import TransientError, WeftError
from weft.core.ids import path_key
from weft.engine.local import Engine, RunResult
from weft.engine.port import Done
from weft.plan.nodes import Call, Graph, Join, Map, Plan, Sequence
from weft.store.journal import Journal

EFFECTS = ("pure", "idempotent", "reconcile", "once")


def calls(*names: str) -> tuple[Call, ...]:
    return tuple(
        Call(name=f"{name}{effect}", performer="tool", target=effect, effect=effect)
        for name in names
        for effect in EFFECTS
    )


PLAN = Plan(
    workflow="worker",
    root=Sequence(
        name="",
        children=(
            *calls("a"),
            Map(name="m", items=str(list(range(6))), body=Sequence(name="", children=calls("x")), max_parallel=4),
            Graph(name="g", children=calls("p", "q"), join=Join(policy="best_effort"), into="tasks"),
            *calls("z"),
        ),
        into="all",
        value={"all": "all"},
    ),
)


class World:
    """The world outside: a file with one line for each time that it was touched."""

    derived = False

    def __init__(self, home: Path) -> None:
        self._file = home / "effects"
        self._step_s = float(os.environ.get("STEP_S", "0.004"))

    def touch(self, effect: str, key: str, path: str) -> None:
        fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, f"{effect} {key} {path}\n".encode())
        os.close(fd)

    def touched(self, key: str) -> bool:
        return self._file.exists() and any(line.split()[1] == key for line in self._file.read_text().splitlines())

    def value(self, call: Call, context) -> Done:
        return Done(None if call.effect == "once" else {"response": context.path})

    async def perform(self, call: Call, scope, context) -> Done:
        await asyncio.sleep(self._step_s)
        if context.path == os.environ.get("STUCK"):
            time.sleep(7)  # the event loop, too: as code does that computes for long, or waits for a lock
        if context.path == os.environ.get("HUNGRY"):
            devour()
        self.touch(call.effect, context.key, context.path)
        if context.path == os.environ.get("GREEDY"):
            await asyncio.to_thread(gorge, self._file.with_name("served"))
        if call.target == "refuses":
            raise TransientError(f"{context.path} refuses")
        await asyncio.sleep(self._step_s)
        return self.value(call, context)

    async def check(self, call: Call, scope, context) -> Done | None:
        return self.value(call, context) if self.touched(context.key) else None


def devour() -> None:
    """Take more memory than there is for this process."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + 200_000_000, limits[1]))
    eaten = []
    try:
        while True:
            eaten.append(bytearray(20_000_000))
    finally:
        eaten.clear()
        resource.setrlimit(resource.RLIMIT_AS, limits)


def gorge(served: Path) -> None:
    """Once that file is there, take memory and use it, until somebody ends this process; no more than the machine can spare."""
    while not served.exists():
        time.sleep(0.01)
    eaten = [bytearray(b"x") * 10_000_000 for _ in range(100)]
    while True:
        time.sleep(len(eaten))


def open_journal(home: Path) -> Journal:
    return Journal(os.environ.get("JOURNAL") or home / "weft.db", busy_s=float(os.environ.get("BUSY_S", "5")))


async def drive(engine: Engine, home: Path, run_id: str) -> str:
    while (result := await engine.drive(run_id)).status == "waiting":
        for wait in result.waits:
            await engine.settle(run_id, wait["path"], did=World(home).touched(path_key(run_id, wait["path"])))
    return result.status


class Hands:
    """What a worker drives with."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self._engine = engine
        self._home = home

    async def start(self, request: object) -> str:
        raise NotImplementedError

    async def give_way(self, run_id: str, automation: str, by: object) -> bool:
        raise NotImplementedError

    async def drive(self, run_id: str) -> RunResult:
        while (result := await self._engine.drive(run_id)).status == "waiting" and result.waits:
            for wait in result.waits:
                await self._engine.settle(
                    run_id, wait["path"], did=World(self._home).touched(path_key(run_id, wait["path"]))
                )
        return result


async def serve(journal: Journal, engine: Engine, home: Path) -> None:
    worker = Worker(journal, Hands(engine, home), SystemClock(), report=lambda what, about: print(what, dict(about)))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
    print("ready", flush=True)
    await worker.run(drain_s=0.0)


async def do(home: Path, act: str, *rest: str) -> None:
    journal = open_journal(home)
    engine = Engine(journal, {"tool": World(home)}, concurrency=int(os.environ.get("CONCURRENCY", "64")))
    if act == "start":
        run_id = await engine.start(PLAN, {})
        print(run_id, flush=True)
        print(await drive(engine, home, run_id), flush=True)
    elif act == "drive":
        print("ready", flush=True)
        print(await drive(engine, home, rest[0]), flush=True)
    elif act == "many":
        ids = [await engine.start(PLAN, {}) for _ in range(int(rest[0]))]
        print(*await asyncio.gather(*(drive(engine, home, run_id) for run_id in ids)), flush=True)
    elif act == "serve":
        await serve(journal, engine, home)
    elif act == "fill":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(rest[0]), resource.RLIM_INFINITY))
        run_id = await engine.start(PLAN, {"filler": "x" * 3_000})
        print(run_id, flush=True)
        await drive(engine, home, run_id)
    await engine.close()
    journal.close()


def main() -> None:
    try:
        asyncio.run(do(Path(sys.argv[1]), *sys.argv[2:]))
    except WeftError as error:
        print(error.code, error.message, error.fix, sep="|", flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
