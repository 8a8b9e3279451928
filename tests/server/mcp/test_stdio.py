"""The same tools over a pipe, for programs that start `weft mcp serve`."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys

import pytest
from mcp import Client, StdioServerParameters
from mcp_types import ElicitResult

from tests.processes import PIPE, command, start, write_program
from tests.server.conftest import RELEASE, SLOW
from tests.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def pipe(tmp_path):
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "release.yaml").write_text(RELEASE)
    (flows / "slow.yaml").write_text(SLOW.replace("SECONDS", "600"))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    environ |= {"WEFT_HOME": str(tmp_path / "home"), "WEFT_SERVER__FOLDERS": str(flows)}

    program = tmp_path / "weft"
    write_program(program)

    def started(*arguments):
        return StdioServerParameters(command=str(program), args=["mcp", *arguments], env=environ, cwd=tmp_path)

    started.environ, started.home, started.flows = environ, tmp_path / "home", flows
    return started


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_workflow_is_called_over_a_pipe(pipe, mode):
    async def answer(_, params):
        return ElicitResult(action="accept", content={"choice": "send"})

    arguments = ["serve", str(pipe.flows)] if mode == "legacy" else []
    async with Client(pipe(*arguments), mode=mode, elicitation_callback=answer) as one:
        assert "release" in [tool.name for tool in (await one.list_tools()).tools]
        result = await one.call_tool("release", {"note": "Weft asks people."})
    assert result.structured_content["status"] == "completed"
    assert "link" not in result.structured_content


def test_a_program_that_ends_leaves_its_run_to_be_found(pipe):
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "hand", "version": "1"}}
    messages = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "slow", "arguments": {}}},
    ]
    with start(["mcp", "serve"], env=pipe.environ, stdin=PIPE, stdout=PIPE) as one:
        for message in messages:
            one.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        one.stdin.flush()
        until(lambda: known(pipe.home), 60)
        one.stdin.close()
        assert one.wait(60) == 0
    assert known(pipe.home)[0][1] in ("waiting", "running")


def known(home):
    if not (home / "journal.db").exists():
        return []
    with contextlib.suppress(sqlite3.OperationalError), sqlite3.connect(home / "journal.db") as connection:
        return connection.execute("SELECT id, status FROM runs").fetchall()
    return []


def test_nothing_but_messages_is_written_and_the_end_of_the_pipe_is_the_end(pipe):
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "hand", "version": "1"}}
    lines = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}) + "\nnonsense\n"
    # As programs start it: a new interpreter, with all that it may say at its start.
    argv = [sys.executable, "-m", "weft", "mcp"]
    done = subprocess.run(argv, input=lines, env=pipe.environ, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers[0]["result"]["serverInfo"]["name"] == "weft"
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_not_there_is_refused(pipe):
    done = command("mcp", "serve", "nowhere", env=pipe.environ)
    assert done.code != 0
    assert "there is no folder" in done.err
    assert done.out == ""
