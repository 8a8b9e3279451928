"""What sealing the store costs: 50 runs at once of 10 no-op steps each, in plain and sealed by turns, every step on disk."""

import asyncio
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from report import publish
from weft.app.memory import settle
from weft.engine.local import Engine
from weft.store.journal import Journal
from weft.testing.keys import keyring
from weft_steps import NoOp, chain, one

RUNS, STEPS, TURNS = 50, 10, 9
PAYLOAD = {"response": "words of an answer, as models give them. " * 12}


class Store:
    """An engine over a store of its own, and how long and how much of the processor its turns took."""

    def __init__(self, folder: str, name: str, seal) -> None:
        self.journal = Journal(Path(folder) / f"{name}.db", seal=seal)
        self.engine = Engine(self.journal, {"noop": NoOp(PAYLOAD)})
        self.seconds: list[float] = []
        self.cpu: list[float] = []

    async def turn(self) -> None:
        begun, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one(self.engine, chain(STEPS)) for _ in range(RUNS)))
        self.seconds.append(time.perf_counter() - begun)
        self.cpu.append(time.process_time() - cpu)

    async def close(self) -> None:
        await self.engine.close()
        self.journal.close()


async def measured() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        stores = [Store(folder, "plain", None), Store(folder, "sealed", keyring())]
        settle()  # as the command line does
        for turn in range(TURNS + 1):
            for store in stores:
                await store.turn()
                if turn == 0:  # to warm up
                    store.seconds.clear()
                    store.cpu.clear()
        for store in stores:
            await store.close()
    plain, sealed = ({"s": statistics.median(s.seconds), "cpu": statistics.median(s.cpu)} for s in stores)
    steps = RUNS * STEPS
    return {
        "plain_steps_per_s": steps / plain["s"],
        "sealed_steps_per_s": steps / sealed["s"],
        "plain_us": plain["cpu"] / steps * 1e6,
        "sealed_us": sealed["cpu"] / steps * 1e6,
    }


if __name__ == "__main__":
    publish("weft", version("weft"), {"sealed": lambda: asyncio.run(measured())})
