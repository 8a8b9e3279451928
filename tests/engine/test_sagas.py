"""Compensations: what was done is undone when the block comes to nothing, whatever the reason, wherever the process dies."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.world import Doing, World, as_plan, call, chain, fan, simulated
from weft.core.errors import ToolError
from weft.engine.port import Done
from weft.engine.why import wake_sources
from weft.plan.nodes import Block, Budget, Join, Loop, Machine, Map, Retry, Select, State, Wait
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.scripted import ScriptedPerformer, Trouble


def saga(*children, name="s", undo=None, body=None, **how) -> Block:
    """A block whose children, but for those called ``x…``, can be undone."""
    names = [child.name for child in children if not child.name.startswith("x")]
    compensations = {each: call("u") for each in names} if undo is None else undo
    body = body or chain(*children, name="steps", into="steps")
    return Block(name=name, body=body, compensations=compensations, **how)


BOOKING = saga(call("a"), call("b"), call("c"), call("xd"), call("e"))


def undone(world) -> list[str]:
    """The compensations that were performed, in order."""
    return [path for path in world.performer.started if "$undo" in path and world.performer.started[path]]


@simulated
async def test_what_had_succeeded_is_undone_the_latest_first_in_the_scope_of_then():
    seen = {}

    def act(call, scope, context):
        if "$undo" in context.path:
            seen[context.path] = ([one["response"] for one in scope["steps"]], scope["error"]["message"])
        return {"response": call.name}

    world = World(ScriptedPerformer({"/s/steps/e": Trouble(fatal=True)}, act=act))
    result = await world.run(chain(BOOKING))
    assert result.status == "failed"
    assert list(seen) == ["/s/$undo[c]", "/s/$undo[b]", "/s/$undo[a]"]
    assert [steps for steps, _ in seen.values()] == [["a", "b", "c"], ["a", "b"], ["a"]]
    assert {why for _, why in seen.values()} == {"/s/steps/e never works"}
    assert result.error.message == "/s/steps/e never works"
    assert result.error.ids["compensated"] == ["c", "b", "a"]
    assert result.error.ids["not_compensated"] == []
    await world.close()


@simulated
async def test_a_saga_that_succeeds_undoes_nothing_also_when_what_follows_fails():
    world = World(ScriptedPerformer({"/after": Trouble(fatal=True)}))
    result = await world.run(chain(BOOKING, call("after")))
    assert result.status == "failed"
    assert not undone(world)
    await world.close()


@simulated
async def test_a_compensation_retries_and_one_that_fails_for_good_does_not_stop_the_others():
    troubles = {
        "/s/steps/e": Trouble(fatal=True),
        "/s/$undo[c]": Trouble(fatal=True),
        "/s/$undo[b]": Trouble(transient=2),
    }
    world = World(ScriptedPerformer(troubles))
    undo = {name: Block(name="u", body=call(""), retry=Retry(attempts=3)) for name in "abc"}
    result = await world.run(chain(saga(*map(call, ("a", "b", "c", "e")), undo=undo)))
    assert world.performer.started["/s/$undo[b]"] == 3
    assert result.error.ids["compensated"] == ["b", "a"]
    assert result.error.ids["not_compensated"] == ["c"]
    assert "by hand" in result.error.fix
    await world.close()


@pytest.mark.parametrize("where", ["inside", "outside"])
@simulated
async def test_a_budget_that_is_used_up_does_not_keep_anything_from_being_undone(where):
    world = World()
    block = saga(*map(call, "abce"), **({"budget": Budget(max_steps=3)} if where == "inside" else {}))
    node = block if where == "inside" else Block(name="o", body=block, budget=Budget(max_steps=3))
    result = await world.run(chain(node))
    assert result.error.code == "budget"
    assert [path.rpartition("/")[2] for path in undone(world)] == ["$undo[c]", "$undo[b]", "$undo[a]"]
    await world.close()


@simulated
async def test_branches_are_undone_in_the_order_in_which_they_had_succeeded():
    seen = []

    def act(call, scope, context):
        if "$undo" in context.path:
            seen.append((context.path[-2], sorted(scope["tasks"])))
        return {"response": call.name}

    troubles = {"/s/g/a": Trouble(seconds=3), "/s/g/b": Trouble(seconds=1), "/s/g/x": Trouble(seconds=5, fatal=True)}
    world = World(ScriptedPerformer(troubles, act=act))
    graph = fan(call("a"), call("b"), call("c"), call("x"), name="g", into="tasks", deps={"c": ("b",)})
    result = await world.run(chain(saga(call("a"), call("b"), call("c"), body=graph)))
    assert result.status == "failed"
    assert seen == [("a", ["a"]), ("c", ["b", "c"]), ("b", ["b"])]
    await world.close()


CUT_OFF = {
    "its own time limit": (saga(call("a"), call("x"), timeout_s=10), "/s"),
    "a time limit around it": (Block(name="o", body=saga(call("a"), call("x")), timeout_s=10), "/o/s"),
    "a failing sibling": (fan(saga(call("a"), call("x")), call("bad"), name="g"), "/g/s"),
    "a sibling that is enough": (
        fan(saga(call("a"), call("x")), call("good"), name="g", join=Join(policy="first")),
        "/g/s",
    ),
    "another item": (
        Map(name="m", items="['s', 't']", key="item", body=saga(call("a"), call("x"))),
        "/m[s]",
    ),
    "a final state": (
        Machine(
            name="m",
            start="b",
            states=(
                State(name="b", exits=(({"to": "w"},), ({"to": "f"},))),
                State(name="w", body=saga(call("a"), call("x"))),
                State(name="f", body=call("good"), final=True),
            ),
        ),
        "/m/w[0]",
    ),
}


def cut_off(why: str):
    from weft.plan.nodes import Arrow

    node, at = CUT_OFF[why]
    if isinstance(node, Machine):
        begin, *others = node.states
        node = Machine(
            name=node.name,
            start=node.start,
            states=(State(name=begin.name, exits=((Arrow(to="w"),), (Arrow(to="f"),))), *others),
        )
    slow = {f"{at}/steps/x": Trouble(seconds=100)}
    return (
        node,
        at,
        slow
        | {
            "/g/bad": Trouble(seconds=5, fatal=True),
            "/g/good": Trouble(seconds=5),
            "/m/f[0]": Trouble(seconds=5),
            "/m[t]/steps/a": Trouble(seconds=5, fatal=True),
        },
    )


@pytest.mark.parametrize("why", CUT_OFF)
@simulated
async def test_what_is_cut_off_undoes_what_it_has_done(why):
    node, at, troubles = cut_off(why)
    world = World(ScriptedPerformer(troubles))
    result = await world.run(chain(node))
    assert undone(world) == [f"{at}/$undo[a]"]
    assert result.status == ("completed" if why in {"a sibling that is enough", "a final state"} else "failed")
    assert world.journal.verify(result.run_id).intact
    await world.close()


REFERENCE = chain(
    call("before"),
    fan(
        saga(
            call("a"), saga(call("i"), call("j"), name="inner"), call("xe"), undo={"a": call("u"), "inner": call("u")}
        ),
        Loop(name="l", body=saga(call("a"), name="q", undo={"a": call("u")}), until="false", max_iterations=2),
        name="g",
    ),
    saga(Wait(name="xw", seconds="5"), call("k"), call("xl"), name="z"),
)
TROUBLES = {"/g/s/steps/a": Trouble(seconds=2), "/g/s/steps/xe": Trouble(seconds=4), "/z/steps/xl": Trouble(seconds=3)}


def facts(world, run_id):
    """What was done forward and undone, by the journal, and that nothing forward came after the cancel."""
    events = world.journal.events(run_id)
    steps = [(event.seq, event.path) for event in events if event.kind == "step.completed"]
    cut = next((event.seq for event in events if event.kind == "run.cancelling"), None)
    assert cut is None or all("$undo" in path for seq, path in steps if seq > cut)
    return [path for _, path in steps]


def open_sagas(done: list[str]) -> list[str]:
    """What must be undone when `done` is what had been done of the reference, in any order."""
    want = []
    if "/g/s/steps/a" in done and "/g/s/steps/xe" not in done:
        want.append("/g/s/$undo[a]")
        if "/g/s/steps/inner/steps/j" in done:
            want.append("/g/s/$undo[inner]")
        elif "/g/s/steps/inner/steps/i" in done:
            want.append("/g/s/steps/inner/$undo[i]")
    if "/z/steps/k" in done and "/z/steps/xl" not in done:
        want.append("/z/$undo[k]")
    return sorted(want)


def check_cancelled(world, run_id, deaths: int = 0):
    done = facts(world, run_id)
    back = sorted(path for path in done if "$undo" in path)
    assert back == open_sagas([path for path in done if "$undo" not in path])
    assert world.journal.runs.get(run_id).status == "cancelled"
    assert all(times <= 1 + deaths for times in world.performer.effects.values())
    assert world.journal.verify(run_id).intact
    return back


@pytest.mark.slow
@simulated
async def test_a_cancel_at_every_moment_undoes_what_is_not_finished():
    seen = set()
    for tenth in range(1, 180, 3):
        world = World(ScriptedPerformer(dict(TROUBLES)))
        run_id = await world.engine.start(as_plan(REFERENCE), {})
        task = asyncio.ensure_future(world.engine.drive(run_id))
        await asyncio.sleep(tenth / 10)
        if await world.engine.cancel(run_id):
            assert (await task).status == "cancelled"
            seen.add(tuple(check_cancelled(world, run_id)))
        else:
            assert (await task).status == "completed"
        await world.close()
    assert {(), ("/g/s/$undo[a]", "/g/s/$undo[inner]"), ("/z/$undo[k]",)} <= seen


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("tenth", [45, 130])
@simulated
@pytest.mark.slow
async def test_a_crash_while_a_cancelled_run_is_walked_back_changes_nothing(when, tenth):
    for at in range(1, 12):
        world = World(ScriptedPerformer(dict(TROUBLES)))
        run_id = await world.engine.start(as_plan(REFERENCE), {})
        task = asyncio.ensure_future(world.engine.drive(run_id))
        await asyncio.sleep(tenth / 10)
        await world.engine.cancel(run_id)
        world.journal.writer = writer = CrashingWriter(world.journal, at=at, when=when)
        try:
            await task
        except Crash:
            bury(world.engine, world.journal)
            run = world.journal.runs.get(run_id)
            if not run.ended:
                state = world.state(run_id)
                if state.cancelling is None:
                    await world.new_engine().cancel(run_id)
                else:
                    assert "cancelled" in wake_sources(run, state)[0].text
                    assert (await world.resume(run_id)).status == "cancelled"
        check_cancelled(world, run_id, deaths=1)
        if not writer.fired:
            break
        world.journal.close()
    assert at > 4


@simulated
async def test_a_run_that_nobody_drives_is_walked_back_by_whoever_cancels_it():
    world = World(ScriptedPerformer({"/s/steps/c": Trouble(seconds=100)}))
    run_id = await world.die_after("step.started", "/s/steps/c", chain(BOOKING))
    engine = world.new_engine()
    assert await engine.cancel(run_id, reason="no")
    assert world.journal.runs.get(run_id).status == "cancelled"
    assert undone(world) == ["/s/$undo[b]", "/s/$undo[a]"]
    await engine.close()
    await world.close()


async def failing_saga(at: int, when: str):
    """A run of a saga that fails, killed at an append; what was done to the world in the end."""
    world = World(ScriptedPerformer({"/s/steps/e": Trouble(fatal=True), "/s/$undo[b]": Trouble(seconds=2)}))
    world.journal.writer = writer = CrashingWriter(world.journal, at=at, when=when)
    run_id = await world.engine.start(as_plan(chain(Block(name="t", body=BOOKING, ends="tolerated"), call("z"))), {})
    try:
        result = await world.engine.drive(run_id)
    except Crash:
        bury(world.engine, world.journal)
        run = world.journal.runs.get(run_id)
        result = None if run.ended else await world.resume(run_id)
    state = world.state(run_id)
    await world.close()
    return writer, result, state, sorted(world.performer.paths[key] for key in world.performer.effects)


@pytest.mark.parametrize("when", ["before", "after"])
@simulated
async def test_a_crash_at_every_append_of_a_failing_saga_changes_nothing(when):
    _, _, whole, effects = await failing_saga(0, when)
    assert whole.status == "completed"
    for at in range(2, 60):
        writer, _, state, touched = await failing_saga(at, when)
        assert (state.status, state.outputs, touched) == (whole.status, whole.outputs, effects)
        if not writer.fired:
            break
    assert at > 9


@simulated
async def test_a_reopened_run_does_again_what_was_undone_under_new_keys():
    world = World(ScriptedPerformer({"/s/steps/e": Trouble(fatal=True)}))
    result = await world.run(chain(call("before"), BOOKING))
    keys = len(world.performer.effects)
    world.performer.troubles = {}
    again = await world.resume(result.run_id, reopen=True)
    assert again.status == "completed"
    assert world.performer.started["/before"] == 1
    assert world.performer.started["/s/steps/a"] == 2
    # What a keyed receiver took back must not be taken for done: five steps with keys of their own.
    assert len(world.performer.effects) == keys + 5
    assert world.journal.verify(result.run_id).intact
    await world.close()


@simulated
async def test_a_performer_that_answers_although_the_run_is_cancelled_is_not_heard():
    async def do(call, scope, context):
        if call.name == "b":
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                await asyncio.sleep(1)
        return Done({"response": call.name})

    world = World(Doing(do))
    run_id = await world.engine.start(as_plan(chain(saga(call("a"), call("b")))), {})
    task = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(1)
    await world.engine.cancel(run_id)
    assert (await task).status == "cancelled"
    assert facts(world, run_id) == ["/s/steps/a", "/s/$undo[a]"]
    await world.close()


@simulated
async def test_an_alternative_that_fails_has_undone_its_part_before_the_next_begins():
    world = World(ScriptedPerformer({"/f/s/steps/e": Trouble(fatal=True)}))
    result = await world.run(chain(Select(name="f", children=(BOOKING, call("other")))))
    assert result.status == "completed"
    assert list(world.performer.started)[-1] == "/f/other"
    assert len(undone(world)) == 3
    await world.close()


@simulated
async def test_an_error_while_undoing_is_seen_by_the_block_around():
    async def do(call, scope, context):
        if call.name in {"b", "u"}:
            raise ToolError("no")
        return Done(1)

    world = World(Doing(do))
    block = Block(name="t", body=saga(call("a"), call("b")), ends="tolerated", into="what")
    result = await world.run(chain(block, value={"ids": "what.error.ids"}))
    assert result.outputs["value"]["ids"] == {"compensated": [], "not_compensated": ["a"]}
    await world.close()
