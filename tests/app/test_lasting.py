"""What goes on as long as the service: when something is wrong in it, that is told, and it goes on all the same."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from tests.app.telling.test_teller import run
from weft.app.hosting import Host
from weft.app.lasting import lasting
from weft.app.serving.turns import Turn, new_run_id, request_of
from weft.core.errors import StorageError


async def test_work_that_fails_begins_anew_until_it_is_done(caplog):
    ends = [StorageError("the disk is full"), KeyError("name"), None]
    begun = []

    async def work() -> None:
        begun.append(1)
        if (error := ends.pop(0)) is not None:
            raise error

    await lasting("the work", work, pause_s=0)
    assert len(begun) == 3
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told == [
        ("WARNING", "the work begins anew: the disk is full"),
        ("ERROR", "a defect in the work, which begins anew"),
    ]
    assert "KeyError" in caplog.text


async def test_work_that_is_called_off_is_over():
    going = asyncio.ensure_future(lasting("the work", asyncio.Event().wait, pause_s=0))
    await asyncio.sleep(0)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going


@pytest.mark.slow
async def test_news_and_the_worker_outlive_a_defect(host: Host, monkeypatch, caplog):
    monkeypatch.setattr("weft.app.lasting._PAUSE_S", 0.01)
    failing = {"news": 1, "worker": 1}
    take, look = host.news._take, host._worker._look

    def take_or_fail(event) -> None:
        if failing["news"]:
            failing["news"] -= 1
            raise KeyError("news")
        take(event)

    async def look_or_fail() -> bool:
        if failing["worker"]:
            failing["worker"] -= 1
            raise KeyError("worker")
        return await look()

    monkeypatch.setattr(host.news, "_take", take_or_fail)
    monkeypatch.setattr(host._worker, "_look", look_or_fail)
    async with asyncio.timeout(60), aclosing(host.news.follow(frozenset({"runs"}), tenant="local")) as items:
        heard = asyncio.ensure_future(anext(items))
        await asyncio.sleep(0.05)
        await run(host)
        await heard
        while failing["worker"]:
            await asyncio.sleep(0.02)
        # Nobody but the worker takes up what waits in the queue.
        turn = Turn(target=host.library.get("two"), inputs={"topic": "looms"})
        request = request_of(turn, new_run_id(), host.settings.home)
        run_id = await host.service.start(replace(request, queued=True))
        while host.journal.runs.get(run_id).status != "completed":
            await asyncio.sleep(0.02)
    assert "a defect in the news" in caplog.text
    assert "a defect in the worker" in caplog.text
