"""Finding and listing runs."""

from __future__ import annotations

import sqlite3

import pytest

from weft.core.errors import InputError, MismatchError, NotFoundError, StorageError
from weft.store.append import Append
from weft.store.journal import Journal
from weft.testing.conformance_store import AT, creation, draft


@pytest.fixture
async def journal(tmp_path):
    journal = Journal(tmp_path / "weft.db", inline=True)
    yield journal
    journal.close()


async def test_a_run_is_found_by_its_id_its_ends_and_as_the_last_one(journal):
    for n, run_id in enumerate(("aaa-111", "aab-222", "ccc-111")):
        await journal.append(creation(run_id, at=AT + n))
    find = journal.runs.find
    assert find("aaa-111").id == find("aaa").id == "aaa-111"
    assert find("222").id == "aab-222"
    assert find("last").id == "ccc-111"


async def test_an_exact_id_wins_over_longer_ones_that_begin_with_it(journal):
    for run_id in ("run", "run-2", "run-3"):
        await journal.append(creation(run_id))
    assert journal.runs.find("run").id == "run"


async def test_an_exact_id_wins_however_many_others_fit(journal):
    for n in range(20):
        await journal.append(creation(f"run-{n:02}"))
    await journal.append(creation("run"))
    assert journal.runs.find("run").id == "run"


async def test_text_that_fits_several_runs_names_them(journal):
    for run_id in ("aaa-111", "aab-222"):
        await journal.append(creation(run_id))
    with pytest.raises(InputError, match="aaa-111, aab-222"):
        journal.runs.find("aa")


async def test_no_text_means_no_run_although_every_id_begins_with_it(journal):
    await journal.append(creation("aaa-111"))
    with pytest.raises(InputError, match="no run is named"):
        journal.runs.find("")


@pytest.mark.parametrize("text", ["zzz", "%", "_", "a%1", "last"])
async def test_text_that_fits_no_run_is_a_clear_error(journal, text):
    if text != "last":
        await journal.append(creation("aaa-111"))
    with pytest.raises(NotFoundError) as caught:
        journal.runs.find(text)
    assert ("weft run FILE" if text == "last" else "weft runs list") in caught.value.fix


async def test_pages_hold_every_run_once_newest_first_even_when_many_share_a_moment(journal):
    for n in range(23):
        await journal.append(creation(f"r{n:02}", at=AT + n // 5))
    seen, before = [], None
    while page := journal.runs.list(limit=4, before=before):
        seen += [run.id for run in page]
        before = (page[-1].created_at, page[-1].id)
    assert seen == [f"r{n:02}" for n in reversed(range(23))]


async def test_lists_filter_by_status_workflow_and_tenant(journal):
    await journal.append(creation("a", workflow="one"))
    await journal.append(creation("b", workflow="two"))
    await journal.append(creation("c", workflow="two"))
    await journal.append(creation("d", workflow="two", tenant="them"))
    await journal.append(Append("c", 1, [draft(kind="run.completed")], {"status": "completed"}))
    assert [run.id for run in journal.runs.list(workflow="two")] == ["c", "b"]
    assert [run.id for run in journal.runs.list(status="completed")] == ["c"]
    assert [run.id for run in journal.runs.list(status="queued", workflow="two")] == ["b"]
    assert [run.id for run in journal.runs.list(tenant="them")] == ["d"]


async def test_a_row_says_who_drives_now_and_not_who_once_did(journal):
    await journal.append(creation("r", driver="gone"))
    assert not journal.runs.get("r").driven
    journal.drivers.enter("here")
    await journal.writer.submit(journal.claims.claim("r", "here"))
    assert journal.runs.get("r").driven
    journal.drivers.leave("here")
    assert not journal.runs.get("r").driven


async def test_only_the_holder_releases(journal):
    journal.drivers.enter("here")
    await journal.append(creation("r", driver="gone"))
    epoch = await journal.writer.submit(journal.claims.claim("r", "here"))
    await journal.writer.submit(journal.claims.release("r", epoch - 1))
    assert journal.runs.get("r").driven
    await journal.writer.submit(journal.claims.release("r", epoch))
    assert not journal.runs.get("r").driven
    journal.drivers.leave("here")


@pytest.mark.sqlite
async def test_a_damaged_file_is_told_in_our_words_by_every_question(tmp_path):
    journal = Journal(tmp_path / "weft.db")
    await journal.append(creation("r"))
    connection = sqlite3.connect(tmp_path / "weft.db", isolation_level=None)
    connection.execute("DROP TABLE runs")
    connection.execute("DROP TABLE plans")
    connection.close()
    questions = [
        lambda: journal.runs.get("r"),
        lambda: journal.runs.find("r"),
        journal.runs.list,
        lambda: journal.plans.get("plan"),
        lambda: journal.verify("r"),
        lambda: journal.events("r"),
    ]
    for question in questions:
        with pytest.raises(StorageError) as caught:
            question()
        assert caught.value.fix
    journal.close()


@pytest.mark.sqlite
async def test_a_stored_plan_that_is_not_json_any_more_is_a_mismatch(journal):
    await journal.append(creation("r"))
    journal.writer.call(lambda connection: connection.execute("UPDATE plans SET body=x'ff00'"))
    with pytest.raises(MismatchError):
        journal.plans.get("plan")


@pytest.mark.sqlite
async def test_runs_that_have_ended_are_found_by_workflow_and_end_through_their_index(journal):
    ends = (
        ("a", "completed", 5),
        ("b", "failed", 3),
        ("c", "completed", 4),
        ("d", "cancelled", 2),
        ("e", "completed", 0),
    )
    for run_id, status, after in ends:
        await journal.append(creation(run_id))
        await journal.append(Append(run_id, 1, [draft(kind="run.over", at=AT + after)], {"status": status}))
    await journal.append(creation("open", at=AT + 9))
    await journal.append(creation("other", workflow="other"))
    await journal.append(Append("other", 1, [draft(kind="run.over", at=AT + 4)], {"status": "completed"}))
    asked = []
    with journal.database.engine.connect() as connection:  # the one that is taken again next
        connection.connection.dbapi_connection.set_trace_callback(asked.append)
    found = journal.runs.ended_since("w", ["completed", "failed"], AT + 1, unseen_by="nobody")
    assert [run.id for run in found] == ["b", "c", "a"]
    assert "runs_by_end" in str(journal.database._reader.execute(f"EXPLAIN QUERY PLAN {asked[-1]}").fetchall())
