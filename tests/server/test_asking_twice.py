"""A run two levels down asks one question after the other, at once: whoever answers over any protocol is asked the next one."""

import uuid

import pytest
from mcp import Client
from mcp_types import ElicitResult
from openai import OpenAI

from tests.server.a2a.service import EXTENSION, JsonRpc, Receiver, state, told
from tests.server.agui.conftest import Front
from tests.server.mcp.wire import single
from tests.server.served import Served

pytestmark = pytest.mark.slow
TWICE = """\
version: 1
name: twice
runtime: {provider: offline, model_id: extract}
inputs: {optional: {message: {type: string, default: wool}}}
agents: {clerk: {prompt: Say it.}}
pattern:
  type: chain
  config:
    steps:
      - {type: hitl, prompt: "First?", choices: [go, reject]}
      - {type: hitl, prompt: "Second?", choices: [go, reject]}
      - {type: hitl, prompt: "Third?", choices: [go, reject]}
      - {agent: clerk, input: "Wool is warm."}
"""
ABOVE = """\
version: 1
name: NAME
description: Asks before it answers.
runtime: {provider: offline, model_id: extract}
inputs: {optional: {message: {type: string, default: wool}}}
agents: {clerk: {prompt: Say it.}}
pattern: {type: chain, config: {steps: [{workflow: BELOW.yaml}]}}
"""
FLOWS = {
    "twice": TWICE,
    "between": ABOVE.replace("NAME", "between").replace("BELOW", "twice"),
    "above": ABOVE.replace("NAME", "above").replace("BELOW", "between"),
}
QUESTIONS = ["First?", "Second?", "Third?"]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    one = Served(tmp_path_factory.mktemp("house"), flows=FLOWS, WEFT_NET__ALLOW_LOOPBACK="true")
    yield one.start()
    one.kill()


def test_over_ag_ui(house):
    front, thread = Front(house, "above"), str(uuid.uuid4())
    events = front.events(thread, text="wool")
    asked, answers = [], []
    while (outcome := events[-1]["outcome"])["type"] == "interrupt":
        (interrupt,) = outcome["interrupts"]
        asked.append(interrupt["message"])
        answers.append({"interruptId": interrupt["id"], "status": "resolved", "payload": {"choice": "go"}})
        events = front.events(thread, resume=answers[-1:])
    assert asked == QUESTIONS
    assert events[-1]["outcome"]["type"] == "success"
    # The same answer again leads to the same question, also when all is over.
    again = front.events(thread, resume=answers[:1])
    assert again[-1]["outcome"]["type"] == "success"


def test_over_responses(house):
    with OpenAI(base_url=f"{house.url}/v1", api_key="unused", timeout=30, max_retries=0) as client:
        made = [client.responses.create(model="above", input="wool")]
        while made[-1].output[-1].type == "mcp_approval_request":
            assert len(made) <= len(QUESTIONS)
            answer = {"type": "mcp_approval_response", "approval_request_id": made[-1].output[-1].id, "approve": True}
            made.append(client.responses.create(model="above", input=[answer], previous_response_id=made[-1].id))
        assert len(made) == len(QUESTIONS) + 1
        assert made[-1].output_text.endswith("Wool is warm.")
        assert len({one.id for one in made}) == len(made)
        # Each can be read again as it was, whatever has happened since, and by another process too.
        house.restart()
        for one in made:
            known = client.responses.retrieve(one.id)
            assert [item.id for item in known.output] == [item.id for item in one.output]
            assert known.output[-1].type == one.output[-1].type


async def answered(house, mode):
    asked = []

    async def answer(_, params):
        asked.append(params.message)
        return ElicitResult(action="accept", content={"choice": "go"})

    async with Client(f"{house.url}/mcp", mode=mode, elicitation_callback=answer) as client:
        return asked, await client.call_tool("above", {})


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_over_mcp(house, mode):
    asked, result = await answered(house, mode)
    assert asked == QUESTIONS
    assert result.structured_content["status"] == "completed"


def test_over_mcp_with_answers_in_tools(house):
    made = single(house.url, "weft_start", {"workflow": "above", "inputs": {}})["result"]["structuredContent"]
    run, asked = {"run_id": made["run_id"]}, []
    for _ in QUESTIONS:
        found = single(house.url, "weft_result", run | {"wait_s": 15})["result"]["structuredContent"]
        asked += [gate["prompt"] for gate in found["gates"]]
        single(house.url, "weft_answer", run | {"choice": "go", "gate": found["gates"][0]["id"]})
    assert asked == QUESTIONS
    found = single(house.url, "weft_result", run | {"wait_s": 15})["result"]["structuredContent"]
    assert found["status"] == "completed"


def question(event):
    return next((part["data"] for part in event["status"]["message"]["parts"] if "data" in part), None)


@pytest.mark.parametrize("streamed", [True, False])
def test_over_a2a(house, streamed):
    client = JsonRpc(house, "above")
    task = client.send(told("wool", uuid.uuid4().hex))["task"]
    asked = []
    while state(task) == "AUTH_REQUIRED":
        data = question(task)
        asked.append(task["status"]["message"]["parts"][0]["text"])
        decision = {"gate": data["gate"], "shown": data["shown"], "choice": "go"}
        said = {"messageId": uuid.uuid4().hex, "role": "ROLE_USER", "taskId": task["id"], "extensions": [EXTENSION]}
        said["parts"] = [{"data": decision}]
        if not streamed:
            task = client.send(said)["task"]
            continue
        for event in client.stream(said):
            update = event.get("statusUpdate")
            if update and state(event) in {"AUTH_REQUIRED", "COMPLETED"}:
                task = {"id": task["id"], "status": update["status"]}
                break
    assert [text.splitlines()[0] for text in asked] == QUESTIONS
    assert state(task) == "COMPLETED"


def decided(task):
    data = question(task)
    decision = {"gate": data["gate"], "shown": data["shown"], "choice": "go"}
    said = {"messageId": uuid.uuid4().hex, "role": "ROLE_USER", "taskId": task["id"], "extensions": [EXTENSION]}
    return {**said, "parts": [{"data": decision}]}


def asked_in(bodies):
    updates = [body["statusUpdate"] for body in bodies if "statusUpdate" in body]
    waiting = [one["status"] for one in updates if one["status"]["state"] == "TASK_STATE_AUTH_REQUIRED"]
    return [status["message"]["parts"][0]["text"].splitlines()[0] for status in waiting]


def test_over_a2a_by_push(house):
    """An address that is named with an answer is told of the next question, and of nothing that was before the answer."""
    client, receiver = JsonRpc(house, "above"), Receiver()
    try:
        task = client.send(told("wool", uuid.uuid4().hex))["task"]
        task = client.send(decided(task), taskPushNotificationConfig={"url": receiver.url})["task"]
        receiver.until(lambda bodies: asked_in(bodies) == ["Second?"])
        house.restart()
        task = client.send(decided(task))["task"]
        assert state(client.send(decided(task))["task"]) == "COMPLETED"
        bodies = receiver.until(lambda bodies: any(state(body) == "COMPLETED" for body in bodies))
        # What was told before the restart may be told again, in its order.
        assert list(dict.fromkeys(asked_in(bodies))) == ["Second?", "Third?"]
    finally:
        receiver.close()
