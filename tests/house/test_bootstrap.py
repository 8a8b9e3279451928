"""The first command on a fresh machine: it works, or says in a sentence why not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = ("sh", "dirname", "cat", "env")


@pytest.fixture
def checkout(tmp_path, root) -> Path:
    """A checkout whose path has a space, with nothing installed."""
    place = tmp_path / "a checkout"
    shutil.copytree(root / "scripts", place / "scripts")
    shutil.copytree(root / "requirements", place / "requirements")
    shutil.copy(root / "pyproject.toml", place)
    return place


@pytest.fixture
def machine(tmp_path) -> Path:
    """A folder for PATH that has a shell and nothing else."""
    place = tmp_path / "bin"
    place.mkdir()
    for tool in TOOLS:
        (place / tool).symlink_to(shutil.which(tool))
    return place


def command(machine: Path, name: str, body: str) -> None:
    (machine / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    (machine / name).chmod(0o755)


def bootstrap(checkout: Path, machine: Path, level: str = "run", **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(machine), "HOME": str(checkout), "PIP_NO_INDEX": "1", "PIP_RETRIES": "0"} | more
    return subprocess.run(
        [str(checkout / "scripts" / "bootstrap"), level],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_a_new_python_it_says_which_one_to_install(checkout, machine):
    command(machine, "python3", "exit 1")
    result = bootstrap(checkout, machine)
    assert result.returncode == 1
    assert "Python 3.11 or newer is needed" in result.stderr
    assert "Traceback" not in result.stderr


def test_without_venv_it_names_the_package_to_install(checkout, machine):
    command(machine, "python3", f'case "$2" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"')
    result = bootstrap(checkout, machine)
    assert result.returncode == 1
    assert f"apt install python3.{sys.version_info.minor}-venv" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_level_is_refused(checkout, machine):
    command(machine, "python3", f'exec "{sys.executable}" "$@"')
    result = bootstrap(checkout, machine, "everything")
    assert result.returncode == 2
    assert "choose one of: run, dev, bench" in result.stderr


@pytest.mark.slow
def test_an_unreachable_registry_is_a_sentence_and_leaves_no_stamp(checkout, machine):
    base = getattr(sys, "_base_executable", sys.executable)
    command(machine, "python3", f'exec "{base}" "$@"')
    result = bootstrap(checkout, machine)
    assert result.returncode == 1
    assert "could not be installed" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (checkout / ".venv" / ".weft-run").exists()


@pytest.mark.slow
def test_a_second_time_it_does_nothing_until_the_lock_changes(checkout, machine):
    base = getattr(sys, "_base_executable", sys.executable)
    log = checkout / "uv.log"
    command(machine, "python3", f'exec "{base}" "$@"')
    make = f'if [ "$1" = venv ]; then "{base}" -m venv --without-pip "$6"; fi'
    command(machine, "uv", f'echo "$@" >> "{log}"\n{make}')

    assert bootstrap(checkout, machine).returncode == 0
    calls = log.read_text()
    assert "--require-hashes" in calls
    assert "--editable" in calls

    assert bootstrap(checkout, machine).returncode == 0
    assert log.read_text() == calls

    lock = checkout / "requirements" / "run.lock"
    lock.write_text(lock.read_text() + "\n")
    assert bootstrap(checkout, machine).returncode == 0
    assert log.read_text() != calls


@pytest.mark.slow
def test_a_folder_that_moved_gets_a_new_environment(checkout, machine):
    base = getattr(sys, "_base_executable", sys.executable)
    log = checkout.parent / "uv.log"
    command(machine, "python3", f'exec "{base}" "$@"')
    make = f'if [ "$1" = venv ]; then "{base}" -m venv --without-pip "$6"; fi'
    command(machine, "uv", f'echo "$@" >> "{log}"\n{make}')
    assert bootstrap(checkout, machine).returncode == 0

    moved = Path(os.fspath(checkout) + " moved")
    checkout.rename(moved)
    assert bootstrap(moved, machine).returncode == 0
    assert log.read_text().count("venv --quiet") == 2


def test_a_python_that_is_named_and_does_not_run_is_spoken_of(checkout, machine):
    command(machine, "python3", f'exec "{sys.executable}" "$@"')
    result = bootstrap(checkout, machine, "everything", PYTHON="/no such/python")
    assert "PYTHON=/no such/python is not used" in result.stderr
    assert "choose one of: run, dev, bench" in result.stderr


@pytest.mark.slow
def test_settings_of_pip_that_lead_past_the_environment_are_left_aside(checkout, machine):
    base = getattr(sys, "_base_executable", sys.executable)
    seen = checkout.parent / "pip.log"
    command(machine, "python3", f'exec "{base}" "$@"')
    pip = f'#!/bin/sh\necho "user=$PIP_USER target=$PIP_TARGET index=$PIP_NO_INDEX" >> "{seen}"\n'
    make = f'mkdir -p "$6/bin"\nprintf %s \'{pip}\' > "$6/bin/python"\n{shutil.which("chmod")} +x "$6/bin/python"'
    command(machine, "uv", f'if [ "$1" = venv ]; then\n{make}\nelse exit 1\nfi')
    (machine / "mkdir").symlink_to(shutil.which("mkdir"))

    assert bootstrap(checkout, machine, PIP_USER="1", PIP_TARGET="/elsewhere").returncode == 0
    assert set(seen.read_text().splitlines()) == {"user=0 target= index=1"}
