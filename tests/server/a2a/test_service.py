"""What holds for a service as it is used: repeats, routing, credentials, restarts, and what belongs to somebody else."""

import asyncio
import subprocess
import threading

import httpx2
import pytest
from a2a.types import a2a_pb2
from a2a.utils.signing import create_signature_verifier
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.protobuf.json_format import ParseDict

from tests.processes import command
from tests.server.a2a.service import CLIENTS, EXTENSION, Grpc, JsonRpc, Receiver, Refused, Rest, answer, state, told
from tests.waiting import until
from weft.store.journal import Journal

pytestmark = pytest.mark.slow

ECHO = """
version: 1
name: echo
description: Says what it is told.
runtime: {provider: offline, model_id: extract}
inputs: {required: {message: string}, optional: {count: {type: integer, default: 1}}}
agents: {writer: {prompt: Say it.}}
pattern: {type: chain, config: {steps: [{agent: writer, input: "{{ message }} {{ count }}"}]}}
"""
SLOW = """
version: 1
name: slow
runtime: {provider: offline, model_id: extract}
inputs: {optional: {message: string}}
agents: {writer: {prompt: Say it.}}
pattern:
  type: chain
  config:
    steps:
      - {agent: writer, input: "one"}
      - {wait: {signal: wake}}
      - {agent: writer, input: "two"}
"""
BOOKING = """
version: 1
name: booking
runtime: {provider: offline, model_id: extract}
agents: {clerk: {prompt: Confirm it.}}
pattern:
  type: chain
  config:
    steps:
      - type: hitl
        prompt: How many, and when?
        form: {people: {type: integer, minimum: 1}, day: {type: string}}
      - type: hitl
        prompt: Book it?
        context_display: "{{ steps[0].values.people }} on {{ steps[0].values.day }}"
        choices: [book, reject]
"""
ABOVE = """
version: 1
name: above
runtime: {provider: offline, model_id: extract}
agents: {clerk: {prompt: Confirm it.}}
pattern: {type: chain, config: {steps: [{workflow: booking.yaml}]}}
"""


def refusal(act) -> Refused:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value


def test_the_same_message_again_is_the_same_task_and_another_under_its_id_is_refused(serve):
    client = JsonRpc(serve({"echo": ECHO}))
    first = client.send(told("hello", "m-1"))["task"]
    assert client.send(told("hello", "m-1"))["task"] == first
    assert list(client.stream(told("hello", "m-1")))[0]["task"]["id"] == first["id"]
    assert refusal(lambda: client.send(told("other", "m-1"))).reason == "UNSUPPORTED_OPERATION"
    assert client.send(told("hello", "m-2"))["task"]["id"] != first["id"]
    assert len(client.list()["tasks"]) == 2


def test_data_fills_inputs_by_name_and_media_types_that_nobody_takes_are_refused(serve):
    service = serve({"echo": ECHO}, WEFT_SERVER__GRPC_PORT="0")
    client = JsonRpc(service)
    said = {"messageId": "d", "role": "ROLE_USER", "parts": [{"text": "twice"}, {"data": {"count": 2}}]}
    assert "twice 2" in answer(client.send(said)["task"])
    strange = {"messageId": "e", "role": "ROLE_USER", "parts": [{"raw": "dGNr", "mediaType": "application/x-strange"}]}
    for kind in CLIENTS.values():
        assert refusal(lambda kind=kind: kind(service).send(strange)).reason == "CONTENT_TYPE_NOT_SUPPORTED"


AUTO = """
version: 1
name: desk
runtime: {provider: offline, model_id: extract}
inputs: {optional: {message: string}}
agents:
  reader: {prompt: Quote what matters., card: {description: Finds facts., capabilities: [research, find sources]}}
  clerk: {prompt: Book it., card: {description: Books tables., capabilities: [book tables]}}
pattern: {type: chain, config: {steps: [{agent: reader, input: "{{ message }}"}]}}
"""


def test_a_request_that_names_nothing_is_led_to_who_can_do_it(serve):
    service = serve({"desk": AUTO, "echo": ECHO}, WEFT_SERVER__GRPC_PORT="0")
    for number, kind in enumerate(CLIENTS.values()):
        task = kind(service).send(told("Find sources on looms: the loom is warped.", f"a{number}"))["task"]
        assert state(task) == "COMPLETED"
        assert answer(task)


def test_the_tenant_of_a_request_routes_it_and_grants_nothing(serve):
    service = serve({"echo": ECHO, "booking": BOOKING}, WEFT_SERVER__GRPC_PORT="0")
    # Named by nothing, a message is for whoever can do what it asks: nobody here.
    assert state(JsonRpc(service).send(told("x", "m"))["task"]) == "REJECTED"
    for number, kind in enumerate(CLIENTS.values()):
        client = kind(service, "echo")
        task = client.send(told("hello", f"m{number}"))["task"]
        assert state(task) == "COMPLETED"
        assert client.get(task["id"])["id"] == task["id"]
        assert refusal(lambda kind=kind, task=task: kind(service, "booking").get(task["id"])).reason == "TASK_NOT_FOUND"
        assert refusal(lambda kind=kind: kind(service, "nothing").send(told("x", "y"))).reason == "TASK_NOT_FOUND"
        assert task["id"] in {one["id"] for one in client.list()["tasks"]}
        assert kind(service, "booking").list().get("tasks", []) == []
    alone = JsonRpc(service, "echo~writer").send(told("hi", "alone"))["task"]
    assert "hi" in answer(alone)
    assert service.card("echo~writer")["name"] == "echo/writer"


def test_a_context_is_a_conversation(serve):
    client = JsonRpc(serve({"echo": ECHO}), "echo~writer")
    first = client.send(told("hello", "m1"))["task"]
    second = client.send(told("again", "m2", contextId=first["contextId"]))["task"]
    assert second["contextId"] == first["contextId"]
    assert second["id"] != first["id"]
    assert [one["id"] for one in client.list(contextId=first["contextId"])["tasks"]] == [second["id"], first["id"]]


async def move(service, run_id, tenant):
    journal = Journal(service.journal)
    await journal.writer.submit(
        lambda store: store.execute("UPDATE runs SET tenant=? WHERE id=?", (tenant, run_id)).rowcount
    )
    journal.close()


def test_what_belongs_to_another_tenant_is_not_there(serve):
    service = serve({"booking": BOOKING}, WEFT_SERVER__GRPC_PORT="0")
    task = JsonRpc(service).send(told("x", "m"))["task"]["id"]
    # Nobody can make a run of another tenant from outside, so the row is moved to one.
    asyncio.run(move(service, task, "other"))
    nobody = "00000000-0000-7000-8000-000000000000"
    for kind in CLIENTS.values():
        client = kind(service)
        for act in (
            lambda one, client=client: client.get(one),
            lambda one, client=client: client.cancel(one),
            lambda one, client=client: list(client.subscribe(one)),
            lambda one, client=client: client.send(told("x", "m9", taskId=one)),
            lambda one, client=client: client.push("Create", one, url="https://example.com/"),
            lambda one, client=client: client.push("List", one),
        ):
            theirs, none = refusal(lambda act=act: act(task)), refusal(lambda act=act: act(nobody))
            assert (theirs.reason, theirs.code, theirs.message) == (none.reason, none.code, none.message)
        assert client.list().get("tasks", []) == []


def test_a_token_is_wanted_on_every_transport_and_the_public_card_tells_little(serve):
    service = serve({"echo": ECHO}, WEFT_SERVER__GRPC_PORT="0", WEFT_SERVER__TOKEN="sesame")
    card = service.card()
    assert card["capabilities"]["extendedAgentCard"] is True
    assert [skill["id"] for skill in card["skills"]] == ["weft"]
    assert card["securitySchemes"]["token"]["httpAuthSecurityScheme"]["scheme"] == "Bearer"
    assert httpx2.get(f"{service.url}/a2a/echo/.well-known/agent-card.json", timeout=60).status_code == 401
    for kind in (JsonRpc, Rest):
        answer = httpx2.post(f"{kind(service).url}", json={}, headers={"a2a-version": "1.0"}, timeout=60)
        assert answer.status_code == 401
    for wrong in ({}, {"authorization": "Bearer wrong"}):
        denied = Grpc(service, **wrong)
        assert refusal(lambda denied=denied: denied.get("x")).code == "UNAUTHENTICATED"
        assert refusal(lambda denied=denied: list(denied.subscribe("x"))).code == "UNAUTHENTICATED"
    for kind in CLIENTS.values():
        client = kind(service, authorization="Bearer sesame")
        assert state(client.send(told("hi", f"m-{kind.__name__}"))["task"]) == "COMPLETED"
        assert {skill["id"] for skill in client.extended_card()["skills"]} == {"echo", "echo~writer"}


def test_a_form_is_filled_by_data_and_a_gate_of_a_child_run_is_decided_by_the_extension(serve):
    service = serve({"booking": BOOKING, "above": ABOVE})
    client = JsonRpc(service, "above")
    task = client.send(told("book", "m1"))["task"]
    assert state(task) == "INPUT_REQUIRED"
    data = next(part["data"] for part in task["status"]["message"]["parts"] if "data" in part)
    assert set(data["form"]["properties"]) == {"people", "day"}
    assert refusal(lambda: client.send(told("two on monday", "m2", taskId=task["id"]))).reason == "INVALID_PARAMS"
    wrong = {
        "messageId": "m3",
        "role": "ROLE_USER",
        "taskId": task["id"],
        "parts": [{"data": {"people": 0, "day": "x"}}],
    }
    assert refusal(lambda: client.send(wrong)).reason == "INVALID_PARAMS"
    right = {**wrong, "messageId": "m4", "parts": [{"data": {"people": 2, "day": "monday"}}]}
    task = client.send(right)["task"]
    assert state(task) == "AUTH_REQUIRED"
    assert "2 on monday" in task["status"]["message"]["parts"][0]["text"]
    data = next(part["data"] for part in task["status"]["message"]["parts"] if "data" in part)
    decision = {"gate": data["gate"], "shown": data["shown"], "choice": "book"}
    said = {"messageId": "m5", "role": "ROLE_USER", "taskId": task["id"], "extensions": [EXTENSION]}
    done = client.send({**said, "parts": [{"data": decision}]})["task"]
    assert state(done) == "COMPLETED"
    assert [message["messageId"] for message in client.get(task["id"])["history"]] == ["m1", "m4", "m5"]
    assert client.send(right)["task"]["id"] == task["id"]


def test_a_decision_made_at_the_command_line_is_seen_by_subscribers(serve):
    service = serve({"booking": BOOKING})
    client = JsonRpc(service)
    task = client.send(told("book", "m1"))["task"]
    stream = client.subscribe(task["id"])
    events = [next(stream)]
    said = {
        "messageId": "m4",
        "role": "ROLE_USER",
        "taskId": task["id"],
        "parts": [{"data": {"people": 2, "day": "x"}}],
    }
    client.send(said)
    assert command("approve", task["id"], "--choice", "book", env=service.environ).code == 0
    events += list(stream)
    assert [state(event) for event in events if state(event)] == [
        "INPUT_REQUIRED",
        "WORKING",
        "AUTH_REQUIRED",
        "WORKING",
        "COMPLETED",
    ]


def test_a_reopened_run_is_a_new_task(serve):
    service = serve({"booking": BOOKING})
    client = JsonRpc(service)
    task = client.send(told("book", "m1"))["task"]
    said = {
        "messageId": "m2",
        "role": "ROLE_USER",
        "taskId": task["id"],
        "parts": [{"data": {"people": 2, "day": "x"}}],
    }
    client.send(said)
    command("reject", task["id"], env=service.environ)
    until(lambda: state(client.get(task["id"])) == "FAILED")
    failed = client.get(task["id"])
    answer = httpx2.post(f"{service.url}/api/v1/runs/{task['id']}/resume", json={"reopen": True}, timeout=30)
    assert answer.status_code < 300, answer.text
    again = f"{task['id']}.2"
    until(lambda: state(client.get(again)) == "AUTH_REQUIRED")
    assert client.get(again)["id"] == again
    assert client.get(task["id"]) == failed
    assert refusal(lambda: list(client.subscribe(task["id"]))).reason == "UNSUPPORTED_OPERATION"
    assert refusal(lambda: client.get(f"{task['id']}.3")).reason == "TASK_NOT_FOUND"
    assert [one["id"] for one in client.list()["tasks"]] == [again]
    assert state(client.cancel(again)) == "CANCELED"


def test_a_task_survives_a_kill_and_its_subscribers_see_the_same_events_after_it(serve):
    service = serve({"slow": SLOW}, WEFT_NET__ALLOW_LOOPBACK="true")
    receiver = Receiver()
    client = JsonRpc(service)
    config = {"url": receiver.url}
    task = client.send(told("go", "m1"), returnImmediately=True, taskPushNotificationConfig=config)["task"]
    receiver.until(lambda got: len(got) >= 1)
    service.kill()
    service.start()
    assert state(client.get(task["id"])) == "WORKING"
    seen: list[list[dict]] = [[], []]

    def read(place: int) -> None:
        for event in client.subscribe(task["id"]):
            seen[place].append(event)

    threads = [threading.Thread(target=read, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: all(seen))
    signal = httpx2.post(f"{service.url}/api/v1/runs/{task['id']}/signal", json={"name": "wake"}, timeout=30)
    assert signal.status_code == 202, signal.text
    for thread in threads:
        thread.join(60)
    assert state(seen[0][-1]) == "COMPLETED"
    assert seen[0][-2:] == seen[1][-2:]
    done = client.get(task["id"])
    assert state(done) == "COMPLETED"
    assert "two" in answer(done)
    assert done["history"][0]["messageId"] == "m1"
    # The same message, sent again by a client that never saw the answer, is the same task.
    assert client.send(told("go", "m1"))["task"]["id"] == task["id"]
    bodies = receiver.until(lambda got: any(state(one) == "COMPLETED" for one in got))
    receiver.close()
    assert sum(state(one) == "COMPLETED" for one in bodies) == 1


def test_streams_end_cleanly_when_the_service_stops_and_the_task_goes_on_later(serve):
    service = serve({"booking": BOOKING}, WEFT_SERVER__DRAIN_S="1")
    client = JsonRpc(service)
    task = client.send(told("go", "m1"))["task"]
    got: list[dict] = []

    def read() -> None:
        for event in client.subscribe(task["id"]):
            got.append(event)  # noqa: PERF402 -- as they come

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: got)
    assert service.stop() == 0
    reader.join(60)
    assert [state(event) for event in got] == ["INPUT_REQUIRED"]
    service.start()
    assert state(client.get(task["id"])) == "INPUT_REQUIRED"


def test_pushes_to_this_machine_are_denied_unless_the_settings_allow_them(serve):
    client = JsonRpc(serve({"booking": BOOKING}))
    config = {"url": "http://127.0.0.1:9/hook"}
    assert refusal(lambda: client.send(told("x", "m"), taskPushNotificationConfig=config)).reason == (
        "UNSUPPORTED_OPERATION"
    )
    assert client.list().get("tasks", []) == []
    task = client.send(told("x", "m"))["task"]["id"]
    assert refusal(lambda: client.push("Create", task, url="http://localhost/")).reason == "UNSUPPORTED_OPERATION"


def test_cards_are_signed_with_the_key_of_the_settings(serve, tmp_path):
    key = tmp_path / "key.pem"
    making = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key)]
    subprocess.run(making, check=True, capture_output=True)
    service = serve({"echo": ECHO}, WEFT_SERVER__CARD_KEY=str(key))
    known = {"signatures", *a2a_pb2.AgentCard.DESCRIPTOR.fields_by_camelcase_name}
    body = {name: value for name, value in service.card().items() if name in known}
    card = ParseDict(body, a2a_pb2.AgentCard(), ignore_unknown_fields=True)
    public = load_pem_private_key(key.read_bytes(), None).public_key()
    create_signature_verifier(lambda *_: public, ["ES256"])(card)
    card.name = "another"
    with pytest.raises(Exception, match="signature"):
        create_signature_verifier(lambda *_: public, ["ES256"])(card)
