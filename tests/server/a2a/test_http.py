"""What the HTTP bindings do with what is no request of theirs, and how cards are served."""

import json

import httpx2
import pytest

from tests.server.a2a.service import HEADERS, told

pytestmark = pytest.mark.slow


def rpc(kit, body, path="/a2a", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(f"{kit.url}{path}", content=content, headers={**HEADERS, **headers}, timeout=30)


def call(method, params, id_=1):
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}


def test_json_rpc_answers_with_and_without_a_slash_at_its_end(kit):
    for path in ("/a2a", "/a2a/"):
        answer = rpc(kit, call("GetTask", {"id": "x"}), path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        error = answer.json()["error"]
        assert error["code"] == -32001
        assert error["data"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
        assert (error["data"][0]["reason"], error["data"][0]["domain"]) == ("TASK_NOT_FOUND", "a2a-protocol.org")


def test_a_body_that_is_not_json_by_its_type_is_415(kit):
    message = {"message": told("x", "m")}
    answer = rpc(kit, call("SendMessage", message), **{"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, -32005)
    plain = {**HEADERS, "content-type": "text/plain"}
    answer = httpx2.post(f"{kit.url}/a2a/rest/message:send", content=json.dumps(message), headers=plain, timeout=60)
    assert answer.status_code == 415
    error = answer.json()["error"]
    assert (error["code"], error["details"][0]["reason"]) == (415, "CONTENT_TYPE_NOT_SUPPORTED")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe{}", -32700),
        (b"[" * 100_000, -32600),
        (b'{"a":' * 5_000, -32600),
        (b"", -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"GetTask"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"Nothing"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":7}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":[]}', -32602),
    ],
)
def test_malformed_json_rpc_is_answered_in_its_own_form(kit, body, code):
    answer = rpc(kit, body)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize("body", [b"{", b"\xff{}", b"[" * 1_000, b"{}", b'{"message": {"parts": 7}}', b"[]"])
def test_malformed_rest_is_answered_as_a_status(kit, body):
    answer = httpx2.post(f"{kit.url}/a2a/rest/message:send", content=body, headers=HEADERS, timeout=60)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["error"]["code"] == 400


def test_a_list_of_a_state_that_is_none_is_refused_and_told_to_its_request(kit):
    refused = rpc(kit, call("ListTasks", {"status": "TASK_STATE_ASLEEP"}, 9)).json()
    assert (refused["id"], refused["error"]["code"]) == (9, -32602)
    assert "TASK_STATE_ASLEEP" in refused["error"]["message"]
    assert "result" in rpc(kit, call("ListTasks", {"status": "TASK_STATE_WORKING"})).json()
    answer = httpx2.get(f"{kit.url}/a2a/rest/tasks?status=asleep", headers=HEADERS, timeout=60)
    assert (answer.status_code, answer.json()["error"]["details"][0]["reason"]) == (400, "INVALID_PARAMS")
    assert (
        httpx2.get(f"{kit.url}/a2a/rest/tasks?status=TASK_STATE_WORKING", headers=HEADERS, timeout=60).status_code
        == 200
    )


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "nothing", 404), ("PUT", "tasks", 405), ("GET", "message:send", 405)]
)
def test_an_address_of_rest_that_is_none_is_told_as_a_status(kit, method, path, status):
    answer = httpx2.request(method, f"{kit.url}/a2a/rest/{path}", headers=HEADERS, timeout=60)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json()["error"]["code"] == status


def test_too_much_is_refused_at_the_outer_wall(kit):
    assert rpc(kit, b" " * 11_000_000).status_code == 413


def test_unknown_fields_are_ignored(kit):
    message = {**told("x", "tck-complete-task-unknown"), "later": {"a": 1}}
    assert "result" in rpc(kit, call("SendMessage", {"message": message, "more": 42})).json()
    answer = httpx2.post(
        f"{kit.url}/a2a/rest/message:send", json={"message": message, "more": 42}, headers=HEADERS, timeout=60
    )
    assert answer.headers["content-type"] == "application/a2a+json"
    assert "task" in answer.json()


def test_an_activated_extension_is_named_in_the_answer(kit):
    answer = rpc(kit, call("GetTask", {"id": "x"}), **{"a2a-extensions": "urn:weft:a2a:gates:v1"})
    assert answer.headers["a2a-extensions"] == "urn:weft:a2a:gates:v1"
    assert "a2a-extensions" not in rpc(kit, call("GetTask", {"id": "x"})).headers


def test_the_version_may_stand_in_the_query(kit):
    answer = httpx2.get(f"{kit.url}/a2a/rest/tasks/x?A2A-Version=1.0", timeout=60)
    assert answer.json()["error"]["details"][0]["reason"] == "TASK_NOT_FOUND"
    answer = httpx2.get(f"{kit.url}/a2a/rest/tasks/x", timeout=60)
    assert answer.json()["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"


def test_the_card_says_what_is_served_and_how_and_can_be_cached(kit):
    answer = httpx2.get(f"{kit.url}/.well-known/agent-card.json", timeout=60)
    assert "max-age=" in answer.headers["cache-control"]
    assert answer.headers["last-modified"].endswith("GMT")
    again = httpx2.get(answer.url, headers={"if-none-match": answer.headers["etag"]}, timeout=60)
    assert (again.status_code, again.content) == (304, b"")
    card = answer.json()
    bindings = {one["protocolBinding"]: one for one in card["supportedInterfaces"]}
    assert bindings.keys() == {"JSONRPC", "HTTP+JSON", "GRPC"}
    assert {one["protocolVersion"] for one in bindings.values()} == {"1.0"}
    assert bindings["JSONRPC"]["url"] == f"{kit.url}/a2a"
    assert card["capabilities"]["streaming"] is True
    assert card["capabilities"]["pushNotifications"] is True
    assert {"tck-complete-task", "tck-input-required"} <= {skill["id"] for skill in card["skills"]}


def test_each_workflow_and_agent_has_a_card_of_its_own(kit):
    card = kit.card("tck-complete-task~nobody")
    assert card["name"] == "tck-complete-task/nobody"
    assert {one["tenant"] for one in card["supportedInterfaces"]} == {"tck-complete-task~nobody"}
    assert [skill["id"] for skill in card["skills"]] == ["tck-complete-task~nobody"]
    assert httpx2.get(f"{kit.url}/a2a/nothing/.well-known/agent-card.json", timeout=60).status_code == 404
