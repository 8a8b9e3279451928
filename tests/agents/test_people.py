"""Steps that ask a person, wherever steps stand."""

from __future__ import annotations

import pytest

from tests.agents.cast import Cast, stage
from weft.core.errors import InputError

ASK = '{type: hitl, prompt: "Fine {{?", context_display: "{{ steps[0].response }}"}'


def chain(
    ask,
    then='{agent: b, input: "{{ hitl_response }} {{ steps[1].response }} {{ last_response }} {{ steps | length }}"}',
):
    return f"type: chain\nconfig:\n  steps:\n    - {{agent: a, input: go}}\n    - {ask}\n    - {then}\n"


async def test_a_chain_waits_and_goes_on_with_the_answer(tmp_path):
    cast = Cast(a="A", b="B")
    async with stage(tmp_path, cast, chain(ASK), "a b") as s:
        waiting = await s.run()
        assert (waiting.status, waiting.waits[0]["path"]) == ("waiting", "/step[1]")
        opened = s.events("gate.opened")[0].data
        assert (opened["prompt"], opened["show"]) == ("Fine {{?", "A")
        assert (await s.answer("very")).outputs["response"] == "B"
    assert cast.prompts("b") == ["very very very 2"]


async def test_the_last_answer_of_a_chain_is_its_result(tmp_path):
    async with stage(tmp_path, Cast(a="A"), chain(ASK, ASK), "a") as s:
        await s.run()
        await s.answer("one")
        assert (await s.answer("two")).outputs["response"] == "two"


async def test_an_answer_must_match_the_pattern(tmp_path):
    ask = '{type: hitl, prompt: "Number?", validation: {pattern: "[A-Z]{2}-[0-9]+"}}'
    async with stage(tmp_path, Cast(a="A", b="B"), chain(ask), "a b") as s:
        await s.run()
        for wrong in ("AB-", "xAB-1", "AB-1\n", "AB-1" * 1000):
            with pytest.raises(InputError):
                await s.answer(wrong)
        assert (await s.answer("AB-12")).status == "completed"


async def test_choices_and_forms_hold_the_answer(tmp_path):
    ask = '{type: hitl, prompt: "Which?", choices: [small, large], form: {count: integer, note: {type: string, optional: true}}}'
    then = '{agent: b, input: "{{ hitl_response }} {{ steps[1].values.count }}"}'
    cast = Cast(a="A", b="B")
    async with stage(tmp_path, cast, chain(ask, then), "a b") as s:
        await s.run()
        for text, values in (
            ("huge", {"count": 1}),
            ("small", {"count": "x"}),
            ("small", {}),
            ("small", {"count": 1, "x": 2}),
        ):
            with pytest.raises(InputError):
                await s.answer(text, values=values)
        assert (await s.answer("small", values={"count": 3})).status == "completed"
    assert cast.prompts("b") == ["small 3"]


async def test_a_rejection_fails_the_step_unless_it_says_otherwise(tmp_path):
    async with stage(tmp_path, Cast(a="A"), chain(ASK), "a b") as s:
        await s.run()
        result = await s.answer("reject", why="no time")
    assert (result.status, result.error.code) == ("failed", "rejected")
    goes_on = ASK.replace('}"}', '}", on_reject: continue}')
    cast = Cast(a="A", b="B")
    async with stage(tmp_path / "on", cast, chain(goes_on), "a b") as s:
        await s.run()
        assert (await s.answer("reject")).status == "completed"
    assert cast.prompts("b")[0].startswith("reject ")


async def test_a_task_for_a_person_is_waited_for_by_tasks_that_read_the_answer(tmp_path):
    tasks = """
type: workflow
config:
  tasks:
    - {id: draft, agent: a, input: go}
    - {id: ask, type: hitl, deps: [draft], prompt: "Fine?", context_display: "{{ last_response }} {{ tasks.draft.status }}"}
    - {id: other, agent: a, deps: [draft], input: other}
    - {id: ship, agent: b, deps: [other], input: "{{ hitl_response }} {{ tasks.ask.response }} {{ tasks.ask.status }}"}
"""
    cast = Cast(a="A", b="B")
    async with stage(tmp_path, cast, tasks, "a b") as s:
        waiting = await s.run()
        assert waiting.waits[0]["path"] == "/tasks/ask"
        assert s.events("gate.opened")[0].data["show"] == "A completed"
        assert (await s.answer("yes")).outputs["response"] == "B"
    assert cast.prompts("b") == ["yes yes completed"]


async def test_branches_ask_by_themselves_and_the_reduce_step_sees_the_latest_answer(tmp_path):
    branches = """
type: parallel
config:
  branches:
    - {id: one, steps: [{agent: a, input: go}, {type: hitl, prompt: "One?"}]}
    - {id: two, steps: [{type: hitl, prompt: "Two?"}, {agent: a, input: "{{ hitl_response }}"}]}
  reduce: {agent: b, input: "{{ branches.one.response }} {{ branches.two.response }} {{ hitl_response }}"}
"""
    cast = Cast(a=lambda request: f"<{request.prompt}>", b="B")
    async with stage(tmp_path, cast, branches, "a b") as s:
        waiting = await s.run()
        assert [wait["path"] for wait in waiting.waits] == ["/branches/one/step[1]", "/branches/two/step[0]"]
        from weft.engine.questions import Answer

        await s.studio.engine.decide(s.run_id, "/branches/two/step[0]", Answer(by="ada", response="second"))
        assert (await s.answer("first")).outputs["response"] == "B"
    assert cast.prompts("b") == ["first <second> second"]


async def test_a_person_may_put_branches_together(tmp_path):
    branches = """
type: parallel
config:
  branches:
    - {id: one, steps: [{agent: a, input: go}]}
    - {id: two, steps: [{agent: a, input: go}]}
  reduce: {type: hitl, prompt: "Which?", context_display: "{{ branches.one.response }}"}
"""
    async with stage(tmp_path, Cast(a="A"), branches, "a") as s:
        await s.run()
        assert (await s.answer("the first")).outputs["response"] == "the first"
