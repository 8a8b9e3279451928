"""A driver's lock is held while its process lives, and not a moment longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from weft.core.errors import StorageError
from weft.store.drivers import FileDrivers

HOLD = """
import sys, pathlib
from weft.store.drivers import FileDrivers
drivers = FileDrivers(pathlib.Path(sys.argv[1]))
drivers.enter("them")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_another_living_process_is_seen_and_its_death_too(tmp_path, holder):
    drivers = FileDrivers(tmp_path)
    assert all(drivers.alive("them") for _ in range(20))
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert not drivers.alive("them")
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_process_is_alive(tmp_path, holder):
    os.kill(holder.pid, signal.SIGSTOP)
    assert FileDrivers(tmp_path).alive("them")
    os.kill(holder.pid, signal.SIGCONT)


def test_two_that_ask_at_once_do_not_take_each_other_for_the_driver(tmp_path, holder):
    holder.kill()
    holder.wait()
    ask = (
        "import sys, pathlib; from weft.store.drivers import FileDrivers;"
        "sys.exit(any(FileDrivers(pathlib.Path(sys.argv[1])).alive('them') for _ in range(300)))"
    )
    askers = [subprocess.Popen([sys.executable, "-c", ask, str(tmp_path)]) for _ in range(2)]
    assert [asker.wait() for asker in askers] == [0, 0]


def test_who_left_is_not_alive_and_nobody_is_not_alive(tmp_path):
    drivers = FileDrivers(tmp_path)
    drivers.enter("me")
    assert drivers.alive("me")
    assert FileDrivers(tmp_path).alive("me")
    drivers.leave("me")
    assert not drivers.alive("me")
    assert not FileDrivers(tmp_path).alive("me")
    assert not drivers.alive(None)
    assert not drivers.alive("never")


def test_a_lock_file_that_cannot_be_opened_is_a_clear_error(tmp_path):
    (tmp_path / "odd.lock").mkdir()
    with pytest.raises(StorageError):
        FileDrivers(tmp_path).alive("odd")
