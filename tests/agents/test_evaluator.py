"""Evaluator and optimizer: drafts are scored and revised until they are good enough, or are not accepted."""

from __future__ import annotations

import json

import pytest

from tests.agents.cast import Cast, stage

LOOP = """
type: evaluator_optimizer
config:
  producer: writer
  evaluator: {agent: critic, input: "Judge {{ draft }} on {{ topic }}"}
  accept: {min_score: 80, max_iters: 3}
"""
REVIEWED = (
    LOOP
    + """  review_gate: {type: hitl, prompt: "Go on?", context_display: "{{ current_evaluation.score }} {{ iteration_index }} {{ iterations | length }}"}
"""
)
AGENTS = "writer critic"


def score(value, *issues):
    return json.dumps({"score": value, "issues": list(issues), "fixes": [f"mend {issue}" for issue in issues]})


async def test_a_good_draft_is_accepted_at_once(tmp_path):
    cast = Cast(writer="draft", critic=score(90))
    async with stage(tmp_path, cast, LOOP, AGENTS) as s:
        result = await s.run()
        assert s.steps() == ["/draft", "/round[0]/evaluate/evaluator"]
    assert result.outputs["response"] == "draft"
    assert cast.prompts("writer") == ["You are writer.\n\nplay"]
    assert cast.prompts("critic")[0].startswith("Judge draft on ships")


async def test_a_draft_is_revised_with_what_is_wrong_until_it_is_good_enough(tmp_path):
    cast = Cast(writer=["one", "two", "three"], critic=[score(50, "too short"), score(79), score(80)])
    async with stage(tmp_path, cast, LOOP, AGENTS) as s:
        assert (await s.run()).outputs["response"] == "three"
        assert s.steps()[-2:] == ["/round[1]/revise/producer", "/round[2]/evaluate/evaluator"]
    revise = cast.prompts("writer")[1]
    assert "one" in revise
    assert "It scored 50 of 100." in revise
    assert "- too short" in revise
    assert "- mend too short" in revise


async def test_the_producers_prompt_is_filled_in_and_is_the_first_message(tmp_path):
    cast = Cast(writer="draft", critic=score(90))
    named = "You are writer.", "Write about {{ topic }} in {{ inputs.topic | length }} words."
    async with stage(tmp_path, cast, LOOP, AGENTS, prompts=dict([named])) as s:
        await s.run()
    assert cast.prompts("writer") == ["Write about ships in 5 words."]


async def test_the_revise_prompt_of_the_file_sees_draft_iteration_and_evaluation(tmp_path):
    own = (
        LOOP
        + '  revise_prompt: "{{ iteration }}: {{ draft }} {{ evaluation.score }} {{ evaluation.issues }} {{ evaluation.fixes[0] }} {{ topic }}"\n'
    )
    cast = Cast(writer=["one", "two"], critic=[score(10, "dull"), score(99)])
    async with stage(tmp_path, cast, own, AGENTS) as s:
        await s.run()
    assert cast.prompts("writer")[1] == '1: one 10 ["dull"] mend dull ships'


async def test_a_draft_that_stays_below_the_score_is_not_accepted(tmp_path):
    cast = Cast(writer="draft", critic=score(10))
    async with stage(tmp_path, cast, LOOP, AGENTS) as s:
        result = await s.run()
    assert (result.status, result.error.code) == ("failed", "rejected")
    assert "min_score 80 in 3 evaluations" in result.error.message
    assert (len(cast.heard["critic"]), len(cast.heard["writer"])) == (3, 3)


async def test_patience_ends_what_does_not_get_better(tmp_path):
    cast = Cast(writer="draft", critic=[score(50), score(60), score(60), score(55)])
    long = LOOP.replace("max_iters: 3", "max_iters: 9, patience: 2")
    async with stage(tmp_path, cast, long, AGENTS) as s:
        assert (await s.run()).error.code == "rejected"
    assert len(cast.heard["critic"]) == 4


async def test_an_evaluation_that_cannot_be_read_is_asked_for_once_more(tmp_path):
    cast = Cast(writer="draft", critic=["fine, I think", score(85)])
    async with stage(tmp_path, cast, LOOP, AGENTS) as s:
        assert (await s.run()).status == "completed"
    cast = Cast(writer="draft", critic="fine, I think")
    async with stage(tmp_path / "again", cast, LOOP, AGENTS) as s:
        assert (await s.run()).error.code == "provider"
    assert len(cast.heard["critic"]) == 2


@pytest.mark.parametrize("word", ["stop", " Abort ", "END"])
@pytest.mark.slow
async def test_a_review_can_stop_with_the_draft_that_is_there(tmp_path, word):
    cast = Cast(writer=["one", "two"], critic=score(10))
    async with stage(tmp_path, cast, REVIEWED, AGENTS) as s:
        assert (await s.run()).status == "waiting"
        assert s.events("gate.opened")[0].data["show"] == "10 1 1"
        assert (await s.answer("more, please")).status == "waiting"
        result = await s.answer(word)
    assert (result.status, result.outputs["response"]) == ("completed", "two")


async def test_nobody_is_asked_about_an_accepted_draft_nor_after_the_last_round(tmp_path):
    async with stage(tmp_path, Cast(writer="one", critic=score(90)), REVIEWED, AGENTS) as s:
        assert (await s.run()).status == "completed"
    last = REVIEWED.replace("max_iters: 3", "max_iters: 1")
    async with stage(tmp_path / "last", Cast(writer="one", critic=score(9)), last, AGENTS) as s:
        assert (await s.run()).status == "failed"
