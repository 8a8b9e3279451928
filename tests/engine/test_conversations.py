"""A conversation is made of an agent's ancestors in declared order, never of siblings, and survives crashes."""

from __future__ import annotations

import pytest

from tests.engine.world import Doing, World, call, chain, fan, simulated
from weft.core.errors import ToolError
from weft.engine.port import Done
from weft.plan.nodes import Branch, Choose, Join, Loop, Map


def listening(slow=()):
    heard = {}

    async def do(call, scope, context):
        heard[context.path] = context.history
        await context.clock.sleep(5 if call.name in slow else 1)
        return Done({"response": call.name})

    return Doing(do), heard


def say(name, talk="t"):
    return call(name, conversation=talk)


@simulated
async def test_a_chain_hears_what_came_before_in_its_own_conversation():
    performer, heard = listening()
    world = World(performer)
    await world.run(chain(say("a"), say("x", "other"), call("mute"), say("b"), say("c")))
    assert heard == {"/a": (), "/x": (), "/mute": (), "/b": ("/a",), "/c": ("/a", "/b")}
    await world.close()


@pytest.mark.parametrize("slow", ["a", "b", "c"])
@simulated
async def test_a_graph_hears_its_ancestors_in_declared_order_whatever_order_they_ended_in(slow):
    performer, heard = listening(slow)
    world = World(performer)
    graph = fan(*map(say, "abcd"), name="g", deps={"c": ("a",), "d": ("b", "c")})
    await world.run(chain(say("before"), graph, say("after")))
    before = ("/before",)
    assert heard["/g/a"] == heard["/g/b"] == before
    assert heard["/g/c"] == (*before, "/g/a")
    assert heard["/g/d"] == (*before, "/g/b", "/g/a", "/g/c")
    assert heard["/after"] == (*before, "/g/a", "/g/b", "/g/c", "/g/d")
    await world.close()


@simulated
async def test_map_children_never_hear_each_other_and_what_follows_hears_all_in_item_order():
    performer, heard = listening()
    world = World(performer)
    await world.run(chain(Map(name="m", items="[1, 2, 3]", body=say("")), say("z")))
    assert heard["/m[0]"] == heard["/m[1]"] == heard["/m[2]"] == ()
    assert heard["/z"] == ("/m[0]", "/m[1]", "/m[2]")
    await world.close()


@simulated
async def test_a_loop_hears_its_earlier_rounds():
    performer, heard = listening()
    world = World(performer)
    await world.run(chain(Loop(name="l", body=say(""), until="false", max_iterations=3)))
    assert heard["/l[2]"] == ("/l[0]", "/l[1]")
    await world.close()


@simulated
async def test_a_failed_call_is_not_part_of_the_conversation():
    heard = {}

    async def do(call, scope, context):
        heard[context.path] = context.history
        if call.name == "b":
            raise ToolError("no")
        return Done(1)

    world = World(Doing(do))
    await world.run(chain(fan(say("a"), say("b"), name="g", join=Join(policy="best_effort")), say("z")))
    assert heard["/z"] == ("/g/a",)
    await world.close()


def rich():
    inner = chain(say("p"), say("q"), name="inner", into="steps")
    graph = fan(say("a"), inner, say("c"), name="g", deps={"c": ("inner", "a")}, into="tasks")
    loop = Loop(name="l", body=chain(say("r"), name="round"), until="false", max_iterations=2)
    choice = Choose(name="ch", branches=(Branch(when="true", node=say("yes")),))
    return chain(say("first"), graph, loop, choice, Map(name="m", items="[1, 2]", body=say("")), say("last"))


@simulated
async def test_a_crash_after_any_event_changes_no_history():
    performer, heard = listening()
    world = World(performer)
    whole = await world.run(rich())
    expected = dict(heard)
    marks = [(e.kind, e.path) for e in world.journal.events(whole.run_id) if e.kind.startswith(("step.c", "node"))]
    assert len(marks) > 15
    await world.close()
    for kind, path in marks:
        performer, heard = listening()
        world = World(performer)
        run_id = await world.die_after(kind, path, rich())
        assert (await world.resume(run_id)).outputs == whole.outputs
        assert heard == expected, (kind, path)
        await world.close()


@simulated
async def test_performers_find_the_values_of_the_calls_before_them():
    found = {}

    async def do(call, scope, context):
        found[context.path] = [context.recorded(path) for path in context.history]
        return Done({"response": call.name})

    world = World(Doing(do))
    run_id = await world.die_after("node.completed", "/s", chain(chain(say("a"), say("b"), name="s"), say("c")))
    await world.resume(run_id)
    assert found["/c"] == [{"response": "a"}, {"response": "b"}]
    await world.close()
