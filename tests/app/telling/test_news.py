"""News of all runs: live, resumable while it is remembered, and honest when it is not."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from tests.app.telling.test_teller import run
from weft.app.hosting import Host
from weft.app.service import RunRequest
from weft.app.telling.news import News
from weft.core.event import Event


async def read(news: News, count: int, *topics: str, after: int | None = None, tenant: str = "local") -> list:
    found = []
    async with asyncio.timeout(60), aclosing(news.follow(frozenset(topics), tenant=tenant, after=after)) as items:
        async for item in items:
            found.append(item)
            if len(found) == count:
                break
    return found


async def test_runs_and_gates_are_told_as_they_go(host):
    reading = asyncio.ensure_future(read(host.news, 3, "runs", "gates"))
    await asyncio.sleep(0.05)
    run_id = await run(host, "asks")
    items = await reading
    assert [item.body["type"] for item in items][:2] == ["run.started", "gate.opened"]
    assert {item.body["data"]["run"] for item in items if item.body["topic"] == "gates"} == {run_id}
    assert [item.place for item in items] == sorted(item.place for item in items)


async def test_a_reader_that_comes_back_is_told_on(host):
    keeping = asyncio.ensure_future(read(host.news, 100, "runs"))
    await asyncio.sleep(0.05)
    first = asyncio.ensure_future(read(host.news, 1, "runs"))
    await asyncio.sleep(0.05)
    await run(host)
    [seen] = await first
    rest = await read(host.news, 1, "runs", after=seen.place)
    assert rest[0].body["type"] == "run.completed"
    keeping.cancel()


async def test_what_is_forgotten_is_said_to_be(host):
    [item] = await read(host.news, 1, "runs", after=10_000)
    assert item.body["type"] == "lagged"


async def test_a_reader_that_is_too_slow_is_told_that_it_has_missed_something(host, monkeypatch):
    monkeypatch.setattr("weft.app.telling.news._KEPT", 4)
    run_id = await run(host)
    async with asyncio.timeout(60), aclosing(host.news.follow(frozenset({"runs"}), tenant="local")) as items:
        heard = asyncio.ensure_future(anext(items))
        await asyncio.sleep(0.05)
        for seq in range(100, 130):
            host.news._take(Event(run_id, seq, 1, "run.waiting", "", {}))
        lagged = await heard
        host.news._take(Event(run_id, 130, 1, "run.waiting", "", {}))
        following = await anext(items)
    assert [lagged.body["type"], following.body["type"]] == ["lagged", "run.waiting"]
    assert following.place == lagged.place + 1


@pytest.mark.slow
async def test_another_tenants_news_are_not_told(host):
    reading = asyncio.ensure_future(read(host.news, 1, "runs", tenant="other"))
    await asyncio.sleep(0.05)
    await run(host)
    await asyncio.sleep(0.3)
    assert not reading.done()
    reading.cancel()


@pytest.mark.slow
async def test_runs_that_another_process_drives_are_told_too(host, flows):
    other = Host(host.settings, choice=host.choice)
    reading = asyncio.ensure_future(read(host.news, 2, "runs"))
    await asyncio.sleep(0.05)
    run_id = await other.service.start(RunRequest(file=flows / "two.yaml", variables={"topic": "looms"}))
    await other.service.drive(run_id)
    items = await reading
    assert [item.body["type"] for item in items] == ["run.started", "run.completed"]
    await other.close()
