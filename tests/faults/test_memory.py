"""A step takes more memory than there is: it fails, or takes its process with it, and the runs go on."""

from __future__ import annotations

import signal
import time
from collections import Counter

import pytest

from tests.faults.crew import check_all, epoch, queued, until
from tests.faults.memory import bounded
from tests.faults.test_fencing import crowd
from tests.faults.test_processes import effects
from tests.waiting import promised

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("effect", ["idempotent", "reconcile", "once"])
async def test_a_process_that_is_killed_for_its_memory_is_followed_within_a_second_and_its_effects_hold(
    tmp_path, journal, crew, effect
):
    greedy = f"/a{effect}"
    one = crew(GREEDY=greedy)
    room = bounded(one, 300_000_000)
    try:
        (run_id,) = await queued(journal)
        until(lambda: any(path == greedy for _, _, path in effects(tmp_path)))
        two = crew()
        (tmp_path / "served").touch()
        assert one.wait(30) == -signal.SIGKILL
        began = time.monotonic()
        until(lambda: epoch(journal, run_id) > 1)
        assert time.monotonic() - began < promised(1.0)
        assert room.kills == 1
        until(lambda: journal.runs.get(run_id).ended)
        check_all(journal, tmp_path, [run_id], lives=2)
        # The act had happened when its process died: only what may be repeated was, and under the same key.
        times = Counter(path for _, _, path in effects(tmp_path))
        assert times[greedy] == (2 if effect == "idempotent" else 1)
        assert two.poll() is None
    finally:
        one.kill()
        room.close()


async def test_a_step_for_which_the_memory_does_not_suffice_fails_and_its_process_goes_on(tmp_path, journal, crew):
    one = crew(HUNGRY="/aidempotent")
    (run_id,) = await queued(journal)
    until(lambda: journal.runs.get(run_id).ended)
    run = journal.runs.get(run_id)
    assert (run.status, "MemoryError" in run.error["message"]) == ("failed", True)
    assert journal.verify(run_id).intact
    (second,) = await queued(journal, plan=crowd(4))
    until(lambda: journal.runs.get(second).ended)
    assert journal.runs.get(second).status == "completed"
    assert one.poll() is None
