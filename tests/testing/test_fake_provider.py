from __future__ import annotations

import http.client
import json
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from weft.testing.providers import FakeProvider, Request, Script, Turn, call, fail, garbage, half, say, slow
from weft.testing.providers.wire.bedrock import frame

BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def connect(fake: FakeProvider) -> http.client.HTTPConnection:
    parts = urlsplit(fake.base_url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)


def post(connection: http.client.HTTPConnection, body: Any = BODY, **headers: str) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", "/v1/chat/completions?a=1", data, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def text(answer: Any) -> str:
    return answer["choices"][0]["message"]["content"]


def test_turns_come_in_order_and_the_last_is_repeated() -> None:
    with FakeProvider("openai", Script(say("one"), say("two"))) as fake:
        connection = connect(fake)
        assert [text(post(connection)[1]) for _ in range(4)] == ["one", "two", "two", "two"]
        connection.close()


def test_a_strict_script_refuses_what_was_not_scripted() -> None:
    with FakeProvider("openai", Script(say("one"), strict=True)) as fake:
        connection = connect(fake)
        assert [post(connection)[0] for _ in range(2)] == [200, 500]
        connection.close()


def test_a_function_may_be_the_brain() -> None:
    def brain(request: Request) -> Turn:
        return call("echo", {"said": request.prompt}) if request.number == 1 else fail(404, "gone")

    with FakeProvider("openai", brain) as fake:
        connection = connect(fake)
        _, answer = post(connection)
        tool = answer["choices"][0]["message"]["tool_calls"][0]["function"]
        assert (tool["name"], json.loads(tool["arguments"])) == ("echo", {"said": "hello"})
        assert post(connection) == (404, {"error": {"message": "gone"} | post(connection)[1]["error"]})
        connection.close()


def test_requests_are_kept_as_they_came() -> None:
    with FakeProvider("openai", say("ok")) as fake:
        connection = connect(fake)
        post(connection, Authorization="Bearer k")
        connection.close()
        (request,) = fake.requests
    assert (request.number, request.method, request.model, request.prompt) == (1, "POST", "m", "hello")
    assert request.headers["authorization"] == "Bearer k"
    assert request.query == {"a": ["1"]}
    assert request.body == BODY


def test_one_connection_carries_many_requests() -> None:
    with FakeProvider("openai", say("ok")) as fake:
        connection = connect(fake)
        for _ in range(50):
            post(connection)
        connection.close()
        assert fake.connections == 1
        assert len(fake.requests) == 50


def test_many_connections_are_served_at_once() -> None:
    with FakeProvider("openai", slow(say("ok"), 0.2)) as fake:
        done: list[str] = []

        def one() -> None:
            connection = connect(fake)
            done.append(text(post(connection)[1]))
            connection.close()

        threads = [threading.Thread(target=one) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert done == ["ok"] * 20


def test_a_wrong_key_gets_the_providers_own_401() -> None:
    with FakeProvider("openai", say("ok"), key="right") as fake:
        connection = connect(fake)
        assert post(connection, Authorization="Bearer right")[0] == 200
        status, body = post(connection, Authorization="Bearer wrong")
        connection.close()
    assert (status, body["error"]["code"]) == (401, "invalid_api_key")


def test_a_chunked_request_is_read() -> None:
    with FakeProvider("openai", say("ok")) as fake:
        connection = connect(fake)
        data = json.dumps(BODY).encode()
        connection.request("POST", "/v1/chat/completions", iter([data[:9], data[9:]]), encode_chunked=True)
        assert text(json.loads(connection.getresponse().read())) == "ok"
        connection.close()
        assert fake.requests[0].body == BODY


def test_half_a_body_breaks_the_connection() -> None:
    with FakeProvider("openai", half("a whole sentence")) as fake:
        connection = connect(fake)
        connection.request("POST", "/v1/chat/completions", json.dumps(BODY))
        with pytest.raises(http.client.IncompleteRead):
            connection.getresponse().read()
        connection.close()


def test_garbage_is_sent_as_it_is_and_a_bad_request_does_no_harm() -> None:
    with FakeProvider("openai", garbage(b"?")) as fake:
        connection = connect(fake)
        connection.request("POST", "/v1/chat/completions", b"{not json")
        assert connection.getresponse().read() == b"?"
        connection.close()
        assert fake.requests[0].body == {}


@given(st.text(max_size=50), st.dictionaries(st.text(max_size=5), st.text(max_size=50), max_size=3))
def test_event_stream_frames_are_what_aws_reads(name: str, payload: dict[str, str]) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(frame(name, payload) * 2)
    messages = list(buffer)
    assert [json.loads(message.payload) for message in messages] == [payload, payload]
    assert messages[0].headers[":event-type"] == name
