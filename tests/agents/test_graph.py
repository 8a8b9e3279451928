"""Graphs of agents and people: fan-out and joins, choices, cycles and their limits."""

from __future__ import annotations

import pytest

from tests.agents.cast import Cast, stage

DIAMOND = """
type: graph
config:
  nodes:
    start: {agent: a, input: "Begin {{ topic }}"}
    left: {agent: b}
    right: {agent: b, input: "R {{ nodes.start.response }} {{ nodes.left.status }}"}
    join: {agent: c}
  edges:
    - {from: start, to: [left, right]}
    - {from: left, to: [join]}
    - {from: right, to: [join]}
"""
CYCLE = """
type: graph
config:
  max_iterations: 3
  nodes:
    draft: {agent: a, input: "Draft {{ nodes.check.iteration }}"}
    check: {agent: b, input: "Check {{ nodes.draft.response }}"}
    done: {agent: c, input: "Done {{ nodes.draft.response }} after {{ nodes.draft.iteration }}"}
  edges:
    - {from: draft, to: [check]}
    - {from: check, choose: [{when: "{{ nodes.check.response contains 'fine' }}", to: done}, {when: else, to: draft}]}
"""
AGENTS = "a b c"


async def test_a_join_is_visited_once_with_the_results_of_all_that_lead_to_it(tmp_path):
    cast = Cast(a="A", b=lambda request: "L" if "Result of start" in request.prompt else "R", c="C")
    async with stage(tmp_path, cast, DIAMOND, AGENTS) as s:
        result = await s.run()
        assert sorted(s.steps()) == [f"/graph/{name}[0]/step" for name in ("join", "left", "right", "start")]
    assert result.outputs["response"] == "C"
    assert "R A not_executed" in cast.prompts("b")
    assert cast.prompts("c") == ["Result of left:\nL\n\nResult of right:\nR\n\n"]


async def test_a_cycle_goes_round_until_its_condition_holds(tmp_path):
    cast = Cast(a=["one", "two"], b=["meh", "fine"], c="C")
    async with stage(tmp_path, cast, CYCLE, AGENTS) as s:
        assert (await s.run()).outputs["response"] == "C"
        assert "/graph/draft[1]/step" in s.steps()
    assert cast.prompts("a") == ["Draft 0", "Draft 1"]
    assert cast.prompts("c") == ["Done two after 2"]


async def test_a_node_is_visited_no_more_than_max_iterations_times(tmp_path):
    cast = Cast(a="one", b="meh")
    async with stage(tmp_path, cast, CYCLE, AGENTS) as s:
        result = await s.run()
    assert (result.status, result.error.code) == ("failed", "limit")
    assert "draft" in result.error.message
    assert len(cast.heard["a"]) == 3


async def test_a_choice_without_a_true_condition_ends_the_graph(tmp_path):
    cast = Cast(a="one", b="meh")
    ends = CYCLE.replace(", {when: else, to: draft}", "")
    async with stage(tmp_path, cast, ends, AGENTS) as s:
        assert (await s.run()).outputs["response"] == "meh"


@pytest.mark.parametrize(
    "when",
    [
        "nodes.check.response == 'fine'",
        "{{ nodes.check.response == 'fine' and not (nodes.done.response is not none) }}",
        "nodes.check.response.lower() in ['fine', 'open the file, import and eval']",
        "{{ nodes.check.response }} == 'fine'",
        "len(nodes.check.response) == 4 and int('7') > 6",
        "nodes.check.response | length == 4",
        "nodes.check.response | search('^f.ne$')",
        "nodes.check.response contains 'fin' and last_response contains 'fine' and inputs.topic == 'ships'",
        "nodes.check.status == 'completed' and nodes.done.status == 'not_executed' and nodes.check.iteration == 1",
        "nodes['check'].response | default('') | upper == 'FINE'",
        "topic == 'ships' and terminal_node == 'check'",
    ],
)
@pytest.mark.slow
async def test_conditions_as_people_write_them(tmp_path, when):
    cast = Cast(a="one", b="fine", c="C")
    text = CYCLE.replace("\"{{ nodes.check.response contains 'fine' }}\"", f'"{when}"')
    async with stage(tmp_path, cast, text, AGENTS) as s:
        assert (await s.run()).outputs["response"] == "C"


@pytest.mark.slow
async def test_a_person_decides_where_a_graph_goes(tmp_path):
    asks = """
type: graph
config:
  nodes:
    draft: {agent: a, input: "Draft {{ hitl_response }}"}
    ask: {type: hitl, prompt: "Ship {{ it }}?", context_display: "{{ nodes.draft.response }}"}
    ship: {agent: b, input: "Ship: {{ nodes.ask.response }}"}
  edges:
    - {from: draft, to: [ask]}
    - {from: ask, choose: [{when: "hitl_response | lower == 'yes'", to: ship}, {when: "hitl_response == 'reject'", to: draft}]}
"""
    cast = Cast(a=["one", "two"], b="shipped")
    async with stage(tmp_path, cast, asks, AGENTS) as s:
        assert (await s.run()).waits[0]["prompt"] == "Ship {{ it }}?"
        assert (await s.answer("reject")).waits[0]["path"] == "/graph/ask[1]/step"
        assert (await s.answer("Yes")).outputs["response"] == "shipped"
        assert [event.data["show"] for event in s.events("gate.opened")] == ["one", "two"]
    assert cast.prompts("a") == ["Draft None", "Draft reject"]
    assert cast.prompts("b") == ["Ship: Yes"]


async def test_a_rejection_that_no_edge_asks_about_fails_the_graph(tmp_path):
    asks = """
type: graph
config:
  nodes: {ask: {type: hitl, prompt: "Go?"}, go: {agent: a, input: go}}
  edges: [{from: ask, to: [go]}]
"""
    async with stage(tmp_path, Cast(a="gone"), asks, AGENTS) as s:
        await s.run()
        assert (await s.answer("reject")).error.code == "rejected"
