"""Two builds, two versions of a workflow, two versions of code on one Postgres database: runs keep what they began with."""

from __future__ import annotations

import signal
import socket
import threading

import psycopg
import pytest

from tests.faults.crew import queued, until
from tests.processes import PIPE, start
from tests.server.conftest import SMALL, Served
from weft.core.canonical import dumps
from weft.core.errors import MismatchError
from weft.store.append import Append, Draft, NewRun
from weft.store.journal import Journal

pytestmark = pytest.mark.slow
FLOW = '''\
import socket
import weft


@weft.tool(effect="idempotent")
async def first(name: str) -> str:
    """Knock at a door."""
    with socket.create_connection(("127.0.0.1", PORT)) as door:
        return door.recv(8).decode()


@weft.tool(effect="idempotent")
async def second(name: str) -> str:
    """Say it."""
    return f"second {name}"


@weft.workflow
async def flow():
    ORDER
'''
AS_IT_WAS = 'one = await first("a")\n    await weft.sleep(3)\n    return [one, await second("b")]'
THE_OTHER_WAY = 'two = await second("b")\n    await weft.sleep(3)\n    return [await first("a"), two]'


class Door:
    """Counts who connects."""

    def __init__(self):
        self.knocks = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            self.knocks += 1
            client.sendall(b"welcome")
            client.close()


@pytest.fixture
def weft(tmp_path, postgres):
    """Runs a command on that database, each time as a process with a home of its own; `begin` leaves it running."""
    made = []

    def begin(*argv, home):
        (tmp_path / home).mkdir(exist_ok=True)
        environ = {
            "WEFT_HOME": str(tmp_path / home),
            "WEFT_STORE__URL": postgres,
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
        }
        made.append(start(argv, env=environ, cwd=tmp_path, stdout=PIPE, stderr=PIPE))
        return made[-1]

    def run(*argv, home, code=0):
        process = begin(*argv, home=home)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, (out, err)
        return out + err

    run.begin = begin
    yield run
    for process in made:
        if process.poll() is None:
            process.kill()
        process.communicate()


async def test_code_that_asks_for_its_steps_in_another_order_stalls_a_run_and_the_old_code_ends_it(
    tmp_path, journal, weft
):
    door = Door()
    file = tmp_path / "flow.py"

    def write(order):
        file.write_text(FLOW.replace("PORT", str(door.port)).replace("ORDER", order))

    write(AS_IT_WAS)
    process = weft.begin("run", "flow.py:flow", home="one")
    until(lambda: any(event.path == "/sleep[0]" for run in journal.runs.list() for event in journal.events(run.id)))
    process.kill()
    (run,) = journal.runs.list()
    write(THE_OTHER_WAY)
    weft("resume", run.id, home="two", code=17)
    assert journal.runs.get(run.id).status == "stalled"
    said = weft("why", run.id, home="two")
    assert "flow.py:flow has changed" in said
    assert "the first step that differs is /first[0]" in said
    write(AS_IT_WAS)
    weft("resume", run.id, home="two")
    run = journal.runs.get(run.id)
    assert (run.status, door.knocks) == ("completed", 1)
    assert ["welcome", "second b"] in run.outputs.values(), run.outputs
    # Looked at once more, nobody is asked anything.
    assert "same" in weft("replay", run.id, home="one")
    assert door.knocks == 1
    assert journal.verify(run.id).intact
    door.listening.close()


def test_a_run_goes_on_by_the_plan_that_it_began_with_in_a_service_that_has_a_newer_one(tmp_path, postgres):
    services = []
    for name, says in (("old", "The answer was"), ("new", "Changed is")):
        (tmp_path / name).mkdir()
        services.append(Served(tmp_path / name, WEFT_STORE__URL=postgres))
        services[-1].add("release", SMALL["release"].replace("The answer was", says))
    old, new = services

    def begin(service):
        return service.api("POST", "/runs", json={"workflow": "release", "inputs": {"note": "Rain."}}).json()["id"]

    try:
        for one in services:
            one.start()
        ids = [begin(old), begin(old), begin(new)]
        for each in ids:
            new.wait_for(each, "waiting")
        # It is taken out of service, and the other one goes on with what it has begun.
        assert old.stop() == 0
        for each in ids:
            (gate,) = new.api("GET", f"/gates?run={each}").json()["items"]
            assert new.api("POST", f"/gates/{gate['id']}/decide", json={"choice": "send"}).status_code == 200
        ends = [new.wait_for(each, "completed") for each in ids]
        assert [each["plan_hash"] == ends[0]["plan_hash"] for each in ends] == [True, True, False]
        assert ["Changed" in str(each["outputs"]) for each in ends] == [False, False, True]
        assert all(new.api("GET", f"/runs/{each}/verify").json()["intact"] for each in ids)
    finally:
        for one in services:
            if one.process is not None and one.process.poll() is None:
                one.kill()


async def test_a_plan_of_a_newer_build_stalls_and_says_so_and_others_go_on(journal, crew):
    body = dumps({"workflow": "later", "root": {"kind": "Teleport", "name": ""}})
    data = {"workflow": "later", "plan_hash": "later", "scope": {}, "options": {}}
    new = NewRun("later", "later", "later", body, "{}", "{}")
    await journal.append(Append("later", 0, [Draft(1, "run.created", "", dumps(data))], create=new))
    crew()
    until(lambda: journal.runs.get("later").status == "stalled")
    assert journal.runs.get("later").error["code"] == "mismatch"
    (run_id,) = await queued(journal)
    until(lambda: journal.runs.get(run_id).status == "completed")


async def test_a_build_that_is_rolled_back_does_not_open_a_schema_which_it_does_not_know(journal, crew, postgres):
    one = crew(STEP_S="0.05")
    (run_id,) = await queued(journal)
    until(lambda: journal.runs.get(run_id).status == "running")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(MismatchError, match="newer than this Weft"):
        Journal(postgres)
    until(lambda: journal.runs.get(run_id).status == "completed")
    one.send_signal(signal.SIGTERM)
    one.wait(30)
