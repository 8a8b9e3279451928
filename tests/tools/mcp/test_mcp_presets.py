"""Presets, and what a machine without the library is told."""

import subprocess
import sys

import pytest

from weft.core.errors import InputError
from weft.tools.mcp.presets import PRESETS
from weft.tools.mcp.server import read_server

GIVEN = {"sqlite": {"paths": ["data.db"]}, "postgres": {"address": "postgresql://localhost/shop"}}


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A PATH with nothing on it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_pins_the_version_of_what_it_fetches_and_allows_some_tools_only(bare, name):
    server = read_server("one", {"preset": name, **GIVEN.get(name, {})})
    assert server.command in {"npx", "uvx"}
    assert any(mark in " ".join(server.args) for mark in ("==", "@2026", "@0.6"))
    assert server.tools


def test_a_program_that_is_installed_is_used_as_it_is(bare):
    program = bare / "mcp-server-git"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    server = read_server("one", {"preset": "git", "paths": ["repo"]})
    assert (server.command, server.args) == ("mcp-server-git", ("--repository", "repo"))


@pytest.mark.parametrize("name", ["filesystem", "git", "sqlite"])
def test_writing_is_allowed_only_when_asked_for_and_tools_say_exactly_which(bare, name):
    given = {"preset": name, **GIVEN.get(name, {})}
    reading, writing = read_server("one", given), read_server("one", {**given, "write": True})
    assert set(reading.tools) < set(writing.tools)
    assert read_server("one", {**given, "tools": ["only"]}).tools == ("only",)


@pytest.mark.parametrize(
    "given", [{"preset": "postgres"}, {"preset": "sqlite"}, {"preset": "git", "paths": ["a", "b"]}]
)
def test_a_preset_says_what_it_lacks(bare, given):
    with pytest.raises(InputError) as caught:
        read_server("one", given)
    assert caught.value.fix


@pytest.mark.slow
def test_without_the_library_a_workflow_with_servers_is_told_what_to_install():
    code = (
        "import sys; sys.modules['mcp'] = None\n"
        "from weft.app.servers import load_mcp\n"
        "from weft.core.errors import UnsupportedError\n"
        "try:\n    load_mcp('mcp')\nexcept UnsupportedError as error:\n    print(error.fix)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "run: pip install 'weft[mcp]'"
