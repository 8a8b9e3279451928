"""Alternatives, ends that mean something else outside, and what nodes leave in the scope around them."""

from __future__ import annotations

import pytest

from tests.engine.world import Doing, World, call, chain, fan, simulated
from weft.core.errors import PolicyError
from weft.engine.port import Done
from weft.plan.nodes import Block, Branch, Budget, Choose, Loop, Map, Select, Set
from weft.testing.scripted import ScriptedPerformer, Trouble


@simulated
async def test_the_first_that_succeeds_counts_and_sees_how_the_others_failed():
    seen = {}

    def act(call, scope, context):
        seen[context.path] = ([one["error"]["message"] for one in scope["failed"]], scope.get("v"))
        return {"response": call.name}

    world = World(ScriptedPerformer({"/f/one/bad": Trouble(fatal=True)}, act=act))
    one = chain(Set(name="s", values={"v": "1"}), call("bad"), name="one", exports=("v",))
    result = await world.run(chain(Select(name="f", children=(one, call("two"), call("three")), into="failed")))
    assert result.outputs["value"] == {"response": "two"}
    assert seen == {"/f/two": (["/f/one/bad never works"], None)}
    await world.close()


@simulated
async def test_when_none_succeeds_the_last_failure_is_the_failure():
    world = World(ScriptedPerformer({"/f/a": Trouble(fatal=True), "/f/b": Trouble(fatal=True)}))
    result = await world.run(chain(Select(name="f", children=(call("a"), call("b")))))
    assert result.error.message == "/f/b never works"
    assert world.kinds(result.run_id, "/f") == ["node.failed"]
    await world.close()


@pytest.mark.parametrize("kind", ["select", "tolerated", "inverted"])
@pytest.mark.parametrize("why", ["policy", "outer budget"])
@simulated
async def test_what_forbids_or_pays_for_the_whole_is_not_put_up_with(kind, why):
    async def do(call, scope, context):
        if why == "policy" and call.name == "b":
            raise PolicyError("not that")
        return Done(1)

    world = World(Doing(do))
    inside = fan(call("b"), name="g")
    node = Select(name="n", children=(inside, call("c")))
    if kind != "select":
        node = Block(name="n", body=inside, ends=kind)
    limit = Budget(max_steps=1 if why == "outer budget" else 9)
    result = await world.run(Block(name="", body=chain(call("a"), node, call("z"), name="q"), budget=limit))
    assert result.error.code == ("policy" if why == "policy" else "budget")
    await world.close()


@simulated
async def test_a_budget_of_what_is_inside_is_put_up_with():
    world = World()
    block = Block(name="b", body=chain(call("a"), call("b"), name="q"), budget=Budget(max_steps=1))
    result = await world.run(chain(Block(name="t", body=block, ends="tolerated", into="end"), value={"e": "end"}))
    end = result.outputs["value"]["e"]
    assert (end["ok"], end["value"], end["error"]["code"]) == (False, None, "budget")
    await world.close()


@simulated
async def test_an_inverted_end_is_the_opposite_and_durable():
    world = World(ScriptedPerformer({"/n/a": Trouble(fatal=True)}))
    result = await world.run(chain(Block(name="n", body=call("a"), ends="inverted"), call("z")))
    assert result.status == "completed"
    assert world.kinds(result.run_id, "/n") == ["node.completed"]
    other = await world.run(chain(Block(name="m", body=call("b"), ends="inverted")))
    assert other.error.code == "rejected"
    await world.close()


@simulated
async def test_an_end_within_a_time_limit_is_put_up_with():
    world = World(ScriptedPerformer({"/t/a": Trouble(seconds=100)}))
    block = Block(name="t", body=call("a"), ends="tolerated", timeout_s=5)
    result = await world.run(chain(block))
    assert result.outputs["value"]["error"]["code"] == "timeout"
    assert world.journal.verify(result.run_id).intact
    await world.close()


@simulated
async def test_a_choice_that_is_required_fails_with_what_it_says():
    world = World()
    node = Choose(name="c", branches=(Branch(when="false", node=call("a")),), required="no way leads on")
    result = await world.run(chain(node))
    assert (result.error.code, result.error.message) == ("rejected", "no way leads on")
    await world.close()


@simulated
async def test_exported_names_go_into_the_enclosing_scope_also_after_a_crash():
    inner = chain(Set(name="s", values={"v": "1", "w": "2"}), call("x"), name="in", exports=("v", "missing"))
    body = chain(Set(name="s", values={"n": "(n | default(0)) + 1"}), name="", exports=("n",))
    loop = Loop(name="l", body=body, until="false", max_iterations=20, exports=("n",))
    items = Map(name="m", items="[1, 2]", body=Set(name="", values={"d": "item * 2"}), into="doubled")
    plan = chain(
        inner,
        loop,
        items,
        call("z"),
        value={"v": "v", "w": "w is defined", "n": "n", "d": "doubled | map(attribute='d') | list"},
    )
    want = {"v": 1, "w": False, "n": 20, "d": [2, 4]}
    world = World()
    assert (await world.run(plan)).outputs["value"] == want
    run_id = await world.die_after("step.completed", "/z", plan)
    result = await world.resume(run_id)
    assert result.outputs["value"] == want
    await world.close()
