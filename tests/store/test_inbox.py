"""Messages between processes: each is delivered once, a repeated one is harmless, and the bell tells that there is one."""

from __future__ import annotations

import pytest

from weft.core.errors import StorageError
from weft.store.journal import Journal


@pytest.fixture(params=["memory", "file"])
async def journal(request, tmp_path):
    journal = Journal(":memory:" if request.param == "memory" else tmp_path / "weft.db")
    yield journal
    journal.close()


async def post(journal, run_id, key="k", **data):
    return await journal.writer.submit(journal.inbox.post(run_id, key=key, kind="cancel", data=data, at=1))


async def take(journal, *run_ids):
    return await journal.writer.submit(journal.inbox.take(run_ids))


async def test_a_message_is_taken_once_and_only_for_runs_that_were_asked_for(journal):
    assert await post(journal, "a", reason="ü")
    assert await post(journal, "b")
    (message,) = await take(journal, "a", "c")
    assert (message.run_id, message.kind, message.data) == ("a", "cancel", {"reason": "ü"})
    assert await take(journal, "a") == []
    assert [message.run_id for message in await take(journal, "b")] == ["b"]


async def test_messages_come_in_the_order_in_which_they_were_left(journal):
    for n in (3, 1, 2):
        await post(journal, "a", key=str(n))
    assert [message.key for message in await take(journal, "a")] == ["3", "1", "2"]


async def test_a_repeated_message_is_not_new(journal):
    assert await post(journal, "a")
    assert not await post(journal, "a")
    await take(journal, "a")
    assert not await post(journal, "a")
    assert await take(journal, "a") == []


async def test_the_bell_sounds_different_after_each_ring(journal):
    heard = {journal.inbox.bell()}
    for _ in range(5):
        journal.inbox.ring()
        heard.add(journal.inbox.bell())
    assert len(heard) == 6


@pytest.mark.sqlite
async def test_the_bell_is_heard_by_another_journal_on_the_same_file(tmp_path):
    one, two = Journal(tmp_path / "weft.db"), Journal(tmp_path / "weft.db")
    silent = two.inbox.bell()
    one.inbox.ring()
    assert two.inbox.bell() != silent
    one.close()
    two.close()


@pytest.mark.sqlite
async def test_a_bell_that_somebody_removes_is_heard_when_it_rings_again(tmp_path):
    one, two = Journal(tmp_path / "weft.db"), Journal(tmp_path / "weft.db")
    silent = two.inbox.bell()
    (tmp_path / "weft.db-bell").unlink()
    one.inbox.ring()
    rung = two.inbox.bell()
    assert rung != silent
    one.inbox.ring()
    assert two.inbox.bell() != rung
    one.close()
    two.close()


@pytest.mark.sqlite
async def test_a_bell_that_cannot_be_rung_is_a_clear_error(tmp_path):
    journal = Journal(tmp_path / "weft.db")
    (tmp_path / "weft.db-bell").mkdir()
    with pytest.raises(StorageError) as caught:
        journal.inbox.ring()
    assert caught.value.fix
    journal.close()
