"""One tenant's queue does not stand in the way of another's."""

import asyncio
import time

import pytest

from tests.waiting import promised
from weft.app.automation.worker import Worker
from weft.core.clock import SystemClock
from weft.core.errors import ConflictError
from weft.engine.slots import Slots
from weft.store.append import Append, Draft, NewRun
from weft.store.journal import Journal

QUEUED = 10_000


async def test_slots_go_round_the_tenants():
    slots = Slots(1)
    await slots.acquire()
    got = []

    async def work(tenant, number):
        await slots.acquire(tenant)
        got.append(f"{tenant}{number}")
        slots.release()

    tasks = [asyncio.ensure_future(work("a", number)) for number in range(100)]
    await asyncio.sleep(0)
    late = asyncio.ensure_future(work("b", 0))
    gone = asyncio.ensure_future(work("c", 0))
    await asyncio.sleep(0)
    gone.cancel()
    slots.release()
    await asyncio.gather(*tasks, late)
    assert got.index("b0") <= 1
    assert (len(got), slots.take()) == (101, True)


def queue(run_id, tenant):
    new = NewRun(run_id, "w", "hash", b"{}", "{}", "{}", tenant=tenant)
    return Append(run_id, 0, [Draft(1, "run.created", "", b"{}")], create=new)


class Hands:
    """Drives runs that never end."""

    def __init__(self):
        self.driven = {}

    async def drive(self, run_id):
        if run_id in self.driven:
            raise ConflictError("driven already")
        self.driven[run_id] = time.monotonic()
        await asyncio.sleep(3_600)


@pytest.mark.slow
async def test_ten_thousand_queued_runs_of_one_do_not_keep_another_waiting(tmp_path):
    journal = Journal(tmp_path / "journal.db", durability="fast")
    for number in range(0, QUEUED, 500):
        await asyncio.gather(*(journal.writer.submit(queue(f"big-{number + each:05}", "big")) for each in range(500)))
    began = time.perf_counter()
    assert {tenant for _, tenant in journal.runs.ready(2**60, limit=16)} == {"big"}
    assert time.perf_counter() - began < promised(1)
    hands = Hands()
    worker = Worker(journal, hands, SystemClock(), concurrency=4)
    working = asyncio.ensure_future(worker.run(drain_s=0))
    while len(hands.driven) < 4:
        await asyncio.sleep(0.01)
    # All places are taken by runs that never end; the run of the other tenant begins all the same.
    await journal.writer.submit(queue("small-1", "small"))
    asked = time.monotonic()
    while "small-1" not in hands.driven:
        assert time.monotonic() - asked < promised(10)
        await asyncio.sleep(0.01)
    assert len([one for one in hands.driven if one.startswith("big")]) == 4
    assert [tenant for _, tenant in journal.runs.ready(2**60, limit=1)] == ["big"]
    worker.stop()
    await working
    journal.close()


@pytest.mark.slow
async def test_whoever_comes_right_after_another_guest_waits_for_nobody_to_end(tmp_path):
    journal, hands = Journal(tmp_path / "journal.db", durability="fast"), Hands()
    await journal.writer.submit(queue("big-1", "big"))
    worker = Worker(journal, hands, SystemClock(), concurrency=1)
    working = asyncio.ensure_future(worker.run(drain_s=0))
    for run_id in ("big-1", "small-1", "late-1"):
        if run_id != "big-1":
            await journal.writer.submit(queue(run_id, run_id[:-2]))
            journal.inbox.ring()
        asked = time.monotonic()
        while run_id not in hands.driven:
            assert time.monotonic() - asked < promised(2), f"{run_id} waits"
            await asyncio.sleep(0.005)
    worker.stop()
    await working
    journal.close()
