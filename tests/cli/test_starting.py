"""Starting is quick because nothing is loaded before it is used; said in modules, which are the same on every machine."""

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, steps

PROBE = """
import json, sys
from weft.cli.main import execute
code = execute(sys.argv[1:])
print("\\n" + json.dumps([code, sorted(sys.modules)]))
"""


def loaded(weft, *args) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *args], capture_output=True, text=True, cwd=weft.folder, timeout=60, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout + done.stderr
    return set(modules)


HEAVY = {
    "pydantic",
    "sqlalchemy",
    "alembic",
    "pydantic_settings",
    "pydantic_ai",
    "jinja2",
    "yaml",
    "rich",
    "asyncio",
    "opentelemetry",
}


def test_help_loads_no_command_and_nothing_heavy(weft):
    modules = loaded(weft, "--help")
    assert modules & HEAVY == set()
    assert [name for name in modules if name.startswith("weft.cli.groups.")] == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["validate", "plan"])
def test_questions_about_files_load_neither_settings_nor_journal_nor_engine(weft, command):
    weft.write("flow.yaml", steps(("one", 0)))
    modules = loaded(weft, command, "flow.yaml")
    assert (
        modules & {"sqlalchemy", "alembic", "pydantic_settings", "pydantic_ai", "rich", "asyncio", "opentelemetry"}
        == set()
    )
    assert [
        name for name in modules if name.startswith(("weft.store", "weft.engine", "weft.agents", "weft.models"))
    ] == []


@pytest.mark.parametrize("args", [["validate", "flow.yaml", "--json"], ["version"], ["--version"], ["--help"]])
@pytest.mark.slow
def test_brief_commands_write_everything_before_they_end(weft, args):
    weft.write("flow.yaml", steps(("one", 0)))
    with (weft.folder / "out.txt").open("w") as out:
        subprocess.run([sys.executable, "-m", "weft", *args], stdout=out, cwd=weft.folder, timeout=60, check=True)
    assert (weft.folder / "out.txt").read_text() == weft(*args).out


def test_the_module_and_the_script_are_the_same_door():
    text = (ROOT / "pyproject.toml").read_text()
    assert 'weft = "weft.cli.main:main"' in text
