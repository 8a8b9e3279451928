"""A plan that is made at run time when things go wrong: crashes, budgets, cancellation, and files that are not what they were."""

from __future__ import annotations

import asyncio

import pytest

from tests.agents.cast import Cast, stage
from tests.planner.test_plan_pattern import AGENTS, CARDS, CONFIG, GOOD, LINES, WRITTEN, made
from weft.core.errors import InputError
from weft.store.planned import KEPT, Kept, PlannedDrafts
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.providers import fail

HOUR = 3_600_000_000


async def crashed(folder, config, at, when):
    """What a run ends with that dies at its `at`-th append and is resumed, and whether it got that far."""
    cast = Cast(**LINES, boss=GOOD)
    async with stage(folder, cast, config, AGENTS, prompts=CARDS) as s:
        s.studio.journal.writer = writer = CrashingWriter(s.studio.journal, at=at, when=when)
        result = None
        try:
            result = await s.run()
        except Crash:
            bury(s.studio.engine, s.studio.journal)
        runs = s.studio.journal.runs.list(children=False)
        if result is None and runs and not runs[0].ended:
            engine = s.studio.new_engine()
            result = await asyncio.wait_for(engine.drive(runs[0].id), 60)
            await engine.close()
            assert s.studio.journal.verify(runs[0].id).intact
        return (result.outputs["response"] if result else None), writer.fired


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("config", [CONFIG, WRITTEN], ids=["rules", "model"])
async def test_a_crash_at_any_append_changes_nothing_about_the_result(tmp_path, config, when):
    expected, fired = await crashed(tmp_path / "whole", config, 10_000, when)
    assert expected == "article"
    assert not fired
    found = []
    for at in range(1, 400):
        response, fired = await crashed(tmp_path / str(at), config, at, when)
        if not fired:
            break
        found.append(response)
    assert len(found) > 5
    assert set(found) <= {expected, None}
    assert found.count(None) <= 2, "only a run that was never begun may have no result"


@pytest.mark.slow
async def test_the_budget_of_the_plan_holds_for_all_its_steps(tmp_path):
    cast = Cast(**LINES)
    config = f"{CONFIG}  budget: {{max_steps: 2}}\n"
    async with stage(tmp_path, cast, config, AGENTS, prompts=CARDS) as s:
        error = (await s.run()).error
    assert error.code == "budget"
    assert "writer" not in cast.heard


async def test_a_failed_step_of_the_plan_is_tried_again_when_the_run_is_resumed(tmp_path):
    cast = Cast(researcher="facts", photographer="pictures", writer=[fail(400), "article"])
    async with stage(tmp_path, cast, CONFIG, AGENTS, prompts=CARDS) as s:
        assert (await s.run()).error.code == "provider"
        hash_ = made(s)["hash"]
        result = await s.studio.engine.drive(s.run_id, reopen=True)
        assert made(s)["hash"] == hash_
    assert result.outputs["response"] == "article"
    assert len(cast.heard["researcher"]) == 1


async def test_a_plan_that_waits_for_a_person_can_be_cancelled(tmp_path):
    cast = Cast(**LINES)
    async with stage(tmp_path, cast, f"{CONFIG}  approve: true\n", AGENTS, prompts=CARDS) as s:
        await s.run()
        await s.studio.engine.cancel(s.run_id)
        assert s.studio.journal.runs.get(s.run_id).status == "cancelled"
        assert s.studio.journal.runs.children(s.run_id) == []
    assert cast.heard == {}


async def test_a_kept_plan_that_is_not_what_it_was_is_made_again(tmp_path):
    async with stage(tmp_path, Cast(**LINES), CONFIG, AGENTS, prompts=CARDS) as s:
        await s.run()
        (file,) = (tmp_path / "plans").glob("*.json")
        for text in ("", "[]", "{}", file.read_text().replace('"writer"', '"ghost"'), file.read_text()[:-9]):
            file.write_text(text)
            assert (await s.run()).status == "completed"
            assert made(s)["by"] == "rules"


def kept(number, *, made=0, expires=HOUR):
    return Kept(
        key=f"{number:064x}", request="r", workflow="w", draft={"drafts": []}, made=made, expires=expires, by="rules"
    )


def test_drafts_are_found_until_they_expire(tmp_path):
    drafts = PlannedDrafts(tmp_path / "plans")
    assert drafts.all() == []
    drafts.keep(kept(1))
    assert drafts.find(kept(1).key, HOUR - 1) == kept(1)
    assert drafts.find(kept(1).key, HOUR) is None
    assert drafts.find(kept(2).key, 0) is None


def test_drafts_are_removed_by_key_by_age_or_all(tmp_path):
    drafts = PlannedDrafts(tmp_path)
    one, two, three = Kept(**{**kept(1).as_json(), "key": "a" * 64}), kept(2, expires=5), kept(3, made=9)
    for each in (one, two, three):
        drafts.keep(each)
    assert drafts.all()[0] == three
    with pytest.raises(InputError, match="2 plans have"):
        drafts.remove("00")
    with pytest.raises(InputError, match="no plan has"):
        drafts.remove("f")
    assert drafts.remove("aa") == [one.key]
    assert drafts.remove(expired_at=5) == [two.key]
    assert drafts.remove() == [three.key]
    assert drafts.all() == []


@pytest.mark.slow
def test_old_drafts_make_room(tmp_path):
    drafts = PlannedDrafts(tmp_path)
    for number in range(KEPT + 3):
        drafts.keep(kept(number))
    assert len(drafts.all()) == KEPT
