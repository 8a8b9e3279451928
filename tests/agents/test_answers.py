"""Answers that a plan goes on with: read out of what models say, and asked for again when they cannot be used."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agents.studio import ask, plan_of, studio
from weft.agents.answer import MAX_READ, read_answer
from weft.agents.subtasks import in_order
from weft.testing.providers import Script, call, say

ROUTE = {
    "type": "object",
    "required": ["route"],
    "properties": {"route": {"type": "string", "enum": ["Sales", "tech"]}},
}
SCORE = {
    "type": "object",
    "required": ["score"],
    "properties": {
        "score": {"type": "number", "minimum": 0, "maximum": 100},
        "issues": {"type": "array", "items": {"type": "string"}, "default": []},
    },
}
TASKS = {
    "type": "array",
    "items": {"type": "object", "required": ["task"], "properties": {"task": {"type": "string", "minLength": 1}}},
}
WANTED = {"schema": ROUTE, "instruction": "Answer with JSON.", "retries": 2}


@pytest.mark.parametrize(
    "text",
    [
        '{"route": "tech"}',
        '  \n{"route": "tech", "why": "it crashed"}\n',
        'Sure.\n```json\n{"route": "tech"}\n```\nAnything else?',
        '```\n{"route": "tech"}\n```',
        'It crashed, so {"route": "tech"} it is. [1] {braces}',
        'First {"route": "nowhere"}, no: {"route": "tech"}',
        '{"route": "TECH"}',
        '{"note": "line\nbreak", "route": "tech"}',
        "\ufeff" + '{"route": "tech"}',
    ],
)
def test_an_answer_is_found_whole_fenced_or_embedded(text):
    assert read_answer(text, ROUTE)["route"] == "tech"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I do not know", "there is no JSON"),
        ('{"route": "nowhere"}', "'nowhere' is not one of ['Sales', 'tech']"),
        ('{"rout": "tech"}', "'route' is a required property"),
        ('["tech"]', "is not of type 'object'"),
        ('{"route": "tech"', "there is no JSON"),
        ("", "there is no JSON"),
        ('{"route": NaN}', "there is no JSON"),
        ("[" * 100_000, "there is no JSON"),
        ("{" * MAX_READ * 2, "there is no JSON"),
    ],
)
def test_what_cannot_be_used_is_told_to_the_agent(text, said):
    with pytest.raises(ValueError) as caught:
        read_answer(text, ROUTE)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "score", "issues"),
    [
        ('{"score": 85}', 85, []),
        ('{"score": "85"}', 85, []),
        ('{"score": "85/100", "issues": null}', 85, []),
        ('{"score": 7.5, "issues": "too long"}', 7.5, ["too long"]),
        ('{"score": "90%", "issues": ["a", "b"], "mood": "good"}', 90, ["a", "b"]),
    ],
)
def test_a_score_is_read_as_models_write_it(text, score, issues):
    found = read_answer(text, SCORE)
    assert (found["score"], found["issues"]) == (score, issues)


@pytest.mark.parametrize("text", ['{"score": 101}', '{"score": -1}', '{"score": "good"}', '{"score": true}'])
def test_a_score_off_the_scale_is_no_score(text):
    with pytest.raises(ValueError):
        read_answer(text, SCORE)


@pytest.mark.parametrize(
    "text",
    [
        '[{"task": "a"}, {"task": "b"}]',
        '{"subtasks": [{"task": "a"}, {"task": "b"}]}',
        '["a", "b"]',
        'Plan:\n```json\n[{"task": "a", "priority": 1}, {"task": "b"}]\n```',
    ],
)
def test_subtasks_may_be_wrapped_or_plain_texts(text):
    assert [subtask["task"] for subtask in read_answer(text, TASKS)] == ["a", "b"]


def test_an_empty_list_counts_only_as_the_whole_answer():
    assert read_answer("[]", TASKS) == []
    assert read_answer("```json\n[]\n```", TASKS) == []
    with pytest.raises(ValueError):
        read_answer("I would answer [] if I were done", TASKS)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
@pytest.mark.slow
def test_any_json_that_fits_comes_back_from_the_middle_of_a_text(value):
    schema = {"type": "object", "required": ["kept"], "properties": {"kept": {}}}
    text = f"Well: {json.dumps({'kept': value})} and that is it."
    expected = {} if value is None else {"kept": value}
    if value is None:
        with pytest.raises(ValueError):
            read_answer(text, schema)
    else:
        assert read_answer(text, schema) == expected


def test_subtasks_come_once_and_the_urgent_ones_first():
    found = [
        {"task": "Write it"},
        {"task": "Read it", "priority": 2},
        {"task": "read   it!", "priority": 1},
        {"task": "Plan it", "priority": "high"},
        {"task": "Ship it", "priority": "P0"},
        {"task": "Known already."},
        {"task": "?!"},
    ]
    ordered = in_order(found, done=["known ALREADY"])
    assert [subtask["task"] for subtask in ordered] == ["Ship it", "Plan it", "Read it", "Write it"]


def routed(**more):
    return plan_of(ask("one", "Where to?", answer={**WANTED, **more}))


def value(s, run_id):
    return next(e.data["value"] for e in s.journal.events(run_id) if e.kind == "step.completed" and e.path == "/one")


async def test_a_malformed_answer_is_sent_back_in_the_same_conversation(tmp_path):
    async with studio(Script(say("hm"), say('{"route": "up"}'), say('{"route": "sales"}'), strict=True), tmp_path) as s:
        result = await s.run(routed())
        assert value(s, result.run_id)["data"] == {"route": "Sales"}
        done = [path for kind, path in s.kinds(result.run_id) if kind == "step.completed"]
        assert done == ["/one/agent/model[0]", "/one/agent/model[1]", "/one/agent/model[2]", "/one"]
        second, third = s.fake.requests[1], s.fake.requests[2]
    assert [m["role"] for m in second.body["messages"] if m["role"] != "system"] == ["user", "assistant", "user"]
    assert "there is no JSON in it" in second.prompt
    assert "'up' is not one of" in third.prompt
    assert third.prompt.endswith("Answer with JSON.")


async def test_when_no_answer_can_be_used_the_call_fails_and_says_so(tmp_path):
    async with studio(say("hm"), tmp_path) as s:
        result = await s.run(routed(retries=1))
        assert len(s.fake.requests) == 2
    assert result.error.code == "provider"
    assert "asked for 2 times: there is no JSON in it" in result.error.message


async def test_a_fallback_stands_in_for_answers_that_cannot_be_used(tmp_path):
    async with studio(say("hm"), tmp_path) as s:
        result = await s.run(routed(retries=0, fallback={"route": "tech"}))
        assert value(s, result.run_id)["data"] == {"route": "tech"}
    assert result.status == "completed"


async def test_the_conversation_goes_on_after_a_correction(tmp_path):
    script = Script(say("hm"), say('{"route": "tech"}'), say("bye"), strict=True)
    async with studio(script, tmp_path) as s:
        await s.run(plan_of(ask("one", "Where to?", answer=WANTED), ask("two", "And now?")))
        texts = [m["content"] for m in s.fake.requests[2].body["messages"] if m["role"] != "system"]
    assert len(texts) == 5
    assert texts[1::2] == ["hm", '{"route": "tech"}']


async def test_an_agent_with_an_output_schema_answers_in_its_own_form(tmp_path):
    async with studio(call("final_result", {"route": "tech"}), tmp_path) as s:
        plan = plan_of(ask("one", "Where to?", answer=WANTED), output_schema={**ROUTE, "title": "answer"})
        result = await s.run(plan)
        assert value(s, result.run_id)["data"] == {"route": "tech"}
        assert len(s.fake.requests) == 1
