"""Broken ways: what is sent again, what is not, and streams that go on over restarts."""

import contextlib
import json
import socket
import threading
import time

import pytest

from weft import AsyncClient, Client, MismatchError, NotFoundError, StepTimeoutError, TransientError
from weft.core.errors import RateLimitError

OK = {"items": [], "next": None}


class Way:
    """A listener that answers each connection as the script says, and keeps what it was sent."""

    def __init__(self, *script):
        self.script, self.requests = list(script), []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                line, _ = self.server.accept()
            except OSError:
                return
            with line, contextlib.suppress(OSError):
                self.requests.append(line.recv(65_536).decode())
                answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if answer is not None:
                    line.sendall(answer)

    def close(self):
        self.server.close()


def answer(status, body, *headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


@pytest.fixture
def way():
    made = []

    def make(*script):
        made.append(Way(*script))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr("weft.client.exchange._FIRST_S", 0.01)


def test_what_reads_is_tried_again_after_a_broken_connection_and_a_bad_gateway(way):
    one = way(None, answer(502, b"<html>"), answer(200, OK))
    with Client(one.url) as client:
        assert client.runs.list().page().items == []
    assert len(one.requests) == 3


def test_a_start_is_tried_again_under_the_same_key(way):
    one = way(
        None, answer(503, {"code": "transient", "detail": "busy"}), answer(409, {"code": "conflict", "detail": "x"})
    )
    with Client(one.url) as client, pytest.raises(Exception, match="x"):
        client.runs.start(workflow="brief")
    keys = {line for text in one.requests for line in text.split("\r\n") if line.lower().startswith("idempotency-key")}
    assert len(one.requests) == 3 and len(keys) == 1


def test_what_may_have_happened_is_not_done_again(way):
    one = way(None)
    with Client(one.url) as client, pytest.raises(TransientError):
        client.runs.fork("a")
    assert len(one.requests) == 1


def test_whoever_is_asked_to_slow_down_waits_and_gives_up_in_the_end(way):
    slow = answer(429, {"code": "rate-limited", "detail": "slower"}, "Retry-After: 0")
    one = way(slow)
    with Client(one.url, retries=2) as client, pytest.raises(RateLimitError):
        client.runs.fork("a")
    assert len(one.requests) == 3
    later = way(answer(429, {"code": "rate-limited", "detail": "slower"}, "Retry-After: 3600"))
    with Client(later.url) as client, pytest.raises(RateLimitError) as refused:
        client.runs.list().page()
    assert refused.value.retry_after == 3600 and len(later.requests) == 1


def test_nobody_there_and_nobody_answering():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Client(url, timeout=0.1, retries=0) as client, pytest.raises(StepTimeoutError):
            client.runs.list().page()
    with Client(url, retries=1) as client, pytest.raises(TransientError, match="there is no service at"):
        client.runs.list().page()


@pytest.mark.parametrize("body", [b"not json", b'{"items": 7}', b"[" * 100_000])
def test_an_answer_that_is_none_is_a_mismatch(way, body):
    with Client(way(answer(200, body)).url) as client, pytest.raises(MismatchError):
        client.runs.list().page()


def test_an_answer_of_somebody_else_is_no_traceback(way):
    with Client(way(answer(404, b"<html>")).url) as client, pytest.raises(NotFoundError, match="none of Weft's"):
        client.runs.list().page()


def frame(seq, kind="step.completed", id_=True):
    data = json.dumps({"seq": seq, "topic": "run/a", "type": kind, "at": 1, "data": {"path": ""}})
    return f"{f'id: {seq}' if id_ else ': no id'}\nevent: {kind}\ndata: {data}\n\n".encode()


def stream(*frames):
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + b"".join(frames)


def test_a_stream_goes_on_where_it_broke(way):
    half = frame(3)[:20]
    one = way(
        stream(frame(1), frame(2), frame(2, "delta", False), half), None, stream(frame(3), frame(4, "run.completed"))
    )
    with Client(one.url) as client:
        assert [event.seq for event in client.runs.stream("a")] == [1, 2, 2, 3, 4]
    last = [line for text in one.requests for line in text.split("\r\n") if line.lower().startswith("last-event-id")]
    assert [line.split(": ")[1] for line in last] == ["2", "2"]


async def test_it_does_so_with_an_event_loop(way):
    one = way(stream(frame(1)), stream(frame(2, "run.failed")))
    async with AsyncClient(one.url) as client:
        assert [event.seq async for event in client.runs.stream("a")] == [1, 2]


def test_a_stream_with_nothing_more_to_say_ends(way):
    one = way(stream())
    with Client(one.url) as client:
        assert list(client.runs.stream("a", after=9)) == []
    assert len(one.requests) == 2


def test_a_stream_is_refused_at_once_when_there_is_no_such_run_and_given_up_when_nobody_comes_back(way, monkeypatch):
    with Client(way(answer(404, {"code": "not-found", "detail": "no"})).url) as client, pytest.raises(NotFoundError):
        list(client.runs.stream("a"))
    monkeypatch.setattr("weft.client.streaming._PATIENCE", 2)
    one = way(stream(frame(1)), None)
    with Client(one.url) as client, pytest.raises(TransientError):
        list(client.runs.stream("a"))
    assert len(one.requests) == 4


def test_a_stream_of_nonsense_is_a_mismatch(way):
    for said in (b"data: nonsense\n\n", b'data: {"seq": "x"}\n\n'):
        with Client(way(stream(said)).url) as client, pytest.raises(MismatchError):
            list(client.runs.stream("a"))


@pytest.mark.slow
def test_a_stream_goes_on_over_a_killed_service(serve):
    served = serve()
    with Client(served.url) as client:
        run = client.runs.start(workflow="nap")
        seen = []

        def read():
            for event in client.runs.stream(run.id):
                if not event.delta:
                    seen.append(event)

        reader = threading.Thread(target=read)
        reader.start()
        until = time.monotonic() + 30
        while client.runs.show(run.id, steps=False).status != "waiting" and time.monotonic() < until:
            time.sleep(0.05)
        served.restart()
        client.runs.signal(run.id, name="wake")
        reader.join(60)
        assert not reader.is_alive()
        assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
        assert seen[-1].type == "run.completed"
