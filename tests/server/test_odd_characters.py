"""NUL and half a surrogate pair, wherever words come in: what can be kept is kept, nobody's run or conversation ends over it."""

import uuid

import pytest
from openai import OpenAI

from tests.postgres_server import Databases
from tests.server.a2a.service import JsonRpc, answer, state, told
from tests.server.agui.conftest import Front, said
from tests.server.mcp.wire import single
from tests.server.served import Served
from weft.testing.providers import FakeProvider, call, say

pytestmark = pytest.mark.slow
ODD = "one\0two \ud800three \U0001f600"
KEPT = "one\0two ?three \U0001f600"
"""What is no character is kept as one that stands for it: UTF-8 has no form for it."""
TALK = """\
version: 1
name: talk
runtime: {provider: openai, model_id: test}
inputs: {optional: {message: {type: string, default: hello}}}
agents: {friend: {prompt: Be kind.}}
pattern: {type: chain, config: {steps: [{agent: friend, input: "{{ message }}"}]}}
"""
FILES = """\
version: 1
name: files
runtime: {provider: openai, model_id: test}
inputs: {required: {message: string}}
agents: {clerk: {prompt: Look it up., tools: [odd]}}
tools:
  python: [{callable: "odd_tools:odd"}]
pattern: {type: chain, config: {steps: [{agent: clerk, input: "{{ message }}"}]}}
outputs:
  artifacts: [{path: ./answer.txt, from: "{{ last_response }}"}]
"""
ASKS = """\
version: 1
name: asks
runtime: {provider: openai, model_id: test}
agents: {clerk: {prompt: Say it.}}
pattern:
  type: chain
  config:
    steps:
      - {type: hitl, prompt: "What?", form: {text: {type: string}}}
      - {wait: {signal: go}}
      - {agent: clerk, input: "{{ steps[0].values.text }}"}
"""
TOOLS = '''\
def odd() -> str:
    """Look it up."""
    return "one\\0two \\ud800three \\U0001f600"
'''


def brain(request):
    messages = request.body["messages"]
    if request.body.get("tools") and messages[-1]["role"] == "user" and "tool" in messages[-1]["content"]:
        return call("odd", {})
    return say(ODD)


@pytest.fixture(scope="module")
def provider():
    with FakeProvider("openai", brain) as fake:
        yield fake


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def house(request, provider, tmp_path_factory):
    flows = {"talk": TALK, "files": FILES, "asks": ASKS}
    environ = {"WEFT_TOOLS__ALLOWED_MODULES": "odd_tools", **provider.environ}
    databases = Databases(request.getfixturevalue("postgres_server")) if request.param == "postgres" else None
    if databases is not None:
        environ["WEFT_STORE__URL"] = databases.fresh()
    one = Served(tmp_path_factory.mktemp("odd"), flows=flows, **environ)
    (one.folder / "odd_tools.py").write_text(TOOLS)
    yield one.start()
    one.kill()
    if databases is not None:
        databases.close()


def ok(response, status=None):
    assert response.status_code < 300 if status is None else response.status_code == status, response.text
    return response.json()


def ended(house, run_id):
    run = house.wait_for(run_id, "completed", "failed", "cancelled")
    assert run["status"] == "completed", run
    return run


def start(house, workflow, **inputs):
    return ok(house.api("POST", "/runs", json={"workflow": workflow, "inputs": inputs}))["id"]


def test_a_model_says_it_and_its_run_has_it(house):
    run_id = start(house, "talk", message="one\0two")
    run = ended(house, run_id)
    assert run["outputs"]["response"] == KEPT
    assert run["inputs"] == {"message": "one\0two"}
    assert ok(house.api("GET", f"/runs/{run_id}/verify"))["intact"] is True


def test_in_a_conversation(house):
    session = ok(house.api("POST", "/sessions", json={"target": "talk"}))["id"]
    for text in ("first\0 one", "second\0 one"):
        turn = ok(house.api("POST", f"/sessions/{session}/turns", json={"message": text}))
        ended(house, turn["run"])
    shown = ok(house.api("GET", f"/sessions/{session}"))
    assert shown["title"] == "first one"
    assert [turn["asked"] for turn in shown["turns"]] == ["first\0 one", "second\0 one"]
    assert [turn["answered"] for turn in shown["turns"]] == [KEPT, KEPT]
    for words in ("first", "three", "first\0 one"):
        assert ok(house.api("GET", "/sessions/search", params={"words": words})), words
    assert ok(house.api("GET", "/sessions/search", params={"words": "\0"})) == []


def test_a_tool_gives_it_and_a_file_holds_it(house):
    run = ended(house, start(house, "files", message="tool, please\0"))
    assert run["outputs"]["response"] == KEPT
    file = house.api("GET", f"/runs/{run['id']}/artifacts/answer.txt")
    # What a template renders has no control characters.
    assert file.content.decode() == KEPT.replace("\0", "")


def test_a_gate_a_signal_and_a_flag(house):
    run_id = start(house, "asks")
    house.wait_for(run_id, "waiting")
    gate = ok(house.api("GET", "/gates", params={"run": run_id}))["items"][0]["id"]
    given = {"values": {"text": "a\0b"}, "why": "be\0cause", "response": "x\0"}
    made = ok(house.api("POST", f"/gates/{gate}/decide", json=given))["decision"]
    assert {name: made[name] for name in given} == given
    ok(house.api("POST", f"/runs/{run_id}/signal", json={"name": "go", "data": {"x\0": "y\0"}}))
    ended(house, run_id)


def test_over_openai(house):
    with OpenAI(base_url=f"{house.url}/v1", api_key="unused", timeout=30, max_retries=0) as client:
        lines = [{"role": "user", "content": "hello\0"}]
        first = client.chat.completions.create(model="talk", messages=lines)
        assert first.choices[0].message.content == KEPT
        lines += [
            {"role": "assistant", "content": first.choices[0].message.content},
            {"role": "user", "content": "on\0"},
        ]
        streamed = client.chat.completions.create(model="talk", messages=lines, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices) == KEPT
        made = client.responses.create(model="talk", input="hello\0")
        assert made.output_text == KEPT
        again = client.responses.create(model="talk", input="on\0", previous_response_id=made.id, metadata={"a": "b\0"})
        assert client.responses.retrieve(again.id).output_text == KEPT


def test_over_a2a(house):
    task = JsonRpc(house, "talk").send(told("hello\0", uuid.uuid4().hex))["task"]
    assert (state(task), answer(task)) == ("COMPLETED", KEPT)


def test_over_ag_ui(house):
    thread = str(uuid.uuid4())
    for text in ("hi\0", "on\0"):
        events = Front(house, "talk").events(thread, text=text)
        assert (said(events), events[-1]["type"]) == (KEPT, "RUN_FINISHED")


def test_over_mcp(house):
    result = single(house.url, "talk", {"message": "hi\0"})["result"]
    assert result["structuredContent"]["response"] == KEPT
    assert result["content"][0]["text"] == KEPT


def test_none_of_it_was_a_defect(house):
    assert "Traceback" not in house.log
