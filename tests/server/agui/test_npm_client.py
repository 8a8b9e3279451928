"""The protocol's own client, from npm: it checks the order of events by itself, and builds messages and state from them."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.npm_servers import NODE, installed

pytestmark = pytest.mark.slow
FRONT = Path(__file__).with_name("front.mjs")


def front(served, target: str, thread: str, text: str) -> dict:
    modules = installed().parent.parent
    command = [NODE / "node", FRONT, modules, f"{served.url}/ag-ui/{target}", thread, text]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_a_conversation_becomes_messages_and_state(shop, thread):
    told = front(shop, "talk/friend", thread, "hi")
    assert told["first"][0] == "RUN_STARTED"
    assert told["first"][-1] == "RUN_FINISHED"
    assert [(one["role"], one["content"]) for one in told["messages"]] == [
        ("user", "hi"),
        ("assistant", "I was told 1 messages, the last one 'hi'."),
    ]
    assert told["state"]["weft"]["status"] == "completed"
    again = front(shop, "talk/friend", thread, "and now?")
    assert again["messages"][-1]["content"] == "I was told 3 messages, the last one 'and now?'."


def test_an_interrupt_is_answered_with_edited_arguments(shop, thread):
    told = front(shop, "clerk", thread, "A chair broke of zoe")
    assert told["first"][-1] == "RUN_FINISHED"
    assert "TOOL_CALL_RESULT" in told["resumed"]
    roles = [one["role"] for one in told["messages"]]
    assert roles[0] == "user"
    assert "tool" in roles
    assert told["messages"][-1]["content"] == "Done: zoe gets 7"
    assert "zoe 7" in (shop.folder / "refunds.log").read_text().splitlines()


def test_a_client_that_goes_away_and_a_service_that_dies_lose_nothing(shop, thread):
    command = [NODE / "node", FRONT.with_name("leaving.mjs"), installed().parent.parent, f"{shop.url}/ag-ui/clerk"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, thread, "A chair broke of una"], **pipes) as front:
        assert json.loads(front.stdout.readline() or front.stderr.read()) == {"asked": 1}
        shop.restart()
        rest, wrong = front.communicate("go on\n", timeout=60)
    assert front.returncode == 0, wrong[-3000:]
    told = json.loads(rest)
    assert told["first"][0] == "RUN_STARTED"
    assert "TOOL_CALL_RESULT" in told["resumed"]
    assert told["messages"][-1]["content"] == "Done: una gets 8"
    assert "una 8" in (shop.folder / "refunds.log").read_text().splitlines()
