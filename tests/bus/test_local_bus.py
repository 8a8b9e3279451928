import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.bus.envelope import DELTA, LAGGED, Envelope
from weft.bus.local import LocalBus


def event(seq, topic="run/1"):
    return Envelope(seq, topic, "step.completed", seq * 10, {"n": seq})


def delta(seq, topic="run/1"):
    return Envelope(seq, topic, DELTA, seq * 10, {"text": "x"})


async def drain(reader):
    reader.close()
    return [one async for one in reader]


async def test_a_reader_gets_what_is_published_after_it_came_in_order():
    bus = LocalBus()
    bus.publish(event(1))
    async with bus.subscribe("run/1") as reader:
        for seq in (2, 3):
            bus.publish(event(seq))
        assert [(await anext(reader)).seq, (await anext(reader)).seq] == [2, 3]


async def test_a_waiting_reader_wakes_up():
    bus = LocalBus()
    reader = bus.subscribe()
    task = asyncio.create_task(anext(reader))
    await asyncio.sleep(0)
    bus.publish(event(1))
    assert (await task).seq == 1
    reader.close()


async def test_a_prefix_means_whole_segments():
    bus = LocalBus()
    one, all_runs, everything = bus.subscribe("run/1"), bus.subscribe("run"), bus.subscribe()
    for topic in ("run/1", "run/1/deltas", "run/10", "runner"):
        bus.publish(event(1, topic))
    assert [e.topic for e in await drain(one)] == ["run/1", "run/1/deltas"]
    assert [e.topic for e in await drain(all_runs)] == ["run/1", "run/1/deltas", "run/10"]
    assert len(await drain(everything)) == 4


async def test_nobody_listens_until_somebody_does_and_after_they_left():
    bus = LocalBus()
    assert not bus.listening
    async with bus.subscribe():
        assert bus.listening
        async with bus.subscribe():
            pass
        assert bus.listening
    assert not bus.listening


async def test_closing_ends_a_reader_that_waits_and_one_that_has_not_read_all():
    bus = LocalBus()
    waiting, full = bus.subscribe("a"), bus.subscribe("b")
    bus.publish(event(1, "b"))
    task = asyncio.create_task(drain(waiting))
    await asyncio.sleep(0)
    bus.close()
    assert await asyncio.wait_for(task, 60) == []
    assert [e.seq for e in await drain(full)] == [1]
    assert not bus.listening


async def test_a_cancelled_reader_loses_nothing():
    bus = LocalBus()
    reader = bus.subscribe()
    task = asyncio.create_task(anext(reader))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bus.publish(event(1))
    assert (await anext(reader)).seq == 1
    reader.close()


async def test_a_slow_reader_loses_deltas_before_events_and_is_told():
    bus = LocalBus()
    reader = bus.subscribe(max_queue=10)
    bus.publish(event(1))
    for _ in range(9):
        bus.publish(delta(1))
    bus.publish(event(2))
    got = await drain(reader)
    assert got[0].type == LAGGED
    assert got[0].data == {"missed": 9, "events": 0}
    assert [e.seq for e in got[1:]] == [1, 2]


async def test_a_reader_that_missed_events_is_told_where_to_read_on():
    bus = LocalBus()
    reader = bus.subscribe(max_queue=4)
    bus.publish(event(7))
    assert (await anext(reader)).seq == 7
    for seq in range(8, 13):
        bus.publish(event(seq))
    mark, *rest = await drain(reader)
    assert (mark.type, mark.seq, mark.data) == (LAGGED, 7, {"missed": 4, "events": 4})
    assert [e.seq for e in rest] == [12]


@given(
    st.lists(st.sampled_from(["event", "delta", "read"]), max_size=200),
    st.integers(min_value=1, max_value=8),
)
def test_memory_is_bounded_and_what_is_delivered_and_missed_adds_up(acts, limit):
    async def scenario():
        bus = LocalBus()
        reader = bus.subscribe(max_queue=limit)
        sent, got, pending = [], [], 0
        for number, act in enumerate(acts, 1):
            if act == "read":
                if pending:
                    got.append(await anext(reader))
                    pending -= 1
                continue
            bus.publish(event(number) if act == "event" else delta(number))
            sent.append((number, act))
            pending = 1
        rest = await drain(reader)
        assert len(rest) <= limit + 1
        got += rest
        delivered = [e.seq for e in got if e.type != LAGGED]
        assert delivered == sorted(delivered)
        marks = [e.data for e in got if e.type == LAGGED]
        assert len(delivered) + sum(m["missed"] for m in marks) == len(sent)
        events = sum(1 for e in got if e.type not in {LAGGED, DELTA}) + sum(m["events"] for m in marks)
        assert events == sum(1 for _, act in sent if act == "event")

    asyncio.run(scenario())


def test_a_queue_without_room_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        LocalBus().subscribe(max_queue=0)
