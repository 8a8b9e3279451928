"""Followers of a run that do not keep up, and what is kept for those who are yet to come."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from weft.app.hosting import Host
from weft.app.serving import tails
from weft.app.serving.frames import ROOM
from weft.app.serving.turns import Turn
from weft.bus.envelope import DELTA, Envelope
from weft.core.canonical import dumps
from weft.engine.questions import Answer
from weft.store.append import Append, Draft

pytestmark = pytest.mark.slow
MANY = 20_000


async def waits(host: Host) -> tuple[str, int]:
    """A run that waits at a gate, and the number of its last event."""
    run_id = (await host.begin(Turn(target=host.library.get("asks"), choice=host.choice))).run_id
    async with asyncio.timeout(60), aclosing(host.tails.follow(run_id)) as frames:
        async for frame in frames:
            if frame.type == "run.waiting":
                return run_id, frame.seq
    raise AssertionError(run_id)


def word(host: Host, run_id: str, seq: int, text: str = "a word ") -> None:
    data = {"path": "/x", "attempt": 1, "text": text}
    host.service.bus.publish(Envelope(seq, f"run/{run_id}", DELTA, host.clock.micros(), data))


async def test_what_is_kept_for_a_slow_reader_is_bounded_and_it_misses_no_event(host):
    run_id, last = await waits(host)
    seen = []
    async with asyncio.timeout(60), aclosing(host.tails.follow(run_id)) as frames:
        seen.append(await anext(frames))
        for number in range(MANY):
            word(host, run_id, last)
            if number % 500 == 0:
                await asyncio.sleep(0)
        tail = host.tails._tails[run_id]
        while tail._heard._queue:
            await asyncio.sleep(0)
        assert len(tail.frames) <= 2 * tails._KEPT
        await host.decide(run_id, None, Answer(by="local", choice="send"))
        async for frame in frames:
            seen.append(frame)
    assert [one.seq for one in seen if not one.delta] == list(range(1, host.journal.runs.get(run_id).head_seq + 1))
    assert sum(one.delta for one in seen) <= 2 * tails._KEPT + 100


async def test_what_is_kept_of_a_run_that_says_long_things_is_bounded_too_and_no_event_is_missed(host):
    run_id, last = await waits(host)
    seen = []
    async with asyncio.timeout(60), aclosing(host.tails.follow(run_id)) as frames:
        seen.append(await anext(frames))
        for number in range(400):
            word(host, run_id, last, "a word " * 10_000)
            if number % 50 == 0:
                await asyncio.sleep(0)
        tail = host.tails._tails[run_id]
        while tail._heard._queue:
            await asyncio.sleep(0)
        assert sum(len(frame.data["text"]) for frame in tail.frames) <= tail.size <= 2 * tails._KEPT_ROOM
        await host.decide(run_id, None, Answer(by="local", choice="send"))
        async for frame in frames:
            seen.append(frame)
    assert [one.seq for one in seen if not one.delta] == list(range(1, host.journal.runs.get(run_id).head_seq + 1))


async def test_those_who_come_together_read_the_past_once_and_hold_a_page_of_it_at_most(host, monkeypatch):
    run_id, last = await waits(host)
    # A past that is longer than what is read at once, in small events and in large ones.
    many = [Draft(1, "step.note", f"/{number}", dumps("a" * 40_000 * (number % 3 == 0))) for number in range(300)]
    await host.journal.append(Append(run_id, host.journal.runs.get(run_id).epoch, many))
    read, pages = host.journal.events, []

    def events(*args, **how):
        pages.append(read(*args, **how))
        return pages[-1]

    monkeypatch.setattr(host.journal, "events", events)

    async def follow():
        seqs = []
        async with aclosing(host.tails.follow(run_id)) as frames:
            while len(seqs) < last + 300:
                seqs.append((await anext(frames)).seq)
                await asyncio.sleep(0)
        return seqs

    async with asyncio.timeout(60):
        told = await asyncio.gather(*(follow() for _ in range(50)))
    assert told == [list(range(1, last + 301))] * 50
    assert sum(map(len, pages)) == last + 300
    # Not much more than the room: how large the next events are is guessed from those before them.
    assert max(sum(len(dumps(event.data)) for event in page) for page in pages) < 4 * ROOM


async def test_what_is_held_for_nobody_is_bounded_and_let_go(host, monkeypatch):
    run_id, last = await waits(host)
    host.tails.hold(run_id, last)
    for _ in range(MANY):
        word(host, run_id, last)
    held = host.tails._held[run_id]
    assert len(held.heard._queue) <= 4 * tails._KEPT
    host.tails.let_go(run_id)
    assert not host.tails._held
    monkeypatch.setattr(tails, "_HELD_S", 0.05)
    host.tails.hold(run_id, last)
    async with asyncio.timeout(60):
        while host.tails._held:
            await asyncio.sleep(0.01)
    assert f"run/{run_id}" not in host.service.bus._readers


async def test_whoever_comes_while_a_run_is_held_hears_it_from_there_in_order(host):
    run_id, last = await waits(host)
    host.tails.hold(run_id, last)
    for _ in range(3):
        word(host, run_id, last)
    async with asyncio.timeout(60), aclosing(host.tails.follow(run_id, after=last)) as frames:
        # Where it is decided at once, the run may be over before anybody comes, and then nothing is held any more.
        heard = [await anext(frames) for _ in range(3)]
        await host.decide(run_id, None, Answer(by="local", choice="send"))
        heard += [frame async for frame in frames]
    assert [one.delta for one in heard[:4]] == [True, True, True, False]
    events = [one.seq for one in heard if not one.delta]
    assert events == list(range(last + 1, host.journal.runs.get(run_id).head_seq + 1))
