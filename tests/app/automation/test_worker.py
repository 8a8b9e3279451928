"""Workers in virtual time: every occasion starts one run, none early, however many workers look and whenever they stop."""

import asyncio
import os

import pytest

from tests.app.automation.yard import PLANS, SECOND, Yard
from tests.engine.world import simulated
from weft.app.automation.firing import MAX_DEPTH
from weft.app.automation.rules import FileTrigger, RunTrigger, Schedule
from weft.core.errors import ConflictError, InputError, NotFoundError, StorageError
from weft.plan.nodes import Plan
from weft.store.automations import fire
from weft.testing.simulation import EPOCH

pytestmark = pytest.mark.slow


@pytest.fixture
def yard(tmp_path):
    made = Yard(tmp_path)
    yield made
    made.journal.close()


def seconds_of(found):
    return [round(at) for at, _ in found]


@simulated
async def test_a_schedule_starts_a_run_at_each_of_its_times_and_never_early(yard):
    await yard.add(Schedule(every=60))
    yard.work()
    await yard.until(630)
    assert yard.firings() == [(60.0 * n, "started") for n in range(1, 11)]
    runs = yard.runs()
    assert [status for _, status in runs] == ["completed"] * 10
    late = [at - 60 * n for n, (at, _) in enumerate(runs, 1)]
    assert min(late) >= 0
    assert max(late) < 0.2


@simulated
async def test_a_run_starts_only_once_its_jitter_has_passed(yard):
    made = await yard.add(Schedule(every=60, jitter_s=30))
    planned = [(at - EPOCH) / SECOND for at in yard.desk.upcoming("flow", 5)]
    assert made.next_at == EPOCH + 60 * SECOND
    yard.work()
    await yard.until(planned[-1] + 5)
    late = [at - plan for (at, _), plan in zip(yard.runs(), planned, strict=True)]
    assert min(late) >= 0
    assert max(late) < 2.2


@simulated
async def test_three_workers_start_each_run_once(yard):
    await yard.add(Schedule(every=30, overlap="allow"), nap="40")
    for _ in range(3):
        yard.work()
    await yard.until(645)
    assert seconds_of(yard.runs()) == [30 * n for n in range(1, 22)]
    assert sorted(round(at) for at, _ in yard.began) == [30 * n for n in range(1, 22)]
    assert sum(what == "started" for _, what, _ in yard.said) == 21


@pytest.mark.parametrize(
    ("overlap", "firings", "runs"),
    [
        (
            "skip",
            [(60, "started"), (120, "skipped"), (180, "skipped"), (240, "started"), (300, "skipped")],
            [(60, "completed"), (240, "running")],
        ),
        (
            "buffer",
            [(60, "started"), (120, "started"), (180, "skipped"), (240, "buffered"), (300, "skipped")],
            [(60, "completed"), (210, "running")],
        ),
        (
            "allow",
            [(60, "started"), (120, "started"), (180, "started"), (240, "started"), (300, "started")],
            [(60, "completed"), (120, "completed"), (180, "running"), (240, "running"), (300, "running")],
        ),
        (
            "cancel",
            [(60, "started"), (120, "started"), (180, "started"), (240, "started"), (300, "started")],
            [(60, "cancelled"), (120, "cancelled"), (180, "cancelled"), (240, "cancelled"), (300, "running")],
        ),
    ],
)
@simulated
async def test_what_happens_when_the_run_before_has_not_ended(yard, overlap, firings, runs):
    await yard.add(Schedule(every=60, overlap=overlap), nap="150")
    yard.work()
    yard.work()
    await yard.until(310)
    assert [(round(at), status) for at, status in yard.firings()] == firings
    assert [(round(at), status) for at, status in yard.runs()] == runs


@simulated
async def test_after_a_stop_what_is_recent_is_made_up_for_and_the_rest_is_told_in_one_line(yard):
    await yard.add(Schedule(every=600, catch_up_s=1_500, overlap="allow"))
    await yard.until(100_000)
    yard.work()
    await yard.until(100_100)
    assert yard.firings() == [(600, "skipped"), (99_000, "started"), (99_600, "started")]
    assert len(yard.runs()) == 2


@simulated
async def test_what_a_schedule_did_long_ago_is_forgotten_but_not_a_run_that_is_still_open(yard):
    day = 86_400
    await yard.add(Schedule(every=day), "old")
    await yard.add(Schedule(every=day), "open", plan="endless")
    for days in (1, 2, 40, 41):
        await yard.until(days * day + 1)
        worker = yard.worker()
        await worker.run(once=True)
        await worker._hands.engine.close()
    assert [round(at / day) for at, _ in yard.firings("old")] == [40, 41]
    assert [(round(at / day), status) for at, status in yard.firings("open")] == [
        (1, "started"),
        (40, "skipped"),
        (41, "skipped"),
    ]


@simulated
async def test_what_was_noted_before_a_worker_died_is_started_by_the_next_one(yard):
    await yard.add(Schedule(every=60))

    class Dead(Exception):
        """The process is gone."""

    async def die(request):
        raise Dead

    worker = yard.worker()
    worker._hands.start = die
    await yard.until(60)
    with pytest.raises(Dead):
        await worker.run()
    assert yard.firings() == [(60, "due")]
    await yard.until(90)
    yard.work()
    await yard.until(100)
    assert yard.firings() == [(60, "started")]
    assert [(round(at), status) for at, status in yard.runs()] == [(90, "completed")]


@simulated
async def test_a_paused_schedule_starts_nothing_and_makes_up_for_nothing(yard):
    await yard.add(Schedule(every=60))
    yard.work()
    await yard.until(70)
    assert (await yard.desk.pause("flow", paused=True)).next_at is None
    await yard.until(400)
    resumed = await yard.desk.pause("flow", paused=False)
    assert resumed.next_at == EPOCH + 420 * SECOND
    assert await yard.desk.pause("flow", paused=False) == resumed
    await yard.until(430)
    assert yard.firings() == [(60, "started"), (420, "started")]


@simulated
async def test_a_buffered_run_does_not_start_while_its_schedule_is_paused(yard):
    await yard.add(Schedule(every=60, overlap="buffer"), nap="100")
    yard.work()
    await yard.until(130)
    assert yard.firings() == [(60, "started"), (120, "buffered")]
    await yard.desk.pause("flow", paused=True)
    await yard.until(500)
    assert yard.firings() == [(60, "started"), (120, "buffered")]
    await yard.desk.pause("flow", paused=False)
    await yard.until(510)
    assert yard.firings()[:2] == [(60, "started"), (120, "started")]


@simulated
async def test_removing_leaves_the_run_that_is_under_way_and_starts_no_other(yard):
    await yard.add(Schedule(every=60, overlap="allow"), nap="100")
    yard.work()
    await yard.until(130)
    await yard.desk.remove("flow")
    await yard.until(600)
    assert [(round(at), status) for at, status in yard.runs()] == [(60, "completed"), (120, "completed")]
    assert yard.firings() == []
    with pytest.raises(NotFoundError, match="no automation called 'flow'"):
        await yard.desk.remove("flow")


@simulated
async def test_an_end_starts_a_run_that_knows_of_it_and_a_failure_does_not_unless_asked_for(yard):
    await yard.add(Schedule(every=60), "first", file="first")
    await yard.add(Schedule(every=60), "broken", file="broken", plan="fail")
    await yard.add(RunTrigger(workflow="first"), "after", file="after")
    await yard.add(RunTrigger(workflow="broken"), "never", file="never")
    await yard.add(RunTrigger(workflow="broken", statuses=("failed",)), "repair", file="repair")
    yard.work()
    await yard.until(70)
    [first] = yard.journal.runs.list(workflow="first")
    [after] = yard.journal.runs.list(workflow="after")
    [broken] = yard.journal.runs.list(workflow="broken")
    [repair] = yard.journal.runs.list(workflow="repair")
    assert after.inputs == {"run": first.id, "status": "completed", "response": "slept"}
    assert (repair.inputs["run"], repair.inputs["status"]) == (broken.id, "failed")
    assert yard.journal.runs.list(workflow="never") == []
    await yard.until(605)
    assert len(yard.runs("after")) == len(yard.runs("first")) == 10


@simulated
async def test_a_run_that_ends_while_a_worker_looks_for_ends_is_not_overlooked(yard):
    await yard.add(Schedule(every=60), "first", file="first", nap="1")
    await yard.add(RunTrigger(workflow="first"), "after", file="after")
    await yard.until(61)
    worker = yard.worker()
    look = worker._fire

    async def slowly(now):
        found = await look(now)
        await asyncio.sleep(3)
        return found

    worker._fire = slowly
    await worker.run(once=True)
    assert [status for _, status in yard.runs("after")] == ["completed"]


@simulated
async def test_ends_that_fell_into_a_pause_or_before_the_trigger_start_nothing(yard):
    await yard.add(Schedule(every=60), "first", file="first")
    yard.work()
    await yard.until(70)
    await yard.add(RunTrigger(workflow="first"), "after", file="after")
    await yard.until(130)
    await yard.desk.pause("after", paused=True)
    await yard.until(190)
    await yard.desk.pause("after", paused=False)
    await yard.until(250)
    assert seconds_of(yard.runs("first")) == [60, 120, 180, 240]
    assert seconds_of(yard.runs("after")) == [120, 240]


@simulated
async def test_hundreds_of_ends_at_one_moment_each_start_a_run(yard):
    await yard.add(RunTrigger(workflow="first"), "after", file="after")
    engine = yard.worker()._hands.engine
    plan = Plan(workflow="first", root=PLANS["nap"])
    for _ in range(250):
        await engine.drive(await engine.start(plan, {}))
    await yard.worker().run(once=True)
    assert len(yard.runs("after")) == 250


@simulated
async def test_a_circle_of_triggers_comes_to_an_end(yard):
    await yard.add(RunTrigger(workflow="a"), "b-after-a", file="b")
    await yard.add(RunTrigger(workflow="b"), "a-after-b", file="a")
    engine = yard.worker()._hands.engine
    await engine.drive(await engine.start(Plan(workflow="a", root=PLANS["nap"]), {}))
    yard.work()
    await yard.until(600)
    assert len(yard.runs()) == 1 + MAX_DEPTH
    refused = [one for name in ("b-after-a", "a-after-b") for one in yard.journal.automations.firings(name)]
    assert [one.reason for one in refused if one.status == "refused"] == [
        "8 runs have started one another: this looks like a circle"
    ]


@simulated
async def test_hundreds_of_timers_that_are_due_at_once_all_fire_and_none_early(yard):
    engine = yard.worker()._hands.engine
    for _ in range(300):
        run_id = await engine.start(Plan(workflow="timer", root=PLANS["timer"]), {})
        assert (await engine.drive(run_id)).status == "waiting"
    await engine.close()
    due = sorted((run.due - EPOCH) / SECOND for run in yard.journal.runs.list(limit=500))
    yard.work()
    yard.work()
    await yard.until(due[0] - 0.001)
    assert yard.began == []
    await yard.until(due[-1] + 60)
    assert {status for _, status in yard.runs("timer")} == {"completed"}
    late = sorted(at - planned for (at, _), planned in zip(sorted(yard.began), due, strict=True))
    assert late[0] >= 0
    assert late[296] < 10


@simulated
async def test_deadlines_of_gates_fire_though_nobody_drives_their_runs(yard):
    engine = yard.worker()._hands.engine
    run_id = await engine.start(Plan(workflow="gate", root=PLANS["gate"]), {})
    assert (await engine.drive(run_id)).status == "waiting"
    yard.work()
    await yard.until(599)
    assert yard.journal.runs.get(run_id).status == "waiting"
    await yard.until(605)
    assert yard.journal.runs.get(run_id).status == "completed"
    assert yard.journal.gates.of(run_id)[0].decision["response"] == "yes"


@simulated
async def test_a_worker_drives_no_more_runs_at_once_than_it_may(yard):
    await yard.add(Schedule(every=60, overlap="allow"), nap="300")
    yard.work(yard.worker(concurrency=2))
    await yard.until(410)
    assert [status for _, status in yard.runs()] == ["completed", "running", "running", "queued", "queued", "queued"]
    assert [round(at) for at, _ in yard.began] == [60, 120, 360]


@simulated
async def test_a_worker_that_stops_lets_short_work_end_and_leaves_the_rest_to_the_next_one(yard):
    await yard.add(Schedule(every=60), "short", file="short", nap="10")
    await yard.add(Schedule(every=60), "long", file="long", nap="100")
    worker = yard.worker()
    working = asyncio.ensure_future(worker.run(drain_s=30))
    await yard.until(65)
    worker.stop()
    await working
    assert 95 <= yard.now < 96
    assert [status for _, status in yard.runs("short")] == ["completed"]
    [left] = yard.journal.runs.list(workflow="long")
    assert (left.driven, left.ended) == (False, False)
    await yard.desk.remove("short")
    await yard.desk.remove("long")
    yard.work()
    await yard.until(200)
    assert [status for _, status in yard.runs("long")] == ["completed"]
    assert [round(at) for at, path in yard.began] == [60, 60, 95]


@simulated
async def test_a_run_that_cannot_be_driven_is_tried_again_ever_less_often_and_keeps_nobody_waiting(yard):
    await yard.add(Schedule(every=60, overlap="skip"), "bad", file="bad")
    await yard.add(Schedule(every=60), "good", file="good")
    worker = yard.worker()
    drive, tried = worker._hands.drive, []

    async def fails(run_id):
        if yard.journal.runs.get(run_id).workflow == "good":
            return await drive(run_id)
        tried.append(yard.now)
        raise (StorageError("the disk is full", fix="free some space") if len(tried) % 2 else KeyError("a defect"))

    worker._hands.drive = fails
    yard.work(worker)
    await yard.until(1_100)
    assert [status for _, status in yard.runs("good")] == ["completed"] * 18
    pauses = [after - before for before, after in zip(tried, tried[1:], strict=False)]
    planned = [5, 10, 20, 40, 80, 160, 300, 300]
    assert all(plan - 0.001 <= pause < plan + 2.2 for plan, pause in zip(planned, pauses, strict=True))
    trouble = [about for _, what, about in yard.said if what == "trouble"]
    assert (trouble[0]["code"], trouble[0]["message"], trouble[1]["code"]) == ("io", "the disk is full", "internal")


@simulated
async def test_an_idle_worker_asks_little(yard):
    for n in range(20):
        await yard.add(Schedule(cron="0 8 1 1 *"), f"s{n}")
    yard.work()
    await yard.until(10)
    before = yard.queries
    await yard.until(1_010)
    assert (yard.queries - before) / 1_000 <= 2


def put(folder, name, text, at):
    path = folder / name
    path.write_text(text)
    os.utime(path, (EPOCH / SECOND + at, EPOCH / SECOND + at))
    return path


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@simulated
async def test_each_file_that_arrives_starts_one_run_however_often_workers_look(yard, inbox):
    await yard.add(FileTrigger(folder=str(inbox), pattern="*.txt"))
    put(inbox, "a.txt", "one", 0)
    put(inbox, "b.md", "two", 0)
    yard.work()
    yard.work()
    await yard.until(60)
    put(inbox, "c.txt", "three", 58)
    put(inbox, "a.txt", "one", 59)  # touched, but the same
    await yard.until(120)
    put(inbox, "a.txt", "another", 118)
    await yard.until(180)
    (inbox / "c.txt").unlink()
    await yard.until(240)
    put(inbox, "c.txt", "three", 238)  # known by its name and content
    await yard.until(300)
    paths = [run.inputs["path"] for run in reversed(yard.journal.runs.list())]
    assert paths == [str(inbox / name) for name in ("a.txt", "c.txt", "a.txt")]
    restarted = yard.worker()
    await restarted.run(once=True)
    assert len(yard.runs()) == 3


@simulated
async def test_a_file_that_is_still_being_written_waits(yard, inbox):
    await yard.add(FileTrigger(folder=str(inbox), settle_s=10))
    yard.work()
    for second in range(1, 60):
        await yard.until(second)
        put(inbox, "growing", "x" * second, second)
    assert yard.runs() == []
    await yard.until(80)
    assert [69 <= at <= 75 for at, _ in yard.runs()] == [True]


@simulated
async def test_links_folders_and_pipes_are_no_files_that_arrive(yard, inbox, tmp_path):
    secret = put(tmp_path, "secret", "s", -100)
    (inbox / "link").symlink_to(secret)
    (inbox / "dangling").symlink_to(tmp_path / "nowhere")
    (inbox / "folder").mkdir()
    os.mkfifo(inbox / "pipe")
    await yard.add(FileTrigger(folder=str(inbox)))
    yard.work()
    await yard.until(60)
    assert yard.runs() == []


@simulated
async def test_thousands_of_files_are_taken_up_by_and_by(yard, inbox):
    for n in range(2_500):
        put(inbox, f"{n:05}", str(n), -100)
    await yard.add(FileTrigger(folder=str(inbox)))
    occasions = yard.worker()._occasions
    automation = yard.journal.automations.get("flow")
    sizes = []
    for _ in range(4):
        found, _ = occasions.of(automation, yard.clock.micros())
        sizes.append(len(found))
        await yard.journal.writer.submit(fire(found))
    assert sizes == [1_000, 1_000, 500, 0]


@simulated
async def test_a_file_is_not_forgotten_when_the_journal_refuses(yard, inbox):
    put(inbox, "a", "one", -100)
    await yard.add(FileTrigger(folder=str(inbox)))
    worker = yard.worker()
    submit, refused = yard.journal.writer.submit, []

    def refuse(work):
        if not refused:
            refused.append(work)
            raise StorageError("the disk is full", fix="free some space")
        return submit(work)

    yard.journal.writer.submit = refuse
    yard.work(worker)
    await yard.until(20)
    assert len(refused) == 1
    assert [status for _, status in yard.runs()] == ["completed"]
    assert [what for _, what, _ in yard.said][0] == "storage"


@simulated
async def test_a_folder_that_is_not_there_and_a_name_that_is_taken_are_refused(yard, inbox):
    with pytest.raises(InputError, match="there is no folder"):
        await yard.add(FileTrigger(folder=str(inbox / "nowhere")))
    await yard.add(FileTrigger(folder=str(inbox)))
    with pytest.raises(ConflictError, match="called 'flow' already"):
        await yard.add(Schedule(every=60))
    with pytest.raises(InputError, match="cannot be the name"):
        await yard.add(Schedule(every=60), "../flow")
    with pytest.raises(InputError, match="is a trigger"):
        yard.desk.upcoming("flow", 1)
