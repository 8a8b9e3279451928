"""The row of a run says what its events say, at every moment of its life; whatever is changed by hand in it is named."""

import json
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.plans import Case, cases
from tests.engine.world import Doing, World, as_plan, call, chain, simulated
from tests.examples import examples
from weft.core.canonical import dumps
from weft.core.errors import MismatchError, ToolError
from weft.core.owner import Owner
from weft.core.usage import Usage
from weft.engine.fork import Changes, Forks
from weft.engine.port import Done
from weft.engine.proof import proof
from weft.engine.questions import Answer
from weft.plan.nodes import Child, Gate, Plan, Wait
from weft.store.append import Append, Draft, NewRun
from weft.store.removal import removal
from weft.testing.scripted import ScriptedPerformer
from weft.testing.simulation import SimulatedClock, simulate

RELAXED = settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
TEXT = "of looms and of the people who work at them " * 3
INNER = Plan(workflow="inner", root=chain(call("x"), call("y")))
PLAN = Plan(
    workflow="outer", root=chain(call("a"), Child(name="sub", plan="inner"), call("b")), children={"inner": INNER}
)
ASKS = as_plan(chain(call("a"), Gate(name="ok", prompt="Go on?"), call("b")))
NAPS = as_plan(chain(Wait(name="nap", seconds="90000"), call("b")))
FAILS = as_plan(chain(call("a"), call("bad"), call("b")))
OWNER = Owner("acme", "ada", "talk")


class Ups:
    """A performer that fails at `bad` until it is mended."""

    def __init__(self):
        self.mended = False
        self.performer = Doing(self.perform)

    async def perform(self, step, scope, context):
        del scope, context
        if step.name == "bad" and not self.mended:
            raise ToolError("it is broken")
        return Done({"response": TEXT, "n": 1}, Usage(requests=1, input_tokens=3))


def proved(world):
    """Every run of a world with its proof."""
    with world.journal.database.reading() as connection:
        ids = [run_id for (run_id,) in connection.execute("SELECT id FROM runs ORDER BY id").fetchall()]
    return {run_id: proof(world.journal, run_id) for run_id in ids}


def all_fit(world):
    for run_id, verdict in proved(world).items():
        assert verdict.intact, (run_id, verdict)
        assert verdict.unproven == (), (run_id, verdict)


def change(world, sql, *given_):
    world.journal.writer.call(lambda connection: connection.execute(sql, given_))


async def lives(world, ups):
    """Runs of all kinds: their ids by what they are."""
    start, drive, engine = world.engine.start, world.engine.drive, world.engine
    found = {
        "completed": await start(
            PLAN, {"topic": "tide", "inputs": {"topic": "tide"}}, inputs={"topic": "tide"}, owner=OWNER
        )
    }
    await drive(found["completed"])
    (child,) = world.journal.runs.children(found["completed"])
    found["child"] = child.id
    found["failed"] = await start(FAILS, {"topic": "rain"}, options={"out": "x"})
    await drive(found["failed"])
    found["again"] = await start(FAILS, {})
    await drive(found["again"])
    ups.mended = True
    await drive(found["again"], reopen=True)
    for name, plan in (("asks", ASKS), ("decided", ASKS), ("cancelled", ASKS), ("naps", NAPS)):
        found[name] = await start(plan, {"topic": "fog"}, owner=OWNER)
        await drive(found[name])
    await engine.decide(found["decided"], None, Answer(by="ada", verdict="approve"))
    await engine.cancel(found["cancelled"], reason="enough")
    found["queued"] = await start(PLAN, {"topic": "dew"}, inputs={"other": 1}, queued=True, owner=OWNER)
    forks = Forks(world.journal, SimulatedClock(), new_id=world.entropy.new_id)
    found["fork"] = await forks.fork(found["completed"], 4, Changes(scope={"topic": "ebb"}), options={"out": "y"})
    await drive(found["fork"])
    found["fork of fork"] = await forks.fork(found["fork"], 6)
    found["fork before it"] = await forks.fork(found["fork"], 3)
    world.journal.writer.call(world.journal.forks.promote(found["fork"], at=5))
    return found


async def made():
    ups = Ups()
    world = World(ups.performer)
    return world, await lives(world, ups)


@simulated
async def test_runs_of_all_kinds_fit_their_events():
    world, runs = await made()
    all_fit(world)
    assert world.journal.runs.get(runs["fork before it"]).options == {}, "its past is that of the first run"
    assert world.journal.runs.get(runs["fork of fork"]).inputs == {"topic": "ebb"}
    await world.close()


CHANGES = {
    "status": ["completed", "failed", "waiting", "queued", "running", "stalled"],
    "workflow": ["other"],
    "plan_hash": ["0" * 64],
    "principal": ["eve"],
    "session": ["elsewhere"],
    "tenant": ["globex"],
    "parent": ["somebody"],
    "inputs": ['{"topic":"forged"}', "{}", "nonsense", "[]"],
    "options": ['{"out":"/etc"}', "nonsense"],
    "outputs": ['{"response":"forged"}', None, "nonsense"],
    "error": ['{"code":"io"}', None, "7x"],
    "usage": ['{"input_tokens":9000}', None, "x", "[1]"],
    "waits": ['[{"kind":"gate","path":"/elsewhere"}]', None, "nonsense"],
    "epoch": [-1],
    "generation": [7],
    "created_at": [1],
    "updated_at": [1],
    "ended_at": [1, None],
}


def means(column, value):
    """What a column says, whatever the text is that says it."""
    if column not in {"inputs", "options", "outputs", "error", "usage", "waits"} or value is None:
        return value
    try:
        return (json.loads(value) or None) if column in {"usage", "waits"} else json.loads(value)
    except ValueError:
        return value


@pytest.mark.slow
@pytest.mark.parametrize("column", CHANGES)
@simulated
async def test_a_field_that_was_changed_by_hand_is_named_in_every_run(column):
    world, runs = await made()
    noticed = 0
    for run_id in runs.values():
        with world.journal.database.reading() as connection:
            (old,) = connection.execute(f"SELECT {column} FROM runs WHERE id=?", (run_id,)).fetchone()
        said = world.journal.row(run_id).columns[column]
        for value in CHANGES[column]:
            if means(column, value) == (said or None if column in {"usage", "waits"} else said):
                continue
            change(world, f"UPDATE runs SET {column}=? WHERE id=?", value, run_id)
            verdict = proof(world.journal, run_id)
            assert not verdict.intact, (column, value, old)
            assert column in {flaw.field for flaw in verdict.row} or verdict.bad_seq, (column, value, verdict)
            noticed += 1
            change(world, f"UPDATE runs SET {column}=? WHERE id=?", old, run_id)
    assert noticed >= len(runs) // 2
    all_fit(world)
    await world.close()


@simulated
async def test_a_flaw_says_where_what_and_which_event_says_otherwise():
    world, runs = await made()
    run_id = runs["fork"]
    change(world, "UPDATE runs SET inputs=? WHERE id=?", '{"topic":"tide"}', run_id)
    (flaw,) = proof(world.journal, run_id).row
    assert (flaw.field, flaw.at, flaw.stored, flaw.told) == ("inputs", "/topic", "tide", "ebb")
    assert (flaw.kind, str(flaw)) == ("run.forked", "inputs at /topic is tide, event 5 (run.forked) says ebb")
    change(world, "UPDATE runs SET outputs=NULL WHERE id=?", runs["completed"])
    (flaw,) = proof(world.journal, runs["completed"]).row
    assert (flaw.field, flaw.stored, flaw.kind) == ("outputs", "null", "run.completed")
    assert flaw.told.startswith('{"response":"of looms')
    assert len(flaw.told) <= 201
    await world.close()


@simulated
async def test_when_a_waiting_run_is_due_may_come_nearer_and_never_be_put_off():
    world, runs = await made()
    due = world.journal.runs.get(runs["naps"]).due
    for value, fits in ((due - 5, True), (due + 5, False), (None, False), (due, True)):
        change(world, "UPDATE runs SET due=? WHERE id=?", value, runs["naps"])
        assert proof(world.journal, runs["naps"]).intact is fits
    await world.close()


@simulated
async def test_a_plan_that_was_changed_or_removed_is_named():
    world, runs = await made()
    change(world, "UPDATE plans SET body=?", b'{"forged":1}')
    assert {flaw.field for flaw in proof(world.journal, runs["naps"]).row} == {"plan"}
    change(world, "DELETE FROM plans")
    assert "plan is not there" in str(proof(world.journal, runs["naps"]).row[0])
    await world.close()


@simulated
async def test_a_run_whose_row_names_another_plan_does_not_go_on():
    world, runs = await made()
    other = world.journal.row(runs["naps"]).columns["plan_hash"]
    change(world, "UPDATE runs SET plan_hash=? WHERE id=?", other, runs["asks"])
    with pytest.raises(MismatchError, match="names the plan"):
        await world.resume(runs["asks"])
    assert world.journal.runs.get(runs["asks"]).status == "waiting"
    await world.close()


@simulated
async def test_what_was_erased_proves_nothing_and_is_no_alarm():
    world, runs = await made()
    for run_id in runs.values():
        erased = "UPDATE events SET commitment=?, data=NULL, blob=NULL, salt=NULL WHERE run_id=? AND seq=?"
        for seq, committed in commitments(world, run_id):
            change(world, erased, committed, run_id, seq)
        verdict = proof(world.journal, run_id)
        assert verdict.intact, verdict
        assert {"inputs", "usage"} <= set(verdict.unproven)
    change(world, "UPDATE runs SET status='completed' WHERE id=?", runs["failed"])
    assert [flaw.field for flaw in proof(world.journal, runs["failed"]).row] == ["status"]
    await world.close()


def commitments(world, run_id):
    with world.journal.database.reading() as connection:
        rows = connection.execute(
            "SELECT seq, salt, data, commitment FROM events WHERE run_id=? AND data IS NOT NULL", (run_id,)
        ).fetchall()
    return [(seq, kept or sha256(bytes(salt) + bytes(data)).digest()) for seq, salt, data, kept in rows]


@simulated
async def test_runs_of_an_older_weft_say_not_whose_they_are_and_that_is_said():
    world, runs = await made()
    # What was written before has no owner in it.
    data = {"workflow": "w", "plan_hash": world.journal.runs.get(runs["naps"]).plan_hash, "scope": {}, "options": {}}
    new = NewRun(id="old", workflow="w", plan_hash=data["plan_hash"], plan=None, inputs="{}", options="{}")
    await world.journal.append(Append("old", 0, [Draft(1, "run.created", "", dumps(data))], create=new))
    verdict = proof(world.journal, "old")
    assert verdict.intact
    assert verdict.unproven == ("principal", "session", "tenant")
    await world.close()


@simulated
async def test_a_run_that_was_removed_takes_nothing_with_it_that_others_need():
    world, runs = await made()
    world.journal.writer.call(removal(runs["failed"]))
    all_fit(world)
    await world.close()


class Proving:
    """A writer after each of whose appends every row fits."""

    def __init__(self, world):
        self.world, self.inner = world, world.journal.writer
        world.journal.writer = self
        self.looks = 0

    def submit(self, work):
        told = self.inner.submit(work)
        all_fit(self.world)
        self.looks += 1
        return told

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.mark.slow
@RELAXED
@given(cases(), st.integers(0, 2**16))
def test_a_row_fits_its_events_after_every_append(case: Case, seed: int) -> None:
    async def main():
        world = World(ScriptedPerformer(case.troubles), seed=seed)
        writer = Proving(world)
        result = await world.run(case.plan, {"topic": "tide"})
        if result.status == "failed":
            await world.resume(result.run_id, reopen=True)
        fork = Forks(world.journal, SimulatedClock(), new_id=world.entropy.new_id)
        await world.resume(await fork.fork(result.run_id, 1 + seed % world.journal.runs.get(result.run_id).head_seq))
        assert writer.looks
        await world.close()

    simulate(main)
