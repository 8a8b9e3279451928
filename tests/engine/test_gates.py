"""Gates: a person decides once, whenever and from wherever, and the run goes on from there."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.world import LateWriter, World, as_plan, call, chain, fan, simulated
from weft.core.errors import ConflictError, InputError, NotFoundError, PolicyError, StorageError
from weft.engine.questions import Answer
from weft.engine.replay import replay
from weft.engine.why import wake_sources
from weft.plan.nodes import Arrow, Block, Branch, Choose, Gate, Join, Loop, Machine, Map, Select, Set, State, Wait
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import simulate

YES = Answer(by="ada", verdict="approve")
NO = Answer(by="ada", verdict="reject", why="too dear")


def gate(name="ok", **how):
    return Gate(name=name, prompt=how.pop("prompt", "Go on?"), **how)


def shop(**how):
    return chain(call("draft"), gate(**how), call("send"))


async def waiting(world, plan, scope=None):
    result = await world.run(plan, scope)
    assert result.status == "waiting", result
    return result.run_id


async def answered(world, plan, *answers, scope=None):
    """Run to the gate, give each answer, and drive on."""
    run_id = await waiting(world, plan, scope)
    for answer in answers:
        await world.engine.decide(run_id, None, answer)
    return run_id, await world.engine.drive(run_id)


@simulated
async def test_a_run_waits_at_a_gate_and_goes_on_with_the_answer():
    world = World()
    plan = chain(
        Set(name="s", values={"price": "12"}), gate(prompt="Pay {{ price }}?", show="of {{ who }}"), call("pay")
    )
    run_id = await waiting(world, plan, {"who": "bob"})
    row = world.journal.gates.of(run_id)[0]
    assert (row.request["prompt"], row.request["show"], row.status) == ("Pay 12?", "of bob", "open")
    assert world.journal.runs.get(run_id).status == "waiting"
    assert not world.journal.runs.get(run_id).driven
    await world.engine.decide(run_id, None, Answer(by="ada", response="sure", why="it is cheap"))
    result = await world.engine.drive(run_id)
    assert result.status == "completed"
    (made,) = world.data(run_id, "gate.decided", "/ok")
    assert (made["by"], made["why"], made["response"], made["saw"]) == (
        "ada", "it is cheap", "sure", row.request["shown"],
    )  # fmt: skip
    (value,) = world.data(run_id, "step.completed", "/ok")
    assert value["value"]["prompt"] == "Pay 12?"
    assert world.journal.gates.of(run_id)[0].status == "decided"
    await world.close()


@simulated
async def test_a_rejection_fails_the_run_unless_it_is_to_go_on():
    world = World()
    _, result = await answered(world, shop(), NO)
    assert (result.status, result.error.code) == ("failed", "rejected")
    assert "ada rejected it: too dear" in result.error.message
    run_id, result = await answered(world, shop(on_reject="continue", into="said"), NO)
    assert result.status == "completed"
    assert world.data(run_id, "step.completed", "/ok")[0]["value"]["response"] == "reject"
    await world.close()


@simulated
async def test_a_rejected_run_that_is_opened_again_asks_again():
    world = World()
    run_id, _ = await answered(world, shop(), NO)
    assert (await world.engine.drive(run_id, reopen=True)).status == "waiting"
    first, second = world.journal.gates.of(run_id)
    assert (first.status, second.status) == ("decided", "open")
    assert first.id != second.id
    await world.engine.decide(run_id, "/ok", YES)
    assert (await world.engine.drive(run_id)).status == "completed"
    await world.close()


@simulated
async def test_choices_and_forms_are_held_to():
    world = World()
    form = {"type": "object", "properties": {"days": {"type": "integer", "minimum": 1}}, "required": ["days"]}
    run_id = await waiting(world, shop(choices=("ship", "hold"), form=form))
    for wrong in (
        Answer(by="ada"),
        Answer(by="ada", choice="burn"),
        Answer(by="ada", choice="ship"),
        Answer(by="ada", choice="ship", values={"days": 0}),
        Answer(by="ada", choice="ship", values={"days": "soon"}),
        Answer(by="ada", verdict="reject", values={"days": 1}),
    ):
        with pytest.raises(InputError):
            await world.engine.decide(run_id, None, wrong)
    await world.engine.decide(run_id, None, Answer(by="ada", choice="Ship", values={"days": 2}))
    await world.engine.drive(run_id)
    value = world.data(run_id, "step.completed", "/ok")[0]["value"]
    assert (value["choice"], value["response"], value["values"]) == ("ship", "ship", {"days": 2})
    await world.close()


@simulated
async def test_only_those_who_are_asked_may_answer_and_others_once_it_escalates():
    world = World()
    run_id = await waiting(world, shop(assignees=("ada",), escalate_s=60, escalate_to=("eve",), warn_s=30))
    with pytest.raises(PolicyError, match="'eve' is not asked"):
        await world.engine.decide(run_id, None, Answer(by="eve", response="ok"))
    run = world.journal.runs.get(run_id)
    assert run.due == world.journal.gates.of(run_id)[0].opened_at + 30_000_000
    await asyncio.sleep(61)
    assert [run.id for run in world.journal.runs.due(world.engine._clock.micros())] == [run_id]
    assert (await world.engine.drive(run_id)).status == "waiting"
    assert world.kinds(run_id, "/ok") == ["gate.opened", "gate.warned", "gate.escalated"]
    assert world.journal.runs.get(run_id).due is None
    await world.engine.decide(run_id, None, Answer(by="eve", response="ok"))
    assert (await world.engine.drive(run_id)).status == "completed"
    await world.close()


@simulated
async def test_the_first_answer_wins_the_same_again_is_harmless_and_a_late_one_is_told():
    world = World()
    run_id = await waiting(world, shop())
    assert not (await world.engine.decide(run_id, None, YES)).repeated
    assert (await world.engine.decide(run_id, None, YES)).repeated
    with pytest.raises(ConflictError, match="decided already: 'approve' by ada at 20") as caught:
        await world.engine.decide(run_id, None, NO)
    assert caught.value.ids["decision"]["response"] == "approve"
    with pytest.raises(ConflictError):
        await world.engine.decide(run_id, None, Answer(by="bob", verdict="approve"))
    assert (await world.engine.drive(run_id)).status == "completed"
    assert (await world.engine.decide(run_id, None, YES)).repeated
    with pytest.raises(NotFoundError):
        await world.engine.decide(run_id, "nowhere", YES)
    await world.close()


@simulated
async def test_a_text_is_held_to_its_pattern_and_named_in_the_scope():
    world = World()
    plan = chain(gate(pattern="[a-z]+-[0-9]", into="code"), Set(name="s", values={"said": "code"}))
    run_id = await waiting(world, plan)
    for wrong in ("shop", "shop-12", "shop-1" + "1" * 5_000):
        with pytest.raises(InputError, match="form that is asked for"):
            await world.engine.decide(run_id, None, Answer(by="ada", response=wrong))
    await world.engine.decide(run_id, None, Answer(by="ada", response="shop-1"))
    assert (await world.engine.drive(run_id)).outputs["value"] == {"said": "shop-1"}
    await world.close()


@simulated
async def test_whoever_saw_something_else_is_told():
    world = World()
    run_id = await waiting(world, shop())
    with pytest.raises(ConflictError, match="what was shown"):
        await world.engine.decide(run_id, None, Answer(by="ada", response="ok", saw="0" * 64))
    await world.close()


@pytest.mark.parametrize("drives", [True, False])
@simulated
@pytest.mark.slow
async def test_a_deadline_is_an_answer_also_when_nobody_drove_then(drives):
    world = World()
    run_id = await waiting(world, shop(deadline_s=300, default="timeout_expired"))
    assert world.journal.runs.get(run_id).due
    await asyncio.sleep(301)
    if not drives:
        with pytest.raises(ConflictError, match="'timeout_expired' by its deadline"):
            await world.engine.decide(run_id, None, YES)
    assert (await world.engine.drive(run_id)).status == "completed"
    value = world.data(run_id, "step.completed", "/ok")[0]["value"]
    assert (value["response"], value["by"]) == ("timeout_expired", None)
    assert world.journal.gates.of(run_id)[0].status == "expired"
    await world.close()


@simulated
async def test_without_a_default_a_deadline_fails_the_gate_and_is_not_retried():
    world = World()
    run_id = await waiting(world, shop(deadline_s=10))
    await asyncio.sleep(11)
    result = await world.engine.drive(run_id)
    assert (result.status, result.error.code) == ("failed", "timeout")
    assert world.kinds(run_id, "/ok") == ["gate.opened", "gate.decided", "step.failed"]
    await world.close()


@simulated
async def test_while_siblings_work_an_answer_is_taken_at_once():
    world = World(ScriptedPerformer({"/g/slow": Trouble(seconds=100)}))
    plan = chain(fan(call("slow"), chain(gate(), call("after"), name="b"), name="g"))
    run_id = await world.engine.start(as_plan(plan), {})
    task = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(10)
    assert world.journal.runs.get(run_id).driven
    (source,) = [one for one in wake_sources(world.journal.runs.get(run_id), world.state(run_id)) if one.kind == "gate"]
    assert source.path == "/g/b/ok"
    assert f"weft approve {run_id} /g/b/ok" in source.fix
    await world.engine.decide(run_id, None, YES)
    await asyncio.sleep(0.2)
    assert "step.completed" in world.kinds(run_id, "/g/b/after")
    assert not task.done()
    assert (await task).status == "completed"
    await world.close()


@simulated
async def test_an_answer_from_another_process_reaches_the_drive_through_the_bell():
    world = World(ScriptedPerformer({"/g/slow": Trouble(seconds=100)}))
    run_id = await world.engine.start(as_plan(chain(fan(call("slow"), gate(), name="g"))), {})
    task = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(10)
    other = world.new_engine()
    await other.decide(run_id, "ok", YES)
    await asyncio.sleep(0.1)
    assert world.kinds(run_id, "/g/ok")[-1] == "step.completed"
    assert (await task).status == "completed"
    await world.close()


@simulated
async def test_several_gates_open_at_once_and_are_named():
    world = World()
    run_id = await waiting(world, chain(fan(gate("a"), gate("b"), name="g")))
    assert [gate.path for gate in world.journal.gates.of(run_id)] == ["/g/a", "/g/b"]
    with pytest.raises(InputError, match="/g/a, /g/b"):
        await world.engine.decide(run_id, None, YES)
    await world.engine.decide(run_id, "b", YES)
    result = await world.engine.drive(run_id)
    assert [wait["path"] for wait in result.waits] == ["/g/a"]
    await world.engine.decide(run_id, None, YES)
    assert (await world.engine.drive(run_id)).status == "completed"
    await world.close()


PLACES = {
    "sequence": chain(gate(), name="s"),
    "branch": fan(chain(gate(), call("x"), name="b"), call("y"), name="g"),
    "loop": Loop(name="l", body=chain(gate(), name=""), until="iteration >= 1", max_iterations=3),
    "map": Map(name="m", items="['a', 'b']", key="item", body=chain(gate(), name="")),
    "choose": Choose(name="c", branches=(Branch(when="true", node=gate()),)),
    "machine": Machine(
        name="m",
        start="a",
        states=(State(name="a", body=gate(), exits=((Arrow(to="b"),),)), State(name="b", body=gate(), final=True)),
    ),
    "select": Select(name="s", children=(Block(name="t", body=gate(), ends="inverted"), gate("other"))),
    "block": Block(name="k", body=gate(), timeout_s=100_000),
    "inner graph": Loop(name="l", body=fan(gate("a"), gate("b"), name="g"), until="true", max_iterations=1),
}


async def through(place, world):
    """Run through every gate of a place, each answer met by a new process."""
    result = await world.run(chain(call("first"), PLACES[place], call("last")))
    for _ in range(8):
        if result.status != "waiting":
            break
        open_ = [gate for gate in world.journal.gates.of(result.run_id) if gate.status == "open"]
        assert {wait["gate"] for wait in result.waits if wait["kind"] == "gate"} == {gate.id for gate in open_}
        await world.engine.decide(result.run_id, open_[0].path, YES)
        world.engine.forsake()
        result = await world.resume(result.run_id)
    assert result.status == "completed"
    return result.run_id


@pytest.mark.parametrize("place", PLACES)
@simulated
async def test_gates_stand_in_every_place_and_each_wake_is_of_a_new_process(place):
    world = World()
    run_id = await through(place, world)
    assert all(count == 1 for count in world.performer.effects.values())
    assert {gate.status for gate in world.journal.gates.of(run_id)} == {"decided"}
    assert world.journal.verify(run_id).intact
    await world.close()


@pytest.mark.parametrize("place", ["sequence", "branch", "map", "choose", "block", "select"])
def test_a_run_with_gates_replays(place):
    async def main():
        world = World()
        run_id = await through(place, world)
        events = world.journal.events(run_id)
        await world.close()
        return run_id, events

    run_id, events = simulate(main)
    replay(run_id, as_plan(chain(call("first"), PLACES[place], call("last"))), events).demand()


@simulated
async def test_a_time_limit_that_runs_out_beside_a_gate_takes_the_question_back():
    world = World(near_s=60)
    both = fan(gate(), Wait(name="w", seconds="500"))
    run_id = await waiting(world, chain(Block(name="k", body=both, timeout_s=100), call("x")))
    gate_ = world.journal.gates.of(run_id)[0]
    assert world.journal.runs.get(run_id).due == pytest.approx(gate_.opened_at + 100_000_000, abs=10)
    await asyncio.sleep(101)
    result = await world.engine.drive(run_id)
    assert (result.status, result.error.code) == ("failed", "timeout")
    assert world.journal.gates.of(run_id)[0].status == "withdrawn"
    with pytest.raises(ConflictError, match="nobody is asked any more"):
        await world.engine.decide(run_id, None, YES)
    await world.close()


@simulated
async def test_a_join_that_has_enough_takes_the_question_back():
    world = World()
    plan = chain(fan(gate(), call("x"), name="g", join=Join(policy="first")), gate("next"))
    run_id = await waiting(world, plan)
    assert [(gate.path, gate.status) for gate in world.journal.gates.of(run_id)] == [
        ("/g/ok", "withdrawn"),
        ("/next", "open"),
    ]
    assert world.state(run_id).gates.keys() == {"/next"}
    await world.close()


@simulated
async def test_a_cancelled_run_asks_nobody():
    world = World()
    run_id = await waiting(world, shop())
    await world.engine.cancel(run_id)
    assert world.journal.gates.of(run_id)[0].status == "withdrawn"
    with pytest.raises(ConflictError, match="the run has ended"):
        await world.engine.decide(run_id, None, YES)
    await world.close()


@simulated
async def test_a_form_that_is_no_schema_fails_the_gate():
    world = World()
    result = await world.run(shop(form={"type": "nonsense"}))
    assert (result.status, result.error.code) == ("failed", "input")
    await world.close()


@simulated
@pytest.mark.slow
async def test_far_timers_let_go_of_the_run_and_near_ones_do_not():
    world = World(near_s=60)
    assert (await world.run(chain(Wait(name="w", seconds="59")))).status == "completed"
    run_id = await waiting(
        world, chain(fan(Wait(name="far", seconds="300"), Wait(name="near", seconds="30"), name="g"))
    )
    assert world.state(run_id).outcomes.keys() == {"/g/near"}
    (due,) = [wait["due"] for wait in world.journal.runs.get(run_id).waits]
    assert world.journal.runs.get(run_id).due == due
    assert world.journal.runs.next_due() == due
    assert world.journal.runs.due(due - 1) == []
    await asyncio.sleep(300)
    assert [run.id for run in world.journal.runs.due(due)] == [run_id]
    assert (await world.engine.drive(run_id)).status == "completed"
    await world.close()


@simulated
async def test_what_is_asked_is_bounded_and_what_is_secret_is_masked():
    world = World()
    world.engine = world.new_engine(
        mask=lambda _run, _path, value: {**value, "prompt": value["prompt"].replace("hunter2", "***")}
    )
    run_id = await waiting(world, shop(prompt="hunter2 {{ 'x' * 300000 }}"))
    prompt = world.journal.gates.of(run_id)[0].request["prompt"]
    assert prompt.startswith("*** xxx")
    assert prompt.endswith("[cut here: the first 200000 of 300008 characters]")
    await world.close()


@simulated
async def test_what_is_no_pattern_is_no_pattern_of_a_gate():
    world = World()
    result = await world.run(chain(gate(pattern="(a+", into="code")))
    assert result.status == "failed"
    assert "is no regular expression" in result.error.message
    await world.close()


class LateWarning(LateWriter):
    """Says late that the warning about a gate is written, and at once what else is."""

    late_s = 0.3

    def submit(self, work):
        if any(draft.kind == "gate.warned" for draft in getattr(work, "drafts", ())):
            return super().submit(work)
        return self._inner.submit(work)


@simulated
async def test_an_answer_that_comes_while_a_warning_is_being_written_is_taken_at_once():
    world = World(ScriptedPerformer({"/long": Trouble(seconds=100)}))
    asks = chain(Gate(name="ok", prompt="Go on?", warn_s=30), call("after"), name="asks")
    run_id = await world.engine.start(as_plan(fan(asks, call("long"), name="all")), {})
    world.journal.writer = LateWarning(world.journal, at=0, when="after")
    driving = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(30.05)
    await world.engine.decide(run_id, None, Answer(by="ada", verdict="approve"))
    await asyncio.sleep(1)
    assert "gate.decided" in world.kinds(run_id)
    assert (await driving).status == "completed"
    await world.close()


class Mute:
    """A bell that can be heard and not be rung."""

    def __init__(self, bell):
        self._bell = bell

    def ring(self):
        raise StorageError("cannot write the bell")

    def heard(self):
        return self._bell.heard()


@simulated
async def test_an_answer_is_taken_at_once_by_the_engine_that_was_given_it_though_no_other_one_can_be_told():
    world = World(ScriptedPerformer({"/long": Trouble(seconds=100)}))
    run_id = await world.engine.start(as_plan(fan(chain(gate(), name="asks"), call("long"), name="all")), {})
    driving = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(1)
    world.journal.inbox._bell = Mute(world.journal.inbox._bell)
    with pytest.raises(StorageError):
        await world.engine.decide(run_id, None, YES)
    await asyncio.sleep(1)
    assert "gate.decided" in world.kinds(run_id)
    assert (await driving).status == "completed"
    await world.close()
