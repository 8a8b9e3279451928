"""A process that others may have taken for dead does nothing that must not happen twice: frozen, cut off, or not turning."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from tests.faults.cable import cable
from tests.faults.crew import STEPS, check_all, epoch, queued, until
from tests.faults.processes import line
from tests.faults.relay import Relay
from tests.faults.test_processes import check_effects, effects
from tests.waiting import promised
from weft.plan.nodes import Call, Map, Plan

pytestmark = pytest.mark.slow


def crowd(count):
    """So many acts, all announced at once; a process of one slot does one after the other."""
    act = Call(name="act", performer="tool", target="once", effect="once")
    return Plan(workflow="crowd", root=Map(name="m", items=str(list(range(count))), body=act, max_parallel=count))


@pytest.fixture
def relay(postgres):
    made = Relay(postgres)
    yield made
    made.close()


@pytest.fixture
def wire(postgres):
    made = cable(postgres, 1)
    yield made
    made.mend()
    made.close()


@pytest.mark.parametrize("effect", ["reconcile", "once"])
async def test_a_process_that_is_frozen_between_saying_that_it_acts_and_acting_does_not_act_when_it_wakes(
    tmp_path, journal, crew, relay, effect
):
    one = crew(JOURNAL=relay.url)
    relay.keep_back(f"/a{effect}".encode())
    (run_id,) = await queued(journal)
    # That it begins is durable; nobody has told it so yet.
    assert relay.kept.wait(30)
    one.send_signal(signal.SIGSTOP)
    relay.give()
    two = crew()
    until(lambda: journal.runs.get(run_id).ended)
    two.send_signal(signal.SIGTERM)
    two.wait(30)
    one.send_signal(signal.SIGCONT)
    # What it would do in the first run it does before it drives another one.
    (second,) = await queued(journal)
    until(lambda: journal.runs.get(second).ended)
    check_all(journal, tmp_path, [run_id, second], lives=2)
    assert epoch(journal, run_id) > 1 == epoch(journal, second)


async def test_a_process_that_is_cut_off_from_the_database_stops_acting_before_another_one_goes_on(
    tmp_path, journal, crew, wire
):
    one = wire.spawn(tmp_path, "serve", CONCURRENCY="1", STEP_S="0.15")
    assert line(one) == "ready"
    # More than it does while the other one starts, which comes only now: else that one might take the run.
    (run_id,) = await queued(journal, plan=crowd(60))
    until(lambda: effects(tmp_path))
    two = crew(STEP_S="0.001")
    wire.cut()
    assert until(lambda: epoch(journal, run_id) > 1) < promised(3.0)
    until(lambda: journal.runs.get(run_id).ended)
    two.send_signal(signal.SIGTERM)
    two.wait(30)
    wire.mend()
    (second,) = await queued(journal, plan=crowd(2))
    until(lambda: journal.runs.get(second).ended)
    for each in (run_id, second):
        assert journal.runs.get(each).status == "completed"
        assert journal.verify(each).intact
    times = Counter(key for _, key, _ in effects(tmp_path))
    # The one act that was under way when the line was cut comes late if its process first waited for an answer from the database.
    assert (len(times), times.total() - 62 in {0, 1}) == (62, True)
    one.kill()
    one.communicate()


async def test_a_process_that_does_not_turn_any_more_is_given_up_and_its_keys_hold_when_it_does(
    tmp_path, journal, crew
):
    one = crew(STUCK="/aidempotent")
    (run_id,) = await queued(journal)
    until(lambda: epoch(journal, run_id) == 1)
    two = crew()
    assert until(lambda: epoch(journal, run_id) == 2) < promised(6.0)
    until(lambda: journal.runs.get(run_id).ended)
    two.send_signal(signal.SIGTERM)
    two.wait(30)
    (second,) = await queued(journal, plan=crowd(2))
    until(lambda: journal.runs.get(second).ended)
    assert one.poll() is None
    check_effects(tmp_path, lives=2)
    assert journal.verify(run_id).intact
    touched = Counter(path for _, _, path in effects(tmp_path))
    assert touched["/aidempotent"] == 2
    assert len({key for _, key, _ in effects(tmp_path)}) == STEPS + 2
