"""A process that drives runs, for tests that kill, freeze and race real processes.

    python -m tests.faults.worker HOME start          start a run, print its id, drive it
    python -m tests.faults.worker HOME drive RUN      drive a run, telling the truth about doubtful steps
    python -m tests.faults.worker HOME many COUNT     start and drive COUNT runs at once
    python -m tests.faults.worker HOME serve          take up whatever is ready, as `weft worker` does, until it is told to end
    python -m tests.faults.worker HOME fill           start runs until the journal refuses

What touches the world is appended to the file ``effects``, which outlives the process.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

from weft.app.automation.worker import Worker
from weft.core.clock import SystemClock
from weft.core.errors import WeftError
from weft.core.ids import path_key
from weft.engine.local import Engine, RunResult
from weft.engine.port import Done
from weft.plan.nodes import Call, Graph, Join, Map, Plan, Sequence
from weft.store.journal import Journal

STEP_S = float(os.environ.get("STEP_S", "0.004"))
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

    def touch(self, effect: str, key: str, path: str) -> None:
        fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, f"{effect} {key} {path}\n".encode())
        os.close(fd)

    def touched(self, key: str) -> bool:
        return self._file.exists() and any(line.split()[1] == key for line in self._file.read_text().splitlines())

    def value(self, call: Call, context) -> Done:
        return Done(None if call.effect == "once" else {"response": context.path})

    async def perform(self, call: Call, scope, context) -> Done:
        await asyncio.sleep(STEP_S)
        self.touch(call.effect, context.key, context.path)
        await asyncio.sleep(STEP_S)
        return self.value(call, context)

    async def check(self, call: Call, scope, context) -> Done | None:
        return self.value(call, context) if self.touched(context.key) else None


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

    async def cancel(self, run_id: str, *, reason: str) -> bool:
        return await self._engine.cancel(run_id, reason=reason)

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


async def main(home: Path, act: str, *rest: str) -> None:
    journal = open_journal(home)
    engine = Engine(journal, {"tool": World(home)})
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


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
    except WeftError as error:
        print(error.code, error.message, error.fix, sep="|", flush=True)
        sys.exit(1)
