"""Threads that read one journal at the same time: a service reads long journals beside its event loop."""

import subprocess
import sys

import pytest

READERS = """
import sys, threading, time
from pathlib import Path
from weft.core.errors import NotFoundError
from weft.store.audit import Entry, note
from weft.store.journal import Journal

class Sealer:
    key = "k"
    def sign(self, statement):
        return "s"

journal = Journal(Path(sys.argv[1]) / "journal.db")
def write():
    journal.writer.call(note([Entry(principal="p", act="a", target="t", at=1)], Sealer()))
for _ in range(200):
    write()

def one():
    try:
        journal.runs.get("nothing")
    except NotFoundError:
        pass

acts = [one, write, lambda: journal.runs.list(limit=5), lambda: list(journal.audit.rows("local")),
        lambda: journal.audit.list(limit=20), lambda: journal.workflows.newest("nothing"), one, lambda: list(journal.audit.rows("local"))]
until, wrong = time.monotonic() + 5, []
def again(act):
    try:
        while time.monotonic() < until:
            act()
    except Exception as error:
        wrong.append(repr(error))
threads = [threading.Thread(target=again, args=(act,)) for act in acts]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
journal.close()
assert not wrong, wrong
print("read")
"""


@pytest.mark.slow
@pytest.mark.sqlite
def test_a_process_whose_threads_read_at_once_lives(tmp_path):
    command = [sys.executable, "-c", READERS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "read\n"), done.stderr[-2_000:]
