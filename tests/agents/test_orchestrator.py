"""Orchestrator and workers: work that is split at run time, done in parallel, collected, reduced and written up."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.agents.cast import Cast, stage
from weft.testing.providers import fail, slow
from weft.testing.providers import say as reply

PLAIN = """
type: orchestrator_workers
config:
  orchestrator: {agent: lead, limits: {max_workers: 2, max_rounds: 2}}
  worker_template: {agent: hand}
"""
REDUCE = '  reduce: {agent: editor, input: "{{ num_workers }} {{ round_count }}{% for w in workers %} {{ w.task }}={{ w.response }}/{{ w.status }}{% endfor %}"}\n'
AGENTS = "lead hand editor"


def tasks(*names):
    return json.dumps([{"task": name} if isinstance(name, str) else name for name in names])


def echo(request):
    return f"did {request.prompt}"


async def test_each_subtask_is_done_by_a_worker_and_the_results_are_put_together(tmp_path):
    cast = Cast(lead=[tasks("a", "b", "A "), "[]"], hand=echo, editor="edited")
    async with stage(tmp_path, cast, PLAIN + REDUCE, AGENTS) as s:
        result = await s.run()
        assert s.steps().count("/round[0]/work/worker[0]/try/first") == 1
    assert result.outputs["response"] == "edited"
    assert sorted(cast.prompts("hand")) == ["a", "b"]
    assert cast.prompts("editor") == ["2 1 a=did a/completed b=did b/completed"]
    assert '"topic": "ships"' in cast.prompts("lead")[0]


async def test_later_rounds_see_what_is_done_and_do_nothing_twice(tmp_path):
    cast = Cast(lead=[tasks("a"), tasks("a.", "b")], hand=echo, editor="edited")
    async with stage(tmp_path, cast, PLAIN + REDUCE, AGENTS) as s:
        await s.run()
    assert "did a" in cast.prompts("lead")[1]
    assert cast.prompts("hand") == ["a", "b"]
    assert cast.prompts("editor") == ["2 2 a=did a/completed b=did b/completed"]


async def test_without_reduce_the_results_stand_one_after_the_other(tmp_path):
    cast = Cast(lead=[tasks("a", "b"), "[]"], hand=echo)
    async with stage(tmp_path, cast, PLAIN, AGENTS) as s:
        assert (await s.run()).outputs["response"] == "did a\n\n---\n\ndid b"


async def test_nothing_to_do_ends_the_rounds_at_once(tmp_path):
    cast = Cast(lead="[]", editor="nothing to edit")
    async with stage(tmp_path, cast, PLAIN + REDUCE, AGENTS) as s:
        assert (await s.run()).outputs["response"] == "nothing to edit"
    assert len(cast.heard["lead"]) == 1
    assert cast.prompts("editor") == ["0 0"]


async def test_urgent_subtasks_are_begun_first(tmp_path):
    found = tasks({"task": "late"}, {"task": "second", "priority": 2}, {"task": "first", "priority": 1})
    cast = Cast(lead=[found, "[]"], hand=lambda request: slow(reply("done"), 0.05))
    one = PLAIN.replace("max_workers: 2", "max_workers: 1")
    async with stage(tmp_path, cast, one, AGENTS) as s:
        await s.run()
    assert cast.prompts("hand") == ["first", "second", "late"]


async def test_no_more_workers_than_max_workers_are_busy_at_once(tmp_path):
    cast = Cast(lead=[tasks(*"abcdef"), "[]"], hand=lambda request: slow(reply("done"), 0.05))
    async with stage(tmp_path, cast, PLAIN, AGENTS) as s:
        await s.run()
        busy, most = 0, 0
        for event in s.events("worker.state"):
            busy += {"working": 1, "complete": -1}.get(event.data["state"], 0)
            most = max(most, busy)
    assert most == 2


async def test_a_failed_workers_subtask_goes_to_a_fresh_worker(tmp_path):
    broken = Counter()

    def hand(request):
        broken[request.prompt] += 1
        return fail(400, "broken") if request.prompt == "b" and broken["b"] == 1 else echo(request)

    cast = Cast(lead=[tasks("a", "b"), "[]"], hand=hand)
    async with stage(tmp_path, cast, PLAIN, AGENTS) as s:
        assert (await s.run()).outputs["response"] == "did a\n\n---\n\ndid b"
        assert "/round[0]/work/worker[1]/try/fresh" in s.steps()
        states = [event.data["state"] for event in s.events("worker.state") if event.data["worker"] == 1]
    assert states == ["idle", "working", "failed", "working", "complete"]


async def test_a_subtask_that_fails_twice_fails_the_run(tmp_path):
    cast = Cast(lead=tasks("a"), hand=fail(400, "broken"))
    async with stage(tmp_path, cast, PLAIN, AGENTS) as s:
        result = await s.run()
        states = [event.data["state"] for event in s.events("worker.state")]
    assert (result.status, result.error.code) == ("failed", "provider")
    assert states == ["idle", "working", "failed", "working", "failed"]


@pytest.mark.parametrize("bad", ["no list", '{"plan": 1}', '[{"todo": "x"}]'])
@pytest.mark.slow
async def test_a_decomposition_is_asked_for_three_times(tmp_path, bad):
    cast = Cast(lead=[bad, bad, tasks("a"), "[]"], hand=echo)
    async with stage(tmp_path, cast, PLAIN, AGENTS) as s:
        assert (await s.run()).status == "completed"
    cast = Cast(lead=bad)
    async with stage(tmp_path / "fails", cast, PLAIN, AGENTS) as s:
        assert (await s.run()).error.code == "provider"
    assert len(cast.heard["lead"]) == 3


async def test_people_review_the_decomposition_and_the_results(tmp_path):
    reviews = (
        '  decomposition_review: {type: hitl, prompt: "Fine?", context_display: "{{ task_count }} {{ subtasks[0].task }}"}\n'
        '  reduce_review: {type: hitl, prompt: "Enough?", context_display: "{{ worker_count }} {{ workers[0].response }}"}\n'
        '  reduce: {agent: editor, input: "{{ hitl_response }}"}\n'
        '  writeup: {agent: editor, input: "{{ reduce_response }}"}\n'
    )
    cast = Cast(lead=[tasks("a"), "[]"], hand=echo, editor=["reduced", "written"])
    async with stage(tmp_path, cast, PLAIN + reviews, AGENTS) as s:
        assert (await s.run()).waits[0]["path"] == "/round[0]/work/review"
        assert (await s.answer("yes")).waits[0]["path"] == "/reduce_review"
        assert (await s.answer("shorter")).outputs["response"] == "written"
        assert [event.data["show"] for event in s.events("gate.opened")] == ["1 a", "1 did a"]
    assert cast.prompts("editor") == ["shorter", "reduced"]


async def test_the_answer_of_a_person_who_reduces_is_the_result(tmp_path):
    cast = Cast(lead=[tasks("a"), "[]"], hand=echo)
    asks = PLAIN + '  reduce: {type: hitl, prompt: "Put it together", context_display: "{{ workers[0].response }}"}\n'
    async with stage(tmp_path, cast, asks, AGENTS) as s:
        assert (await s.run()).waits[0]["path"] == "/reduce"
        assert (await s.answer("mine")).outputs["response"] == "mine"
