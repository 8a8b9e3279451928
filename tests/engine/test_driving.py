"""Driving runs: one driver at a time, plans pinned by their hash, journals proven, reopening, and the fold behind it all."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path

import pytest

import weft.engine.interpreter as interpreter
from tests.engine.world import Doing, DyingWriter, World, as_plan, call, chain, fan, simulated
from weft.core.canonical import dumps
from weft.core.errors import ConflictError, MismatchError, NotFoundError
from weft.core.event import Event
from weft.engine.fold import fold
from weft.engine.port import Done
from weft.plan.nodes import Block, Join, Map
from weft.store.append import Append, Draft
from weft.testing.failpoints import Crash, bury
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import SimulatedClock

PLAN = chain(call("a"), call("b"))


@simulated
async def test_a_second_driver_in_the_same_process_is_refused_while_the_first_lives():
    world = World(ScriptedPerformer({"/a": Trouble(seconds=10)}))
    run_id = await world.engine.start(as_plan(PLAN), {})
    first = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(1)
    other = world.new_engine()
    for engine in (world.engine, other):
        with pytest.raises(ConflictError):
            await engine.drive(run_id)
    assert (await first).status == "completed"
    assert world.performer.started == {"/a": 1, "/b": 1}
    await other.close()
    await world.close()


@simulated
async def test_of_two_that_take_a_run_up_at_once_one_gets_it():
    world = World(ScriptedPerformer({"/a": Trouble(seconds=10)}))
    run_id = await world.engine.start(as_plan(PLAN), {}, queued=True)
    engines = [world.new_engine() for _ in range(4)] + [world.engine] * 2
    found = await asyncio.gather(*(engine.drive(run_id) for engine in engines), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["ConflictError"] * 5 + ["RunResult"]
    assert world.performer.started == {"/a": 1, "/b": 1}
    await world.close()


@simulated
async def test_ended_and_unknown_runs_are_refused():
    world = World()
    result = await world.run(PLAN)
    for reopen in (False, True):
        with pytest.raises(ConflictError, match="ended"):
            await world.engine.drive(result.run_id, reopen=reopen)
    for act in (world.engine.drive, world.engine.cancel):
        with pytest.raises(NotFoundError):
            await act("nobody")
    await world.close()


@simulated
async def test_an_engine_that_was_closed_can_be_used_again_and_is_not_taken_for_dead():
    world = World(ScriptedPerformer({"/a": Trouble(seconds=10)}))
    await world.run(PLAN)
    await world.engine.close()
    run_id = await world.engine.start(as_plan(PLAN), {})
    task = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(1)
    assert world.journal.runs.get(run_id).driven
    assert (await task).status == "completed"
    await world.close()


@simulated
async def test_a_run_is_driven_by_the_plan_that_it_pins_in_any_process():
    world = World()
    run_id = await world.engine.start(as_plan(PLAN), {}, queued=True)
    await world.run(chain(call("other")))
    await world.resume(run_id)
    assert {"/a", "/b"} <= set(world.performer.started)
    await world.close()


@simulated
async def test_a_stored_plan_that_was_changed_stalls_the_run_and_names_it():
    world = World()
    run_id = await world.engine.start(as_plan(PLAN), {}, queued=True)
    world.journal.writer.call(lambda c: c.execute("UPDATE plans SET body=?", (dumps({"forged": 1}),)))
    with pytest.raises(MismatchError, match="plan"):
        await world.engine.drive(run_id)
    run = world.journal.runs.get(run_id)
    assert (run.status, run.driven, run.error["code"]) == ("stalled", False, "mismatch")
    await world.close()


@simulated
@pytest.mark.slow
async def test_a_step_that_was_begun_as_something_else_stalls_the_run_with_a_precise_report():
    async def do(call, scope, context):
        await context.step("x", hang, type=kinds.pop(0), target="t")
        return Done(1)

    async def hang(context):
        await asyncio.sleep(0 if not kinds else 1000)
        return Done(1)

    kinds = ["model", "tool"]
    world = World(Doing(do))
    run_id = await world.die_after("step.started", "/a/x", chain(call("a")))
    result = await world.resume(run_id)
    assert (result.status, result.error.place.path) == ("stalled", "/a/x")
    assert "model" in result.error.message
    assert "tool" in result.error.message
    run = world.journal.runs.get(run_id)
    assert (run.status, run.driven) == ("stalled", False)
    await world.close()


@pytest.mark.parametrize(
    "change", ['data=CAST(\'{"value":"forged"}\' AS BLOB)', "data=CAST('{\"' AS BLOB)", "path='/z'"]
)
@pytest.mark.sqlite
@simulated
async def test_a_changed_event_is_named_and_nothing_is_performed_on_top_of_it(change):
    world = World()
    run_id = await world.die_after("step.completed", "/a", PLAN)
    (seq,) = [event.seq for event in world.journal.events(run_id) if event.kind == "step.completed"]
    world.journal.writer.call(lambda c: c.execute(f"UPDATE events SET {change} WHERE seq=?", (seq,)))
    with pytest.raises(MismatchError, match=f"event {seq} ") as caught:
        await world.resume(run_id)
    assert caught.value.fix
    assert "/b" not in world.performer.started
    assert not world.journal.runs.get(run_id).driven
    await world.close()


@simulated
async def test_events_of_unknown_kinds_are_carried_and_change_nothing():
    world = World()
    run_id = await world.die_after("step.completed", "/a", PLAN)
    odd = Draft(1, "weather.changed", "/future", dumps({"shape": ["unknown"]}))
    await world.journal.append(Append(run_id, 1, [odd]))
    assert (await world.resume(run_id)).status == "completed"
    assert world.data(run_id, "weather.changed") == [{"shape": ["unknown"]}]
    assert world.performer.started["/a"] == 1
    await world.close()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("step.completed", {}),
        ("step.started", {"type": "tool"}),
        ("step.failed", {"error": {"place": {"planet": "mars"}}}),
        ("node.completed", {"value": {"$step": "/nowhere"}}),
        ("timer.set", None),
        ("run.completed", []),
        ("step.completed", {"value": 1, "usage": {"cost": "a lot"}}),
    ],
)
def test_an_event_that_is_not_as_this_version_writes_it_is_a_mismatch(kind, data):
    with pytest.raises(MismatchError):
        fold([Event("r", 1, 1, kind, "/a", data)])


@simulated
async def test_folding_twice_gives_the_same_state():
    world = World(ScriptedPerformer({"/g/b": Trouble(fatal=True)}))
    plan = chain(fan(*map(call, "abc"), name="g", join=Join(policy="best_effort"), into="t"), call("z"))
    result = await world.run(plan)
    events = world.journal.events(result.run_id)

    def comparable(state):
        return {
            name: repr(getattr(state, name))
            for name in state.__slots__
            if name not in {"references", "outcomes", "finished"}
        } | {"outcomes": sorted(state.outcomes), "finished": sorted(state.finished)}

    assert comparable(fold(events)) == comparable(fold(events))
    assert fold(events).outputs == result.outputs
    await world.close()


@simulated
async def test_a_reopened_run_keeps_what_succeeded_and_does_the_rest_anew():
    graph = fan(*map(call, "abc"), name="g", deps={"c": ("b",)})
    world = World(ScriptedPerformer({"/g/b": Trouble(fatal=True), "/g/a": Trouble(seconds=0)}))
    plan = chain(call("first"), Block(name="limit", body=graph, timeout_s=50), call("last"))
    world.performer.troubles = {"/limit/g/b": Trouble(fatal=True, seconds=1)}
    result = await world.run(plan)
    assert result.status == "failed"
    world.performer.troubles = {}
    again = await world.resume(result.run_id, reopen=True)
    assert again.status == "completed"
    assert world.performer.started == {
        "/first": 1,
        "/limit/g/a": 1,
        "/limit/g/b": 2,
        "/limit/g/c": 1,
        "/last": 1,
    }
    assert world.kinds(result.run_id).count("run.reopened") == 1
    assert world.state(result.run_id).error is None
    assert world.journal.verify(result.run_id).intact
    await world.close()


@simulated
async def test_a_crash_after_reopening_keeps_both_lives():
    world = World(ScriptedPerformer({"/b": Trouble(fatal=True)}))
    result = await world.run(chain(call("a"), call("b"), call("c")))
    world.performer.troubles = {}
    world.journal.writer.call(lambda c: None)
    world.journal.writer = DyingWriter(world.journal, "step.completed", "/b")
    with pytest.raises(Crash):
        await world.engine.drive(result.run_id, reopen=True)
    bury(world.engine, world.journal)
    assert (await world.resume(result.run_id)).status == "completed"
    assert world.performer.started == {"/a": 1, "/b": 2, "/c": 1}
    await world.close()


@simulated
async def test_a_performer_that_nobody_has_is_a_failure_that_names_it():
    world = World()
    result = await world.run(chain(call("a").__class__(name="a", performer="wizard", target="merlin")))
    assert result.status == "failed"
    assert "wizard" in result.error.message
    await world.close()


@simulated
async def test_two_steps_of_one_name_at_once_inside_a_call_are_refused():
    async def do(call, scope, context):
        return Done(await asyncio.gather(*(context.step("x", one, type="tool") for _ in range(2))))

    async def one(context):
        await asyncio.sleep(1)
        return Done(1)

    world = World(Doing(do))
    assert (await world.run(chain(call("a")))).error.code == "internal"
    await world.close()


@simulated
async def test_listeners_hear_every_event_once_in_order_and_only_when_it_is_durable():
    heard = []

    class Ear:
        def event(self, event):
            assert world.journal.events(event.run_id, after=event.seq - 1, limit=1)[0].data == event.data
            heard.append((event.seq, event.kind, event.path))

        def delta(self, run_id, path, attempt, delta):
            heard.append(("delta", path, delta["text"]))

    async def do(call, scope, context):
        context.emit({"text": "hi"})
        return Done(1)

    world = World(Doing(do))
    world.engine = world.new_engine(listeners=(Ear(),))
    result = await world.run(chain(fan(call("a"), call("b"), name="g")))
    events = [(event.seq, event.kind, event.path) for event in world.journal.events(result.run_id)]
    assert [one for one in heard if one[0] != "delta"] == events
    assert ("delta", "/g/a", "hi") in heard
    await world.close()


def test_the_interpreter_imports_only_plans_core_and_its_ports():
    allowed = (
        "weft.core",
        "weft.plan",
        "weft.engine.port",
        "weft.engine.fanout",
        "weft.engine.tasks",
        "weft.engine.walk",
    )
    standard = {
        "__future__",
        "asyncio",
        "collections",
        "collections.abc",
        "dataclasses",
        "functools",
        "itertools",
        "typing",
    }
    folder = Path(interpreter.__file__).parent
    walkers = sorted(folder.glob("walk/*.py"))
    assert len(walkers) > 5
    for module in (folder / "interpreter.py", folder / "fanout.py", folder / "tasks.py", folder / "port.py", *walkers):
        for node in ast.walk(ast.parse(module.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name in standard or name.startswith(allowed), f"{module.name} imports {name}"


def test_the_interpreter_calls_nothing_whose_answer_depends_on_the_moment():
    folder = Path(interpreter.__file__).parent
    forbidden = {
        "sleep",
        "wait",
        "as_completed",
        "time",
        "monotonic",
        "perf_counter",
        "random",
        "urandom",
        "open",
        "hash",
    }
    for module in (
        folder / "interpreter.py",
        folder / "fanout.py",
        folder / "tasks.py",
        *sorted(folder.glob("walk/*.py")),
    ):
        tree = ast.parse(module.read_text())
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        found = {name for name in called if name.rsplit(".", 1)[-1] in forbidden} - {"walk.runtime.sleep"}
        assert not found, f"{module.name} calls {found}"


def test_every_event_kind_that_the_engine_writes_or_reads_is_documented():
    source = Path(interpreter.__file__).parent
    page = (Path(__file__).parents[2] / "docs" / "journal.md").read_text()
    text = "".join(module.read_text() for module in source.glob("*.py"))
    kinds = set(re.findall(r'"((?:run|step|node|timer|budget)\.[a-z]+)"', text))
    assert len(kinds) > 15
    assert {kind for kind in kinds if f"| `{kind}` |" not in page} == set()


def journal_bytes(world, run_id):
    """Bytes of the journal behind each step: events with their payloads, by the step that they belong to."""
    return world.journal.writer.call(
        lambda c: c.execute(
            "SELECT kind, path, length(kind)+length(path)+coalesce(length(data),0)+coalesce(length(salt),0)+length(hash)"
            " FROM events WHERE run_id=? ORDER BY seq",
            (run_id,),
        ).fetchall()
    )


@simulated
async def test_a_step_costs_as_many_bytes_late_as_early():
    world = World(ScriptedPerformer(act=lambda call, scope, context: {"response": "words " * 40}))
    plan = chain(*[call(f"s{n:04}", conversation="t") for n in range(1_000)], into="all")
    result = await world.run(plan)
    costs: dict[str, int] = {}
    for _, path, size in journal_bytes(world, result.run_id):
        costs[path] = costs.get(path, 0) + size
    assert costs["/s0999"] <= 1.2 * costs["/s0010"]
    end = [size for kind, _, size in journal_bytes(world, result.run_id) if kind == "run.completed"]
    assert end[0] < 1_000
    await world.close()


@simulated
async def test_composites_refer_to_what_their_steps_said_and_do_not_repeat_it():
    text = "many words " * 100
    world = World(ScriptedPerformer(act=lambda call, scope, context: {"response": text, "more": [text]}))
    plan = chain(
        fan(
            chain(call("a"), call("b"), name="s", into="x"),
            call("c"),
            name="g",
            into="t",
            value={"r": "t", "one": "t.c.response"},
        ),
        Map(name="m", items="[1, 2, 3]", body=call("")),
    )
    result = await world.run(plan)
    nodes = [
        size for kind, _, size in journal_bytes(world, result.run_id) if kind.startswith(("node", "run.completed"))
    ]
    assert len(nodes) == 4
    assert max(nodes) < len(text)
    assert world.state(result.run_id).outputs == result.outputs
    await world.close()


@simulated
async def test_a_time_that_is_read_is_the_runs_clock():
    async def do(call, scope, context):
        return Done(context.clock.micros())

    world = World(Doing(do))
    before = SimulatedClock().micros()
    result = await world.run(chain(call("a")))
    assert before <= result.outputs["value"] <= SimulatedClock().micros()
    await world.close()
