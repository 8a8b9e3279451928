"""Hostile input to the control API: nothing of it makes the service fail, wait for ever, or say what it should not."""

import contextlib
import json
import re
import socket
import time

import httpx2
import pytest

from tests.server.control.service import Api
from tests.waiting import promised, until

pytestmark = pytest.mark.slow
ALIVE = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def exchange(service, data, *, timeout=30.0):
    """What the service answers to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=timeout) as line:
        line.sendall(data)
        return _rest(line)


def _rest(line):
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := line.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def status(answer):
    return int(answer.split(b" ", 2)[1])


def statuses(answers):
    return [int(one) for one in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


@pytest.fixture(scope="module")
def hurried(tmp_path_factory):
    """A service that gives requests one second to arrive, and has room for few."""
    from tests.server.control.service import Served

    served = Served(
        tmp_path_factory.mktemp("hurried"),
        WEFT_SERVER__REQUEST_S="1",
        WEFT_SERVER__MAX_REQUEST_BYTES="20000",
        WEFT_SERVER__CONNECTIONS="220",
        WEFT_SERVER__REQUESTS="8",
    )
    yield served.start()
    served.kill()


def trickle(served, begin, drop, *, every=0.1, longest=30.0):
    """Send `begin`, then one byte at a time; the seconds until the service had enough, and what it said."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        line.sendall(begin)
        line.setblocking(False)
        said = b""
        while time.monotonic() - started < longest:
            try:
                line.send(drop)
            except (ConnectionError, BlockingIOError):
                return time.monotonic() - started, said
            time.sleep(every)
            try:
                part = line.recv(65_536)
                if not part:
                    return time.monotonic() - started, said
                said += part
            except BlockingIOError:
                continue
            except ConnectionError:
                return time.monotonic() - started, said
    raise AssertionError("the service listened on and on")


def test_a_head_that_trickles_is_given_up(hurried):
    took, said = trickle(hurried, b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"a")
    assert 0.8 < took < promised(4)
    assert status(said) == 408
    assert b"application/problem+json" in said


def test_a_second_head_on_a_kept_connection_is_given_up_too(hurried):
    first = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    took, said = trickle(hurried, first + b"GET /health/live HTTP/1.1\r\nX: ", b"a")
    assert took < promised(4)
    assert said.startswith(b"HTTP/1.1 200")


def test_a_body_that_trickles_is_given_up(hurried):
    head = b"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
    took, said = trickle(hurried, head, b" ")
    assert took < promised(4)
    assert status(said) == 408


def test_a_body_that_nobody_reads_is_given_up(hurried):
    head = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\n"
    took, said = trickle(hurried, head, b" ")
    assert took < promised(8)
    assert status(said) == 200


def test_a_connection_that_says_nothing_is_closed(hurried):
    started = time.monotonic()
    assert exchange(hurried, b"") == b""
    assert time.monotonic() - started < promised(4)


def test_many_slow_connections_keep_nobody_from_being_served(hurried):
    lines = [socket.create_connection(("127.0.0.1", hurried.port)) for _ in range(200)]
    for line in lines:
        line.sendall(b"GET / HTTP/1.1\r\n")
    started = time.monotonic()
    assert httpx2.get(f"{hurried.url}/health/live", timeout=30).status_code == 200
    assert time.monotonic() - started < promised(3)
    for line in lines:
        line.settimeout(30)
        _rest(line)
        line.close()


def test_what_is_more_than_there_is_room_for_is_refused_and_nothing_else(hurried):
    lines = [socket.create_connection(("127.0.0.1", hurried.port)) for _ in range(230)]
    refused = [_rest(line) for line in lines[-5:]]
    assert {status(said) for said in refused} == {503}
    for line in lines:
        line.close()
    with contextlib.ExitStack() as held, httpx2.Client(timeout=30) as client:
        made = until(lambda: _started(client, hurried))
        stream = f"{hurried.url}/api/v1/runs/{made}/stream"
        # Whoever opens streams and reads none of them has so many.
        streams = [held.enter_context(client.stream("GET", stream)) for _ in range(8)]
        answer = client.get(f"{hurried.url}/api/v1/runs")
        assert (answer.status_code, answer.json()["code"]) == (429, "rate-limited")
        assert answer.headers["retry-after"] == "1"
        assert client.get(f"{hurried.url}/health/live").status_code == 200
        streams[0].close()
        until(lambda: client.get(f"{hurried.url}/api/v1/runs").status_code == 200)


def _started(client, served):
    """A run that waits; None while the service has no connection to spare."""
    with contextlib.suppress(httpx2.TransportError):
        answer = client.post(f"{served.url}/api/v1/runs", json={"workflow": "nap"})
        return answer.json()["id"] if answer.status_code == 202 else None
    return None


def test_what_is_too_large_is_refused_before_it_is_read(hurried):
    head = b"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    assert status(exchange(hurried, head + b"Content-Length: 99999999999\r\n\r\n")) == 413
    chunk = b"4e20\r\n" + b" " * 20_000 + b"\r\n"
    assert status(exchange(hurried, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 2)) == 413


def test_a_huge_head_is_refused(service):
    long = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n"
    assert status(exchange(service, long)) in {400, 431}
    many = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 40_000 + b"\r\n"
    assert status(exchange(service, many)) in {400, 431}
    assert status(exchange(service, ALIVE)) == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\nnonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: banana\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: banana, chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nX: there is no host\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX\x00Y: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(service, raw):
    assert status(exchange(service, raw)) in {400, 403, 404, 501, 505}
    assert status(exchange(service, ALIVE)) == 200


CHUNKED = b"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_fields_behind_a_body_are_no_head_and_no_store(service):
    body = b'f\r\n{"workflow": ""\r\n1\r\n}\r\n0\r\n'
    answer = exchange(service, CHUNKED + body + b"Host: evil.example\r\nAuthorization: x\r\n\r\n" + ALIVE)
    assert statuses(answer) == [422, 200]
    assert statuses(exchange(service, CHUNKED + body + b"Content-Length: 7\r\n\r\n")) == [400]
    with contextlib.suppress(ConnectionError):  # it is cut before it is sent
        assert status(exchange(service, CHUNKED + body + b"X: " + b"a" * 4_000_000)) in {400, 422}
    assert status(exchange(service, ALIVE)) == 200


def test_requests_that_are_sent_ahead_are_answered_in_order_and_are_not_too_many(service):
    kept = ALIVE.replace(b"Connection: close\r\n", b"")
    answer = exchange(service, kept * 5 + b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + ALIVE)
    assert statuses(answer) == [200] * 5 + [404, 200]
    # With 2,000 at once the line is cut, whether or not something of it was answered first.
    with contextlib.suppress(ConnectionError):
        exchange(service, kept * 2_000 + ALIVE)
    assert status(exchange(service, ALIVE)) == 200


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "PATCH", "HEAD", "get", "OPTIONS", "BREW", "X" * 5_000])
def test_methods_that_nobody_takes_are_refused(service, method):
    raw = f"{method} /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-HTTP-Method-Override: POST\r\nConnection: close\r\n\r\n"
    assert status(exchange(service, raw.encode())) in {400, 404, 405}


def test_a_page_of_another_origin_and_a_foreign_name_are_refused(service):
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{service.port + 1}"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
    ):
        answer = httpx2.post(f"{service.url}/api/v1/runs", json={"workflow": "nap"}, headers=headers, timeout=60)
        assert answer.status_code == 403, headers
    own = httpx2.get(f"{service.url}/api/v1/runs", headers={"Origin": service.url}, timeout=60)
    assert own.status_code == 200


def test_a_socket_is_not_upgraded(service):
    raw = (
        b"GET /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert status(exchange(service, raw)) in {200, 400, 403}


BODIES = {
    "deep": b'{"workflow":"brief","inputs":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    "deep list": b"[" * 100_000,
    "just too deep": b'{"workflow":"brief","inputs":{"a":' + b"[" * 120 + b"]" * 120 + b"}}",
    "bad utf-8": b'{"workflow":"\xff\xfe"}',
    "utf-16": '{"workflow":"brief"}'.encode("utf-16"),
    "half a pair": b'{"workflow":"brief","inputs":{"text":"\\ud800"}}',
    "not a number": b'{"workflow":"brief","inputs":{"text":NaN}}',
    "endless": b'{"workflow":"brief","inputs":{"text":1e999}}',
    "many digits": b'{"workflow":"brief","inputs":{"text":' + b"9" * 5_000 + b"}}",
    "list": b"[]",
    "null": b"null",
    "text": b'"brief"',
    "nothing": b"",
    "half": b'{"workflow":"bri',
    "wrong types": b'{"workflow":7,"inputs":[],"session":{},"version":"x"}',
    "unknown": b'{"workflow":"brief","tenant":"other","principal":"root"}',
    "zero": b'{"workflow":"\\u0000","inputs":{"\\u0000":"\\u0000"}}',
    "proto": b'{"workflow":"brief","inputs":{"__proto__":1,"__class__":2,"text":["a"]}}',
    "huge version": b'{"workflow":"brief","version":99999999999999999999}',
    "path": b'{"workflow":"../../etc/passwd"}',
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    "path", ["/runs", "/workflows", "/workflows/validate", "/gates/x/decide", "/runs/x/signal", "/schedules"]
)
def test_bodies_that_do_not_fit_are_refused(api, path, name):
    answer = api.client.post(path, content=BODIES[name], headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 404, 409, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/xml",
        "\xff",
    ],
)
def test_other_types_start_nothing(api, kind):
    """A page of another origin can send these without asking."""
    answer = api.client.post(
        "/runs", content=b'{"workflow":"nap"}', headers={"Content-Type": kind.encode("latin-1")} if kind else {}
    )
    assert answer.status_code in {400, 422}


def test_yaml_bombs_and_broken_texts_are_problems_with_places(api):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + at)}: &{chr(98 + at)} [{','.join(f'*{chr(97 + at)}' for _ in range(9))}]\n" for at in range(9)
    )
    deep = "a: " + "[" * 20_000
    for text in (
        bomb,
        deep,
        "name: [",
        "\x00",
        "- 1",
        "!!python/object/apply:os.system ['true']",
        "%",
        "{{ ''.__class__ }}",
    ):
        found = api("POST", "/workflows/validate", content=text.encode(), headers={"Content-Type": "application/yaml"})
        assert found["valid"] is False
        assert found["problems"]
        answer = api.client.post("/workflows", content=text.encode(), headers={"Content-Type": "application/yaml"})
        assert answer.status_code == 422
        assert answer.json()["problems"]
    answer = api.client.post("/workflows", content=b"\xff\xfe\xff", headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 422


def test_a_workflow_from_outside_reads_no_file_of_the_machine(api, service):
    (service.home / "secret.yaml").write_text("version: 0\nname: hidden-name\n")
    for target in ("../secret.yaml", str(service.home / "secret.yaml"), "/etc/passwd", "../../flows/brief.yaml"):
        text = (
            "version: 1\nname: spy\nruntime: {provider: offline}\nagents: {a: {prompt: p}}\n"
            f"pattern: {{type: chain, config: {{steps: [{{workflow: '{target}'}}]}}}}\n"
        )
        found = api("POST", "/workflows/validate", content=text.encode(), headers={"Content-Type": "application/yaml"})
        assert found["valid"] is False, target
        assert "hidden-name" not in json.dumps(found)
        assert "root:" not in json.dumps(found)


def test_thousands_of_parameters_and_odd_ones_are_refused(service):
    for query in (
        "&".join(f"a{n}=1" for n in range(5_000)),
        "&".join("limit=1" for n in range(5_000)),
        "status=" + "&status=".join(["failed"] * 1_000),
        "limit=99999999999999999999999",
        "limit=1e3",
        "cursor=" + "A" * 5_000,
        "cursor=WzFd",
        "cursor=W1tbW1tbXV1dXV1d",
        "cursor=%00",
        "since=99999-01-01",
        "id=%ff%fe",
        "limit[]=5",
    ):
        answer = httpx2.get(f"{service.url}/api/v1/runs?{query}", timeout=30)
        assert answer.status_code in {200, 422}, (query[:40], answer.text[:200])
        assert answer.status_code == 422 or query.startswith(("id=", "limit=1&"))


def test_the_wall_asks_for_the_token_everywhere(serve):
    served = serve(WEFT_SERVER__TOKEN="s3cret-token")
    for path in ("/api/v1/runs", "/api/v1/settings", "/openapi.json", "/api/v1/nowhere"):
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Basic s3cret-token"},
            {"Authorization": "Bearer"},
        ):
            answer = httpx2.get(f"{served.url}{path}", headers=headers, timeout=60)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert httpx2.get(f"{served.url}/health/live", timeout=60).status_code == 200
    with Api(served.url, Authorization="Bearer s3cret-token") as api:
        rows = {row["name"]: row for row in api.get("/settings", limit=200)["items"]}
        assert rows["server.token"]["value"] == "********"
        assert "s3cret-token" not in json.dumps(rows)
    assert "s3cret-token" not in served.log
