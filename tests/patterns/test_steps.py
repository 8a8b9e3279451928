"""Steps that steer: what they do, what they leave behind, and where."""

from __future__ import annotations

import pytest

from tests.engine.world import simulated
from tests.patterns.flows import Doer, FlowWorld, compiled, run, tool
from weft.engine.answering import NewSignal


async def chain(*steps, scope=None):
    return await run("chain", {"steps": list(steps)}, scope)


@simulated
async def test_what_steps_name_is_seen_behind_them_and_by_artifacts_but_not_from_inside_a_map():
    result, doer = await chain(
        {"set": {"n": 1, "words": ["a", "b"]}},
        {"set": {"text": "'x' ~ words[0]"}},
        {"choose": [{"when": "n == 1", "then": [{"set": {"m": "n + 1"}}, tool("inside {{ m }}")]}]},
        {"map": {"items": "words", "as": "w", "do": [{"set": {"n": 100}}, tool("w{{ w }}")], "into": "got"}},
        tool("{{ n }} {{ m }} {{ text }} {{ got | map(attribute='response') | join('+') }}"),
    )
    assert result.status == "completed", result.error
    assert doer.asked[-1] == "1 2 xa wa+wb"


@pytest.mark.parametrize(("n", "want"), [(1, ["low"]), (5, ["high", "very"]), (3, [])])
@simulated
async def test_the_first_arm_that_holds_is_taken(n, want):
    arms = [{"when": "n < 2", "then": tool("low")}, {"when": "n > 4", "then": [tool("high"), tool("very")]}]
    result, doer = await chain({"set": {"n": n}}, {"choose": arms})
    assert (result.status, doer.asked) == ("completed", want)


@simulated
async def test_ways_are_tried_until_one_succeeds_and_the_last_failure_counts():
    bad = tool("bad", fails=True)
    result, doer = await chain({"first_of": [bad, [tool("ok"), bad], tool("{{ failures | length }}"), tool("never")]})
    assert (result.status, doer.asked) == ("completed", ["bad", "ok", "bad", "2"])
    result, _ = await chain({"first_of": [tool("one", fails=True), tool("two", fails=True)]})
    assert (result.status, result.error.message) == ("failed", "two does not work")


@simulated
async def test_a_nested_pattern_leaves_only_its_response():
    inner = {"type": "chain", "config": {"steps": [{"set": {"n": 9}}, tool("a"), tool("{{ steps[1].response }}b")]}}
    result, doer = await chain(
        {"set": {"n": 1}}, {"pattern": inner}, tool("{{ n }} {{ last_response }} {{ steps[1].response }}")
    )
    assert doer.asked == ["a", "ab", "1 ab ab"]


@simulated
async def test_the_response_of_a_map_step_is_the_list_of_responses_in_item_order():
    step = {"map": {"items": [3, 1], "as": "x", "key": "'k' ~ x", "do": tool("x{{ x }}", takes="{{ x }}")}}
    world = FlowWorld(Doer())
    result = await world.run(compiled("chain", {"steps": [step]}))
    assert result.outputs["response"] == ["x3", "x1"]
    assert world.kinds(result.run_id, "/step[0]/map[k3]/step[0]")
    await world.close()


@simulated
async def test_failures_that_are_too_many_end_a_map_early():
    rule = {"policy": "best_effort", "failures": 2}
    step = {
        "map": {
            "items": [1, 2, 3, 4],
            "as": "x",
            "do": tool("x{{ x }}", takes="{{ x }}", fails="{{ x < 3 }}"),
            "join": rule,
        }
    }
    result, doer = await chain(step)
    assert (result.status, result.error.message) == ("failed", "x1 does not work")


@simulated
async def test_a_time_limit_holds_for_a_whole_step():
    slow = {"map": {"items": [1], "do": tool("slow", takes=50)}, "timeout_s": 3}
    result, _ = await chain({"first_of": [slow, tool("instead")]})
    assert result.outputs["response"] == "instead"


@simulated
async def test_a_wait_until_a_time_ends_then_and_a_wait_for_a_signal_names_what_came():
    world = FlowWorld(Doer())
    steps = [
        {"wait": {"until": "2025-10-09T08:53:40+00:00"}},
        {"wait": {"signals": ["no", {"name": "yes", "when": "signal.data > 1"}], "seconds": 30, "into": "came"}},
        tool("{{ came.signal }} {{ came.data }}"),
    ]
    run_id = await world.engine.start(compiled("chain", {"steps": steps}), {})
    for data in (1, 2):
        await world.engine.signal(run_id, NewSignal(name="yes", data=data))
    result = await world.engine.drive(run_id)
    assert (result.status, world.performer.asked) == ("completed", ["yes 2"])
    started = world.journal.events(run_id)[0].at
    assert world.journal.events(run_id)[-1].at - started == pytest.approx(20_000_000, abs=100_000)
    await world.close()


@simulated
async def test_a_time_that_is_none_says_how_to_write_one():
    result, _ = await chain({"wait": {"until": "tomorrow"}})
    assert (result.error.code, "2030-01-31T09:00:00+01:00" in result.error.fix) == ("input", True)


@simulated
async def test_steps_that_steer_are_tasks_too():
    tasks = [
        {"id": "a", "set": {"x": 5}},
        {"id": "b", "deps": ["a"], "choose": [{"when": "tasks.a.x > 3", "then": tool("b{{ tasks.a.x }}")}]},
        {"id": "c", "map": {"items": [1, 2], "as": "i", "do": tool("c{{ i }}")}},
    ]
    result, doer = await run("workflow", {"tasks": tasks})
    assert result.status == "completed", result.error
    assert sorted(doer.asked) == ["b5", "c1", "c2"]


@simulated
async def test_a_saga_undoes_what_is_done_the_latest_first_and_reports():
    steps = [
        {"id": "one", "do": tool("book1"), "compensate": tool("undo {{ steps[0].response }}", fails=True)},
        {"id": "two", "do": [tool("book2"), tool("pay2")], "compensate": [tool("repay2"), tool("undo2")]},
        {"id": "three", "do": tool("book3", fails=True), "compensate": tool("never")},
    ]
    result, doer = await run("saga", {"steps": steps, "on_failure": "report", "compensation_retries": 0})
    assert doer.asked == ["book1", "book2", "pay2", "book3", "repay2", "undo2", "undo book1"]
    saga = result.outputs["value"]["saga"]
    assert (saga["status"], saga["undone"], saga["not_undone"]) == ("not_undone", ["two"], ["one"])
    result, _ = await run("saga", {"steps": steps, "compensation_retries": 0})
    assert (result.status, result.error.message) == ("failed", "book3 does not work")
    assert result.error.ids == {"compensated": ["two"], "not_compensated": ["one"]}


@simulated
async def test_a_machine_keeps_what_it_defers_and_passes_over_what_means_nothing():
    config = {
        "initial": "a",
        "context": {"seen": ""},
        "states": {
            "a": {"on": {"GO": "b"}, "defer": ["LATER"]},
            "b": {"on": {"LATER": {"to": "c", "do": {"set": {"seen": "signal.data"}}}, "NOW": "c"}},
            "c": {"final": True},
        },
    }
    world = FlowWorld(Doer())
    run_id = await world.engine.start(compiled("state_machine", config), {})
    for name, data in (("NOW", 1), ("LATER", 2), ("GO", 3)):
        await world.engine.signal(run_id, NewSignal(name=name, data=data))
    result = await world.engine.drive(run_id)
    assert (result.status, result.outputs["value"]["seen"]) == ("completed", 2)
    await world.close()


@simulated
async def test_a_state_that_is_entered_too_often_is_a_failure_that_names_it():
    states = {
        "a": {"always": [{"guard": "false", "to": "end"}, {"to": "b"}]},
        "b": {"always": "a"},
        "end": {"final": True},
    }
    result, _ = await run("state_machine", {"initial": "a", "states": states, "max_visits": 5})
    assert (result.status, result.error.code) == ("failed", "limit")
    assert "'a'" in result.error.message
