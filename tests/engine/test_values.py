"""Live equals replay: values reach the program as the journal holds them, and what it cannot hold is a typed failure."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.world import Doing, World, as_plan, call, chain, fan, simulated
from tests.examples import examples
from weft.core.canonical import dumps, loads
from weft.core.errors import InputError, MismatchError
from weft.engine.port import Done
from weft.engine.references import References
from weft.plan.nodes import Block, Loop, Set, Wait
from weft.testing.scripted import ScriptedPerformer

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=100),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["$step", "$raw", "at", "a", "response"]) | st.text(max_size=5), inner, max_size=4
        )
    ),
    max_leaves=20,
)


def giving(value):
    """A performer whose step ``a`` gives `value`; `seen` holds what the step after it sees."""
    seen = []

    async def do(call, scope, context):
        if call.name == "a":
            return Done(value)
        seen.append(scope["all"][0])
        return Done("end")

    return Doing(do), seen


PLAN = chain(call("a"), call("b"), into="all")


@pytest.mark.parametrize(
    ("value", "as_seen"),
    [
        ((1, 2), [1, 2]),
        ({1: "x"}, {"1": "x"}),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ({"k\udfff": ["\ud800"]}, {"k?": ["?"]}),
        pytest.param(10**4000, 10**4000, id="long number"),
        (-(2**80), -(2**80)),
        (1.1, 1.1),
        (-0.0, -0.0),
        ("", ""),
        (None, None),
        ("\x00\u2028\U0001f600", "\x00\u2028\U0001f600"),
    ],
)
@simulated
async def test_the_next_step_sees_the_same_before_and_after_a_crash(value, as_seen):
    performer, seen = giving(value)
    world = World(performer)
    await world.run(PLAN)
    run_id = await world.die_after("step.completed", "/a", PLAN)
    await world.resume(run_id)
    assert seen == [as_seen, as_seen]
    assert repr(seen[0]) == repr(seen[1]) == repr(as_seen)
    assert world.journal.verify(run_id).intact
    await world.close()


def nested(depth):
    value = "deep"
    for level in range(depth):
        value = {"in": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        {"x": [math.inf]},
        {1, 2},
        b"bytes",
        object(),
        Decimal(1),
        pytest.param(10**5000, id="too long a number"),
        {"a": 1, 2: 3},
        pytest.param(nested(101), id="deep"),
        pytest.param(nested(900), id="deeper"),
        pytest.param(nested(100_000), id="abyss"),
    ],
)
@simulated
async def test_what_the_journal_cannot_hold_is_a_failure_of_its_step(value):
    performer, seen = giving(value)
    world = World(performer)
    result = await world.run(PLAN)
    assert (result.status, result.error.code, result.error.place.path) == ("failed", "provider", "/a")
    assert "not JSON" in result.error.message
    assert seen == []
    assert world.journal.verify(result.run_id).intact
    await world.close()


@simulated
async def test_a_value_that_is_just_not_too_deep_passes_through_composites_and_replay():
    performer, _ = giving(nested(99))
    world = World(performer)
    plan = chain(fan(chain(call("a"), name="s", into="all"), name="g", into="tasks"), call("z"), into="all")
    run_id = await world.die_after("node.completed", "/g", plan)
    assert (await world.resume(run_id)).status == "completed"
    assert world.state(run_id).finished["/g"].value["s"] == nested(99)
    await world.close()


@simulated
async def test_an_enormous_value_is_a_failure_of_its_step(monkeypatch):
    monkeypatch.setattr("weft.engine.limits.MAX_VALUE_BYTES", 10_000)
    for size, status in ((9_000, "completed"), (11_000, "failed")):
        performer, _ = giving("x" * size)
        world = World(performer)
        assert (await world.run(PLAN)).status == status
        await world.close()


@simulated
async def test_computed_values_that_are_not_json_fail_their_run_with_a_sentence():
    huge = {"big": 1e308}
    for plan in (
        chain(call("a"), value={"x": "big * big"}),
        chain(chain(call("a"), name="s", value={"x": "big * big"})),
        fan(call("a"), value={"x": "big * big"}, name="g"),
        chain(Loop(name="l", body=Set(name="v", values={"v": "big * big"}), until="false", max_iterations=2)),
    ):
        world = World()
        result = await world.run(plan, huge)
        assert (result.status, result.error.code) == ("failed", "template")
        assert not world.journal.runs.get(result.run_id).driven
        await world.close()


@simulated
async def test_values_that_grow_deeper_each_round_fail_with_a_sentence():
    world = World()
    body = Set(name="v", values={"v": "[v]"})
    result = await world.run(chain(Loop(name="l", body=body, until="false", max_iterations=3_000)), {"v": 0})
    assert (result.status, result.error.code) == ("failed", "template")
    await world.close()


@simulated
async def test_a_defect_in_an_expression_ends_the_run_with_its_name():
    world = World()
    result = await world.run(chain(call("a"), value={"x": "1 // 0"}))
    assert result.status == "failed"
    assert not world.journal.runs.get(result.run_id).driven
    assert "ivi" in result.error.message
    await world.close()


@pytest.mark.parametrize("bad", [math.nan, {1, 2}, pytest.param(nested(100_000), id="abyss")])
@simulated
async def test_a_run_cannot_be_started_with_what_is_not_json(bad):
    world = World()
    for given_ in ({"scope": {"x": bad}}, {"scope": {}, "inputs": {"x": bad}}, {"scope": {}, "options": {"x": bad}}):
        with pytest.raises(InputError) as caught:
            await world.engine.start(as_plan(PLAN), **given_)
        assert caught.value.fix
    assert world.journal.runs.list() == []
    await world.close()


@simulated
async def test_the_first_step_sees_the_inputs_as_a_resumed_run_does():
    seen = []

    async def do(call, scope, context):
        seen.append(repr(scope["x"]))
        return Done(1)

    world = World(Doing(do))
    scope = {"x": {"t": (1, 2), "u": "\ud800"}}
    await world.run(chain(call("a")), scope)
    run_id = await world.engine.start(as_plan(chain(call("a"))), scope)
    await world.engine.close()
    await world.resume(run_id)
    assert seen[0] == seen[1]
    await world.close()


@settings(max_examples=examples(100), deadline=None)
@given(JSON)
def test_outputs_are_the_same_live_and_from_the_journal(value):
    @simulated
    async def main():
        world = World(ScriptedPerformer(act=lambda *_: value))
        plan = Block(
            name="",
            body=chain(
                call("a"),
                fan(call("b"), call("c"), name="g", into="t"),
                name="s",
                into="all",
                value={"x": "all", "y": "t"},
            ),
        )
        result = await world.run(plan)
        assert result.status == "completed", result.error
        assert world.state(result.run_id).outputs == result.outputs
        assert result.outputs["value"]["x"][0] == loads(dumps(value))
        await world.close()

    main()


@given(st.dictionaries(st.text(min_size=1, max_size=5), JSON, min_size=1, max_size=4), st.data())
@pytest.mark.slow
def test_naming_and_restoring_are_inverse(steps, data):
    writing, reading = References(), References()
    parts = []
    for path, value in steps.items():
        decoded = loads(dumps(value))
        writing.remember(path, decoded)
        reading.remember(path, loads(dumps(value)))
        parts += [decoded] + (list(decoded.values()) if isinstance(decoded, dict) else [])
    whole = data.draw(
        st.recursive(
            st.sampled_from(parts) | JSON,
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["$step", "$raw", "at", "x"]), inner, max_size=3)
            ),
            max_leaves=8,
        )
    )
    named = loads(dumps(writing.name(whole)))
    assert reading.restore(named) == loads(dumps(whole))
    assert writing.restore(named) == loads(dumps(whole))


def test_a_name_that_stands_for_nothing_is_a_mismatch_and_not_a_crash():
    references = References()
    references.remember("/a", {"x": 1})
    for named in ({"$step": "/b"}, {"$step": "/a", "at": "y"}, [{"$step": "/a", "at": 3}]):
        with pytest.raises(MismatchError):
            references.restore(named)


@simulated
async def test_what_a_composite_did_to_the_scope_is_the_same_after_a_crash():
    """Also what it left as the last response, which a template further on may read."""
    seen = []

    async def do(call, scope, context):
        if call.name == "reader":
            seen.append({name: scope.get(name) for name in ("last_response", "t", "s", "rounds", "v")})
        return Done({"response": call.name * 40})

    inner = chain(call("x"), call("y"), name="inner", into="s", value={"only": "1"})
    loop = Loop(name="loop", body=chain(call("r"), name="b"), until="false", max_iterations=2, into="rounds")
    plan = chain(
        Block(name="block", body=inner, timeout_s=50),
        fan(call("g1"), name="g", into="t"),
        loop,
        Set(name="set", values={"v": "s | length"}),
        call("reader"),
    )
    world = World(Doing(do))
    whole = await world.run(plan)
    marks = [(e.kind, e.path) for e in world.journal.events(whole.run_id) if e.kind == "node.completed"]
    assert len(marks) == 6
    for mark in marks:
        run_id = await world.die_after(*mark, plan)
        assert (await world.resume(run_id)).outputs == whole.outputs
    assert all(view == seen[0] for view in seen)
    assert len(seen) == 1 + len(marks)
    await world.close()


@simulated
async def test_a_composite_that_says_something_else_than_its_last_response_ends_the_same_after_a_crash():
    inner = chain(call("x"), call("y"), name="inner", value={"only": "1"})
    world = World()
    # The timer leaves the composite's end time to become durable alone.
    plan = Block(name="", body=chain(inner, Wait(name="pause", seconds="1")))
    whole = await world.run(plan)
    assert whole.outputs["response"] == "y"
    run_id = await world.die_after("node.completed", "/inner", plan)
    assert (await world.resume(run_id)).outputs == whole.outputs
    await world.close()


@simulated
async def test_references_to_secrets_stay_references():
    seen = []

    async def do(call, scope, context):
        seen.append(scope["token"])
        return Done(scope["token"])

    world = World(Doing(do))
    result = await world.run(chain(call("a"), call("b"), into="all"), {"token": {"$secret": "API_KEY"}})
    assert seen == [{"$secret": "API_KEY"}] * 2
    assert result.outputs["value"] == {"$secret": "API_KEY"}
    await world.close()
