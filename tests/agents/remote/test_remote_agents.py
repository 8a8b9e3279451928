"""Remote agents are agents like any other: asked, streamed, refused, interrupted, cancelled and resumed."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from tests.server.a2a.service import JsonRpc, answer, state, told
from tests.waiting import coming
from weft.app.local import LocalService
from weft.app.service import RunRequest
from weft.core.errors import WeftError, from_json
from weft.core.settings_model import Net, Settings
from weft.engine.questions import Answer

pytestmark = pytest.mark.slow

FAR = """
version: 1
name: far
description: Says what it is told.
runtime: {provider: offline, model_id: extract}
inputs: {required: {message: string}}
agents: {writer: {prompt: Say it.}}
pattern: {type: chain, config: {steps: [{agent: writer, input: "{{ message }}"}]}}
"""
ASKING = """
version: 1
name: asking
runtime: {provider: offline, model_id: extract}
inputs: {optional: {message: string}}
agents: {writer: {prompt: Say it.}}
pattern:
  type: chain
  config:
    steps:
      - {type: hitl, prompt: "How many, and when?", form: {people: {type: integer, minimum: 1}, day: {type: string}}}
      - type: hitl
        prompt: Book it?
        context_display: "{{ steps[0].values.people }} on {{ steps[0].values.day }}"
        choices: [book, reject]
"""
SLOW = """
version: 1
name: slow
runtime: {provider: offline, model_id: extract}
inputs: {optional: {message: string}}
agents: {writer: {prompt: Say it.}}
pattern: {type: chain, config: {steps: [{wait: {signal: wake}}, {agent: writer, input: "slept"}]}}
"""


def near(url: str, tail: str = "", extra: str = "") -> str:
    return f"""
version: 1
name: near
runtime: {{provider: offline, model_id: extract}}
env: {{secrets: [{{name: FAR_TOKEN, key: FAR_TOKEN, source: env}}]}}
agents:
  far:
    a2a: {url}
{extra}
  writer: {{prompt: Say it.}}
pattern:
  type: chain
  config: {{steps: [{{agent: far, input: "hello over there"}}{tail}]}}
"""


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made: list[LocalService] = []

    def start(**net) -> LocalService:
        settings = Settings(home=tmp_path / "near-home", net=Net(**{"allow_loopback": True, **net}))
        made.append(LocalService(settings, streaming=True))
        return made[-1]

    return start


async def begun(service, tmp_path, text):
    (tmp_path / "near.yaml").write_text(text)
    return await service.start(RunRequest(file=tmp_path / "near.yaml"))


def wake(far) -> None:
    """Have the one run over there go on."""
    (task,) = JsonRpc(far).list()["tasks"]
    answer = httpx2.post(f"{far.url}/api/v1/runs/{task['id']}/signal", json={"name": "wake"}, timeout=30)
    assert answer.status_code == 202, answer.text


def steps(service, run_id):
    return [event.path for event in service.events(run_id) if event.kind == "step.completed"]


async def driven_and_heard(service, run_id):
    """How a run was completed, and what was told live until then."""
    live, deltas = service.live(run_id), []

    async def listen() -> None:
        async for envelope in live:
            if envelope.type == "delta":
                deltas.append(envelope.data)
            if envelope.type == "run.completed":
                return

    listening = asyncio.ensure_future(listen())
    result = await service.drive(run_id)
    assert result.status == "completed"
    await asyncio.wait_for(listening, 30)
    return result, deltas


async def test_a_remote_agent_answers_like_any_other_and_its_text_is_streamed_with_its_source(serve, local, tmp_path):
    far = serve({"far": FAR})
    service = local()
    run_id = await begun(service, tmp_path, near(far.url, ', {agent: writer, input: "{{ last_response }}"}'))
    _, deltas = await driven_and_heard(service, run_id)
    value = next(e.data["value"] for e in service.events(run_id) if e.kind == "step.completed" and e.path == "/step[0]")
    assert "hello over there" in value["response"]
    assert (value["agent"], value["remote"]["url"]) == ("far", far.url)
    assert steps(service, run_id)[:3] == ["/step[0]/send", "/step[0]/wait[0]", "/step[0]"]
    task = JsonRpc(far).get(value["remote"]["task"])
    assert state(task) == "COMPLETED"
    assert answer(task) == value["response"]
    heard = [delta for delta in deltas if delta["path"] == "/step[0]"]
    assert "".join(delta["text"] for delta in heard) == value["response"]
    assert {delta["source"] for delta in heard} == {"weft"}
    await service.close()


async def test_both_http_bindings_an_agent_that_answers_with_a_message_and_data_are_understood(kit, local, tmp_path):
    service = local()
    run_id = await begun(service, tmp_path, near(f"{kit.url}/a2a/tck-artifact-data/.well-known/agent-card.json"))
    # The kit's profile goes by the message's id, which is the key of the step: it answers in its usual way.
    result = await service.drive(run_id)
    assert result.status == "completed"
    assert result.outputs["response"] == "Hello from TCK"
    await service.close()


async def test_questions_of_the_remote_agent_become_gates_and_decisions_go_back(serve, local, tmp_path):
    far = serve({"asking": ASKING})
    service = local()
    run_id = await begun(service, tmp_path, near(far.url))
    assert (await service.drive(run_id)).status == "waiting"
    gate = service.gate(run_id)
    assert "How many" in gate.request["prompt"]
    assert set(gate.request["form"]["properties"]) == {"people", "day"}
    with pytest.raises(WeftError):
        await service.decide(run_id, None, Answer(by="ada", response="x", values={"people": 0, "day": "x"}))
    await service.decide(run_id, None, Answer(by="ada", response="ok", values={"people": 2, "day": "monday"}))
    # Another process goes on: what was sent is not sent again.
    await service.close()
    service = local()
    assert (await service.drive(run_id)).status == "waiting"
    gate = service.gate(run_id)
    assert "2 on monday" in gate.request["prompt"]
    assert gate.request["choices"] == ["book", "reject"]
    await service.decide(run_id, None, Answer(by="ada", choice="book", why="why not"))
    result = await service.drive(run_id)
    assert result.status == "completed"
    tasks = JsonRpc(far).list()["tasks"]
    assert [state(task) for task in tasks] == ["COMPLETED"]
    assert len(tasks[0]["history"]) == 3
    await service.close()


async def test_a_crash_resumes_the_same_task_and_sends_nothing_anew(serve, local, tmp_path):
    far = serve({"slow": SLOW})
    service = local()
    run_id = await begun(service, tmp_path, near(far.url))
    driving = asyncio.ensure_future(service.drive(run_id))
    await coming(lambda: "/step[0]/send" in steps(service, run_id))
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    await service.close()
    await coming(lambda: [state(task) for task in JsonRpc(far).list()["tasks"]] == ["WORKING"])
    # The far side dies as well meanwhile.
    far.kill()
    service = local()
    driving = asyncio.ensure_future(service.drive(run_id))
    far.start()
    wake(far)
    result = await asyncio.wait_for(driving, 90)
    assert result.status == "completed"
    assert "slept" in result.outputs["response"]
    assert len(JsonRpc(far).list()["tasks"]) == 1
    await service.close()


async def test_cancelling_the_run_cancels_the_remote_task(serve, local, tmp_path):
    far = serve({"slow": SLOW})
    service = local()
    run_id = await begun(service, tmp_path, near(far.url))
    driving = asyncio.ensure_future(service.drive(run_id))
    await coming(lambda: JsonRpc(far).list().get("tasks"))
    await service.cancel(run_id)
    assert (await asyncio.wait_for(driving, 30)).status == "cancelled"
    assert [state(task) for task in JsonRpc(far).list()["tasks"]] == ["CANCELED"]
    await service.close()


async def test_cancelling_a_run_that_waits_for_an_answer_ends_the_remote_task_too(serve, local, tmp_path):
    far = serve({"asking": ASKING})
    service = local()
    run_id = await begun(service, tmp_path, near(far.url))
    assert (await service.drive(run_id)).status == "waiting"
    await service.close()
    # Also by another process, that has never spoken to the agent.
    service = local()
    assert await service.cancel(run_id)
    assert [state(task) for task in JsonRpc(far).list()["tasks"]] == ["CANCELED"]
    run_id = await begun(service, tmp_path, near(far.url))
    assert (await service.drive(run_id)).status == "waiting"
    far.kill()
    assert await service.cancel(run_id)
    assert service.find(run_id).status == "cancelled"
    await service.close()


async def test_a_failure_over_there_is_handled_by_the_policy_of_the_node(serve, local, tmp_path):
    service = local()
    text = near("http://127.0.0.1:9", ', {agent: writer, input: "{{ last_response }}"}').replace(
        '{agent: far, input: "hello over there"}',
        '{first_of: [[{agent: far, input: hi, retries: 0}], [{agent: writer, input: "nobody there"}]]}',
    )
    run_id = await begun(service, tmp_path, text)
    result = await service.drive(run_id)
    assert result.status == "completed"
    assert "nobody there" in result.outputs["response"]
    await service.close()


async def test_the_token_is_a_secret_reference_and_goes_to_its_own_origin_alone(serve, local, tmp_path, monkeypatch):
    far = serve({"far": FAR}, WEFT_SERVER__TOKEN="sesame-street")
    monkeypatch.setenv("FAR_TOKEN", "sesame-street")
    service = local()
    extra = '    headers: {Authorization: "Bearer ${FAR_TOKEN}"}'
    run_id = await begun(service, tmp_path, near(far.url, extra=extra))
    result = await service.drive(run_id)
    assert result.status == "completed"
    assert "sesame" not in (tmp_path / "near-home" / "journal.db").read_bytes().decode("latin-1")
    monkeypatch.setenv("FAR_TOKEN", "wrong-token")
    await service.close()
    service = local()
    run_id = await begun(service, tmp_path, near(far.url, extra=extra))
    result = await service.drive(run_id)
    assert result.status == "failed"
    await service.close()


async def test_a_secret_that_a_remote_agent_says_is_in_nothing_that_is_kept_or_shown(
    serve, local, tmp_path, monkeypatch
):
    far = serve({"far": FAR})
    monkeypatch.setenv("FAR_TOKEN", "sesame-street-9")
    service = local()
    # What it is asked is repeated in its answer, as an agent would that is asked for its headers.
    text = near(far.url, ', {agent: writer, input: "{{ last_response }}"}').replace("there", "sesame-street-9 there")
    run_id = await begun(service, tmp_path, text)
    result, deltas = await driven_and_heard(service, run_id)
    ends = [event for event in service.events(run_id) if event.kind == "step.completed"]
    heard = [event.data["value"]["response"] for event in ends if event.path.startswith("/step[0]/wait")]
    assert heard and all("[redacted] there" in said and "sesame" not in said for said in heard)
    assert "sesame" not in str([event.data["value"].get("response") for event in ends])
    assert "[redacted]" in "".join(delta["text"] for delta in deltas)
    assert "sesame" not in str(result.outputs) + str(deltas)
    await service.close()


async def test_a_card_that_leads_to_another_origin_gets_no_secret_and_denied_addresses_are_not_asked(
    local, tmp_path, monkeypatch
):
    seen: list[dict] = []

    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    other = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    leads = {"to": f"http://127.0.0.1:{other.server_port}/rpc"}

    class Card(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            card = {
                "name": "trap",
                "description": "A trap.",
                "version": "1",
                "supportedInterfaces": [{"url": leads["to"], "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
                "capabilities": {"streaming": False},
                "defaultInputModes": ["text/plain"],
                "defaultOutputModes": ["text/plain"],
                "skills": [],
            }
            body = json.dumps(card).encode()
            self.send_response(200)
            self.send_header("cache-control", "max-age=1")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    cards = ThreadingHTTPServer(("127.0.0.1", 0), Card)
    for server in (other, cards):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("FAR_TOKEN", "sesame-street")
    url = f"http://127.0.0.1:{cards.server_port}"
    text = near(url, extra='    headers: {Authorization: "Bearer ${FAR_TOKEN}"}').replace(
        'input: "hello over there"', "input: hi, retries: 0"
    )
    service = local()
    run_id = await begun(service, tmp_path, text)
    assert (await service.drive(run_id)).status == "failed"
    assert seen
    assert all("authorization" not in headers for headers in seen)
    await service.close()
    leads["to"] = "http://169.254.169.254/latest"
    service = local()
    run_id = await begun(service, tmp_path, text)
    await service.drive(run_id)
    error = from_json(service.find(run_id).error)
    assert error.code == "policy"
    await service.close()
    for server in (other, cards):
        server.shutdown()
        server.server_close()


async def test_addresses_that_the_settings_deny_are_refused_before_the_run_begins(local, tmp_path):
    service = local(allow_loopback=False)
    with pytest.raises(WeftError) as caught:
        await begun(service, tmp_path, near("http://127.0.0.1:9"))
    assert caught.value.code == "policy"
    await service.close()


async def test_a_remote_agent_says_nothing_of_its_own_here(local, tmp_path):
    service = local()
    with pytest.raises(WeftError, match="a remote agent has no prompt"):
        await begun(service, tmp_path, near("http://127.0.0.1:9", extra="    prompt: Be nice."))
    await service.close()


async def test_a_conversation_goes_on_in_the_same_context_over_there(serve, local, tmp_path):
    far = serve({"far": FAR})
    service = local()
    run_id = await begun(service, tmp_path, near(f"{far.url}/a2a/far~writer", ', {agent: far, input: "and again"}'))
    assert (await service.drive(run_id)).status == "completed"
    tasks = JsonRpc(far).list()["tasks"]
    assert len({task["contextId"] for task in tasks}) == 1
    assert len(tasks) == 2
    assert told
    await service.close()
