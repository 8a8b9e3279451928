"""Child runs: runs of their own, started once, that their parents wait for, pay for and stop."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.world import Doing, World, as_plan, call, chain, fan, simulated, soon
from weft.core.canonical import dumps
from weft.core.errors import BudgetError, ToolError
from weft.core.usage import Usage
from weft.engine.children import MAX_DEPTH, child_id
from weft.engine.fold import fold
from weft.engine.port import Done
from weft.engine.questions import Answer, decision, expired
from weft.engine.replay import replay
from weft.engine.why import wake_sources
from weft.plan.codec import plan_hash, to_json
from weft.plan.nodes import Block, Budget, Child, Gate, Join, Plan, Wait
from weft.store.append import Append
from weft.store.gates import decide
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import simulate

INNER = Plan(workflow="inner", root=chain(call("x"), call("y")))


def child(name: str = "sub", **how) -> Child:
    return Child(name=name, plan=None if "planned" in how else how.pop("plan", "inner"), **how)


def parent(*nodes, inner: Plan = INNER, **how) -> Plan:
    return Plan(workflow="outer", root=chain(*nodes, **how), children={"inner": inner})


@simulated
async def test_a_child_is_a_run_of_its_own_and_its_outputs_are_the_value():
    world = World()
    result = await world.run(parent(call("a"), child(inputs={"topic": "word + '!'"}), call("b")), {"word": "rain"})
    assert result.status == "completed", result.error
    ours, theirs = world.journal.runs.get(result.run_id), world.journal.runs.children(result.run_id)
    (inner,) = theirs
    assert (inner.id, inner.parent, inner.status) == (child_id(ours.id, "/sub"), ours.id, "completed")
    assert inner.inputs == {"topic": "rain!"}
    assert inner.session == ours.session
    (end,) = world.data(ours.id, "step.completed", "/sub")
    assert end["value"] == {"response": "y", "value": {"response": "y"}, "run": inner.id}
    assert world.kinds(inner.id)[0] == "run.created"
    assert [run.id for run in world.journal.runs.list(children=False)] == [ours.id]
    for run in (ours, inner):
        assert world.journal.verify(run.id).intact
    await world.close()


@simulated
async def test_what_a_child_spends_counts_above_it_while_it_is_spent_and_stands_as_its_own_line():
    async def spend(call_, scope, context):
        async def ask(_):
            return Done({"response": "…"}, Usage(requests=1, input_tokens=60))

        return Done(await context.step("model[0]", ask, type="model", spends=True))

    inner = Plan(workflow="inner", root=chain(call("x"), call("y"), call("z")))
    world = World(Doing(spend))
    whole = await world.run(parent(child(), inner=inner))
    assert world.journal.runs.get(whole.run_id).usage.input_tokens == 180
    assert world.state(whole.run_id).usage.keys() == {"/sub"}
    budget = Block(name="", body=chain(child(name="one"), child(name="two")), budget=Budget(max_tokens=250))
    result = await world.run(Plan(workflow="w", root=budget, children={"inner": inner}))
    assert (result.status, result.error.code) == ("failed", "budget")
    # The request that would have gone beyond was refused inside the second child.
    assert world.journal.runs.get(result.run_id).usage.input_tokens == 300
    second = world.journal.runs.get(child_id(result.run_id, "/two"))
    assert (second.status, second.usage.input_tokens) == ("failed", 120)
    own = await world.run(parent(child(budget=Budget(max_steps=1)), inner=inner))
    assert isinstance(own.error, BudgetError)
    await world.close()


@simulated
async def test_a_child_that_fails_fails_its_step_with_its_error_and_its_id():
    world = World(ScriptedPerformer({"/y": Trouble(fatal=True)}))
    result = await world.run(parent(child()))
    assert result.status == "failed"
    assert isinstance(result.error, ToolError)
    inner = child_id(result.run_id, "/sub")
    assert result.error.ids["run"] == inner
    assert (result.error.place.path, result.error.ids["step"]) == ("/sub", "/y")
    world.performer.troubles = {}
    again = await world.resume(result.run_id, reopen=True)
    assert again.status == "completed", again.error
    assert world.kinds(inner).count("run.reopened") == 1
    assert world.performer.started["/x"] == 1
    await world.close()


@simulated
async def test_parents_that_fill_every_slot_do_not_keep_their_children_from_going_on():
    nested = Plan(workflow="nested", root=fan(call("p"), call("q")))
    inner = Plan(
        workflow="inner", root=fan(*(child(f"c{n}", plan="nested") for n in range(4))), children={"nested": nested}
    )
    world = World(ScriptedPerformer({"/p": Trouble(seconds=1)}), concurrency=1)
    outer = Plan(workflow="outer", root=fan(*(child(f"c{n}") for n in range(4))), children={"inner": inner})
    result = await world.run(outer)
    assert result.status == "completed", result.error
    assert len(world.journal.runs.list(limit=100)) == 1 + 4 + 16
    await world.close()


@simulated
async def test_a_plan_made_at_run_time_is_run_by_its_hash():
    world = World()
    made = Plan(workflow="made", root=call("m"))
    await world.journal.writer.submit(world.journal.plans.keep(plan_hash(made), dumps(to_json(made))))
    result = await world.run(as_plan(chain(child(planned="plan"))), {"plan": plan_hash(made)})
    assert result.outputs["value"]["response"] == "m"
    wrong = await world.run(as_plan(chain(child(planned="plan"))), {"plan": "no such"})
    assert (wrong.status, wrong.error.code) == ("failed", "not-found")
    await world.close()


@simulated
async def test_runs_below_each_other_without_end_are_stopped():
    plan = Plan(workflow="deep", root=call("bottom"))
    for _ in range(MAX_DEPTH + 1):
        plan = Plan(workflow="deep", root=chain(child()), children={"inner": plan})
    world = World()
    result = await world.run(plan)
    assert (result.status, result.error.code) == ("failed", "limit")
    await world.close()


ASKING = Plan(workflow="asking", root=chain(call("x"), Gate(name="ok", prompt="Go on?"), call("y")))


@simulated
async def test_a_child_that_waits_makes_its_parent_wait_and_wakes_it():
    from weft.engine.questions import Answer

    world = World()
    result = await world.run(parent(call("a"), child(), call("b"), inner=ASKING))
    assert result.status == "waiting"
    inner = child_id(result.run_id, "/sub")
    assert [(wait["kind"], wait["path"], wait["run"]) for wait in result.waits] == [("child", "/sub", inner)]
    (source,) = wake_sources(world.journal.runs.get(result.run_id), world.state(result.run_id))
    assert inner in source.text
    await world.engine.decide(inner, None, Answer(by="ann", verdict="approve"))
    done = await world.engine.drive(inner)
    assert done.status == "completed", done.error
    # Whoever drives the child to its end drives its parent on.
    assert world.journal.runs.get(result.run_id).status == "completed"
    assert world.performer.started["/b"] == 1
    for run in world.journal.runs.list():
        plan = parent(call("a"), child(), call("b"), inner=ASKING) if run.id == result.run_id else ASKING
        found = await outside(plan, world.journal.events(run.id))
        assert found.difference is None, found.difference
    await world.close()


async def outside(plan, events):
    """A replay, which needs a thread without a running loop."""
    import threading

    found = []
    thread = threading.Thread(target=lambda: found.append(replay("r", plan, events)))
    thread.start()
    thread.join()
    return found[0]


class AnsweringWriter:
    """Has an answer to the open gate of a run written just before what says that the run waits for it."""

    def __init__(self, journal, run_id):
        self._inner, self._journal, self._run_id = journal.writer, journal, run_id

    def submit(self, work):
        rests = isinstance(work, Append) and any(draft.kind == "run.waiting" for draft in work.drafts)
        if rests and work.run_id == self._run_id:
            (gate,) = [one for one in self._journal.gates.of(self._run_id) if one.status == "open"]
            made = decision(gate.request, Answer(by="ann", response="yes"), at=gate.opened_at)
            self._inner.submit(decide(gate.id, made, at=gate.opened_at, expired=expired))
        return self._inner.submit(work)

    def __getattr__(self, name):
        return getattr(self._inner, name)


@simulated
async def test_an_answer_that_comes_while_a_child_is_being_let_go_of_is_not_lost():
    asks = Plan(workflow="inner", root=chain(Gate(name="ok", prompt="Go on?"), call("x")))
    world = World()
    run_id = await world.engine.start(parent(child(), inner=asks), {})
    world.journal.writer = AnsweringWriter(world.journal, child_id(run_id, "/sub"))
    result = await world.engine.drive(run_id)
    assert result.status == "completed"
    await world.close()


@simulated
async def test_a_cancelled_parent_stops_its_child_or_abandons_it():
    for policy, status in (("cancel", "cancelled"), ("abandon", "completed")):
        world = World(ScriptedPerformer({"/y": Trouble(seconds=5)}))
        run_id = await world.engine.start(parent(child(on_cancel=policy)), {})
        drive = asyncio.ensure_future(world.engine.drive(run_id))
        await soon(1)
        await world.engine.cancel(run_id, reason="enough")
        assert (await drive).status == "cancelled"
        await soon(10)
        assert world.journal.runs.get(child_id(run_id, "/sub")).status == status
        await world.close()


@simulated
async def test_a_process_that_leaves_leaves_parent_and_child_resumable():
    world = World(ScriptedPerformer({"/y": Trouble(seconds=5)}))
    run_id = await world.engine.start(parent(child()), {})
    drive = asyncio.ensure_future(world.engine.drive(run_id))
    await soon(1)
    drive.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drive
    inner = world.journal.runs.get(child_id(run_id, "/sub"))
    assert (inner.status, inner.driven) == ("waiting", False)
    assert (await world.engine.drive(run_id)).status == "completed"
    assert world.performer.started["/x"] == 1
    await world.close()


@simulated
async def test_a_waiting_child_is_cancelled_with_its_parent_and_with_the_branch_that_lost():
    world = World(ScriptedPerformer({"/race/quick": Trouble(seconds=1)}))
    waiting = await world.run(parent(child(), inner=ASKING))
    await world.engine.cancel(waiting.run_id)
    assert world.journal.runs.get(child_id(waiting.run_id, "/sub")).status == "cancelled"
    race = parent(fan(child(), call("quick"), name="race", join=Join(policy="first")), inner=ASKING)
    won = await world.run(race)
    assert won.status == "completed"
    assert world.journal.runs.get(child_id(won.run_id, "/race/sub")).status == "cancelled"
    await world.close()


@pytest.mark.parametrize(("policy", "status"), [("cancel", "cancelled"), ("abandon", "waiting")])
@simulated
async def test_a_child_is_stopped_also_when_the_time_of_its_branch_was_over_before_anybody_went_on(policy, status):
    inner = Plan(workflow="inner", root=chain(Wait(name="w", seconds="7200"), call("x")))
    limit = Block(name="limit", body=chain(child(on_cancel=policy)), timeout_s=100)
    world = World(near_s=20)
    waiting = await world.run(parent(limit, inner=inner))
    assert waiting.status == "waiting"
    await soon(200)
    assert (await world.resume(waiting.run_id)).error.code == "timeout"
    assert world.journal.runs.get(child_id(waiting.run_id, "/limit/sub")).status == status
    await world.close()


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_death_at_every_append_of_parent_or_child_changes_nothing(when):
    plan = parent(call("a"), fan(child("one"), child("two"), name="f"), call("b"), value={"f": "last_response"})

    async def once(at: int):
        world = World()
        world.journal.writer = writer = CrashingWriter(world.journal, at=at, when=when)
        try:
            result = await world.run(plan)
        except Crash:
            result = None
        bury(world.engine, world.journal)
        tops = world.journal.runs.list(children=False)
        if result is None and tops and not tops[0].ended:
            engine = world.new_engine()
            result = await engine.drive(tops[0].id)
            await engine.close()
        runs = world.journal.runs.list()
        facts = [(run.workflow, run.status, world.journal.verify(run.id).intact) for run in runs]
        starts = dict(world.performer.started)
        events = [(run.plan_hash, world.journal.events(run.id)) for run in runs]
        world.journal.close()
        return result, sorted(facts), starts, writer.fired, events

    whole = simulate(lambda: once(0))
    assert whole[0].status == "completed"
    at = 0
    while True:
        at += 1
        result, facts, starts, fired, events = simulate(lambda: once(at))
        if not fired:
            break
        if not facts:
            assert (at, when) == (1, "before")
            continue
        assert facts == whole[1]
        assert all(starts[path] <= 2 * whole[2][path] for path in starts), (at, starts)
        for hash_, one in events:
            assert replay("r", plan if hash_ == plan_hash(plan) else INNER, one).difference is None
    assert at > 15
    assert fold(whole[4][-1][1]).status == "completed"
