"""The HTTP client against real servers on loopback."""

import asyncio
import gzip
import socket
import ssl
import time
import zlib
from datetime import UTC, datetime, timedelta

import httpcore2
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.waiting import promised

from weft.core.errors import (
    AuthError,
    InputError,
    PolicyError,
    ProviderError,
    RateLimitError,
    StepTimeoutError,
    TransientError,
)
from weft.net.client import HttpClient
from weft.net.egress import EgressPolicy
from weft.net.port import Response
from weft.net.transport import EgressTransport
from weft.testing.loopback import LoopbackServer, Reply

LOCAL = EgressPolicy(allow_loopback=True)


class Dialer(httpcore2.AsyncNetworkBackend):
    """Remembers which addresses are dialled, and connects to a local port instead."""

    def __init__(self, port):
        self.dialled = []
        self._port = port
        self._real = httpcore2.AnyIOBackend()

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.dialled.append((host, port))
        return await self._real.connect_tcp("127.0.0.1", self._port)


def resolver(*answers):
    remaining = list(answers)
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    resolve.asked = asked
    return resolve


async def test_a_request_arrives_with_its_method_headers_and_json():
    async with LoopbackServer(lambda _: Reply(body=b'{"ok":true}')) as server, HttpClient(LOCAL) as client:
        answer = await client.request("POST", f"{server.url}/a?b=c", headers={"X-One": "1"}, json={"b": 1, "a": [None]})
    assert answer.status == 200
    assert answer.json() == {"ok": True}
    [got] = server.requests
    assert (got.method, got.target, got.body) == ("POST", "/a?b=c", b'{"a":[null],"b":1}')
    assert got.headers["x-one"] == "1"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"127.0.0.1:{server.port}"


async def test_loopback_is_denied_unless_it_is_allowed():
    async with LoopbackServer(lambda _: Reply()) as server, HttpClient() as client:
        with pytest.raises(PolicyError, match=r"127\.0\.0\.1.*loopback") as caught:
            await client.request("GET", server.url)
    assert "net.allow_loopback" in caught.value.fix
    assert server.requests == []


async def test_a_name_that_resolves_inside_is_denied_and_nothing_is_dialled():
    dialer = Dialer(1)
    for address, word in (
        ("127.0.0.1", "allow_loopback"),
        ("10.0.0.7", "allow_private"),
        ("169.254.169.254", "no setting"),
        ("::ffff:169.254.169.254", "no setting"),
    ):
        async with HttpClient(resolver=resolver([address]), dialer=dialer) as client:
            with pytest.raises(PolicyError, match="inside.example") as caught:
                await client.request("GET", "http://inside.example/")
        assert word in caught.value.fix
    assert dialer.dialled == []


async def test_one_bad_address_among_good_ones_denies_the_name():
    dialer = Dialer(1)
    async with HttpClient(resolver=resolver(["93.184.216.34", "127.0.0.1"]), dialer=dialer) as client:
        with pytest.raises(PolicyError):
            await client.request("GET", "http://mixed.example/")
    assert dialer.dialled == []


async def test_a_name_that_changes_its_answer_cannot_lead_inside():
    async with LoopbackServer(lambda _: Reply(headers={"connection": "close"})) as server:
        dialer = Dialer(server.port)
        rebinding = resolver(["93.184.216.34"], ["127.0.0.1"])
        async with HttpClient(resolver=rebinding, dialer=dialer) as client:
            answer = await client.request("GET", "http://rebind.example/")
            assert answer.status == 200
            assert dialer.dialled == [("93.184.216.34", 80)]
            assert rebinding.asked == ["rebind.example"]
            with pytest.raises(PolicyError):
                await client.request("GET", "http://rebind.example/again")
        assert dialer.dialled == [("93.184.216.34", 80)]
    [got] = server.requests
    assert got.headers["host"] == "rebind.example"


async def test_the_next_address_is_tried_when_one_refuses():
    async with LoopbackServer(lambda _: Reply()) as server:

        class Choosy(Dialer):
            async def connect_tcp(self, host, port, **rest):
                if host == "93.184.216.34":
                    self.dialled.append((host, port))
                    raise httpcore2.ConnectError("refused")
                return await super().connect_tcp(host, port, **rest)

        dialer = Choosy(server.port)
        async with HttpClient(resolver=resolver(["93.184.216.34", "93.184.216.35"]), dialer=dialer) as client:
            assert (await client.request("GET", "http://two.example/")).status == 200
    assert [host for host, _ in dialer.dialled] == ["93.184.216.34", "93.184.216.35"]


async def test_connections_are_kept_for_the_next_request():
    async with LoopbackServer(lambda _: Reply(body=b"x")) as server, HttpClient(LOCAL) as client:
        for _ in range(3):
            await client.request("GET", server.url)
    assert len(server.requests) == 3
    assert server.connections == 1


async def test_a_redirect_to_the_metadata_service_is_denied():
    def answer(_):
        return Reply(status=302, headers={"location": "http://169.254.169.254/latest/meta-data/"})

    async with LoopbackServer(answer) as server, HttpClient(LOCAL) as client:
        with pytest.raises(PolicyError, match=r"169\.254\.169\.254.*metadata"):
            await client.request("GET", server.url)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://u:p@example.com/", "gopher://x/", "http://[::]/"])
async def test_a_redirect_is_held_to_the_policy_again(location):
    async with (
        LoopbackServer(lambda _: Reply(status=301, headers={"location": location})) as server,
        HttpClient(LOCAL) as client,
    ):
        with pytest.raises(PolicyError):
            await client.request("GET", server.url)


async def test_credentials_follow_a_redirect_within_the_origin_only():
    async with LoopbackServer(lambda _: Reply(body=b"end")) as other:

        def answer(got):
            if got.target == "/within":
                return Reply(status=302, headers={"location": "/away"})
            return Reply(status=307, headers={"location": f"{other.url}/end"})

        secret = {"Authorization": "Bearer s", "Cookie": "c", "X-Api-Key": "k", "Accept-Language": "de"}
        async with LoopbackServer(answer) as server, HttpClient(LOCAL) as client:
            got = await client.request("GET", f"{server.url}/within", headers=secret)
        assert got.body == b"end"
        assert got.url == f"{other.url}/end"
        assert [r.headers.get("authorization") for r in server.requests] == ["Bearer s", "Bearer s"]
        [last] = other.requests
        assert not {"authorization", "cookie", "x-api-key"} & set(last.headers)
        assert last.headers["accept-language"] == "de"


async def test_a_body_is_not_carried_to_another_origin():
    async with LoopbackServer(lambda _: Reply()) as other:
        async with (
            LoopbackServer(lambda _: Reply(status=307, headers={"location": other.url})) as server,
            HttpClient(LOCAL) as client,
        ):
            with pytest.raises(PolicyError, match="another origin"):
                await client.request("POST", server.url, json={"secret": 1})
        assert other.requests == []


async def test_a_post_becomes_a_get_after_see_other():
    def answer(got):
        return Reply(status=303, headers={"location": "/done"}) if got.method == "POST" else Reply(body=b"done")

    async with LoopbackServer(answer) as server, HttpClient(LOCAL) as client:
        assert (await client.request("POST", server.url, json=1)).body == b"done"
    assert (server.requests[1].method, server.requests[1].body) == ("GET", b"")
    assert "content-type" not in server.requests[1].headers


async def test_endless_redirects_end():
    async with (
        LoopbackServer(lambda _: Reply(status=302, headers={"location": "/"})) as server,
        HttpClient(EgressPolicy(allow_loopback=True, max_redirects=3)) as client,
    ):
        with pytest.raises(ProviderError, match="more than 3 redirects"):
            await client.request("GET", server.url)
    assert len(server.requests) == 4


async def test_no_cookie_is_kept():
    async with (
        LoopbackServer(lambda _: Reply(headers={"set-cookie": "session=1; Path=/"})) as server,
        HttpClient(LOCAL) as client,
    ):
        await client.request("GET", server.url)
        await client.request("GET", server.url)
    assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip"])
@pytest.mark.slow
async def test_a_compressed_bomb_stops_at_the_limit(encoding):
    bomb = b"\0" * 50_000_000
    for name in encoding.split(", "):
        bomb = gzip.compress(bomb) if name == "gzip" else zlib.compress(bomb)
    policy = EgressPolicy(allow_loopback=True, max_response_bytes=100_000)
    async with (
        LoopbackServer(lambda _: Reply(headers={"content-encoding": encoding}, body=bomb)) as server,
        HttpClient(policy) as client,
    ):
        with pytest.raises(PolicyError, match="larger than 100000 bytes") as caught:
            await client.request("GET", server.url)
    assert "net.max_response_bytes" in caught.value.fix


async def test_a_large_answer_is_refused_announced_or_not():
    async def parts():
        while True:
            yield b"x" * 10_000

    policy = EgressPolicy(allow_loopback=True, max_response_bytes=100_000)
    for body in (b"x" * 100_001, parts()):
        async with LoopbackServer(lambda _, body=body: Reply(body=body)) as server, HttpClient(policy) as client:
            with pytest.raises(PolicyError, match="larger"):
                await client.request("GET", server.url)


async def test_an_answer_of_exactly_the_limit_passes():
    policy = EgressPolicy(allow_loopback=True, max_response_bytes=100_000)
    body = b"x" * 100_000
    async with LoopbackServer(lambda _: Reply(body=body)) as server, HttpClient(policy) as client:
        assert (await client.request("GET", server.url)).body == body


async def test_a_compressed_answer_is_unpacked():
    async with (
        LoopbackServer(lambda _: Reply(headers={"content-encoding": "gzip"}, body=gzip.compress(b"hello"))) as server,
        HttpClient(LOCAL) as client,
    ):
        assert (await client.request("GET", server.url)).text() == "hello"


async def test_a_broken_encoding_is_an_answer_that_cannot_be_read():
    async with (
        LoopbackServer(lambda _: Reply(headers={"content-encoding": "gzip"}, body=b"nonsense")) as server,
        HttpClient(LOCAL) as client,
    ):
        with pytest.raises(ProviderError, match="cannot be read"):
            await client.request("GET", server.url)


async def test_a_body_that_drips_forever_ends_at_the_time_limit():
    async def drip():
        while True:
            yield b"."
            await asyncio.sleep(0.02)

    start = time.monotonic()
    async with LoopbackServer(lambda _: Reply(body=drip())) as server, HttpClient(LOCAL) as client:
        with pytest.raises(StepTimeoutError, match=r"0\.2 s"):
            await client.request("GET", server.url, timeout_s=0.2)
    assert time.monotonic() - start < promised(5)


async def test_a_silent_server_ends_at_the_read_limit():
    async def never(_):
        await asyncio.sleep(60)

    policy = EgressPolicy(allow_loopback=True, read_timeout_s=0.1)
    async with LoopbackServer(never) as server, HttpClient(policy) as client:
        with pytest.raises(StepTimeoutError):
            await client.request("GET", server.url)


async def test_a_slow_look_up_ends_at_the_connect_limit():
    async def slow(host, port):
        await asyncio.sleep(60)

    async with HttpClient(EgressPolicy(connect_timeout_s=0.1), resolver=slow) as client:
        with pytest.raises(StepTimeoutError):
            await client.request("GET", "http://slow.example/")


async def test_cancelling_a_request_cancels_it():
    async def never(_):
        await asyncio.sleep(60)

    async with LoopbackServer(never) as server, HttpClient(LOCAL) as client:
        task = asyncio.create_task(client.request("GET", server.url))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_cut_connection_is_transient():
    async with LoopbackServer(lambda _: Reply(cut=True)) as server, HttpClient(LOCAL) as client:
        with pytest.raises(TransientError) as caught:
            await client.request("GET", f"{server.url}/path?token=hush")
    assert "/path" in caught.value.message
    assert "hush" not in str(caught.value.as_json())


async def test_a_closed_port_is_transient():
    # Held, and nobody listens on it.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        async with HttpClient(LOCAL) as client:
            with pytest.raises(TransientError, match="connection"):
                await client.request("GET", f"http://127.0.0.1:{held.getsockname()[1]}/")


async def test_a_name_without_an_address_is_transient():
    async def fails(host, port):
        raise OSError("no such name")

    for resolve in (fails, resolver([])):
        async with HttpClient(resolver=resolve) as client:
            with pytest.raises(TransientError, match=r"nowhere\.example"):
                await client.request("GET", "http://nowhere.example/")


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"Host": "evil"}, "cannot be set"),
        ({"Content-Length": "0"}, "cannot be set"),
        ({"Transfer-Encoding": "chunked"}, "cannot be set"),
        ({"X": "a\r\nY: b"}, "line breaks"),
        ({"X": "\u00fc"}, "cannot be sent"),
        ({"X": "a" * 20_000}, "too long"),
        ({"a b": "c"}, "not a header name"),
        ({"": "c"}, "not a header name"),
    ],
)
async def test_headers_that_would_change_the_request_are_refused_without_showing_them(headers, word):
    async with HttpClient(LOCAL) as client:
        with pytest.raises(InputError, match=word) as caught:
            await client.request("GET", "http://127.0.0.1:1/", headers=headers)
    assert "Y: b" not in str(caught.value.as_json())


async def test_a_body_that_json_has_no_form_for_is_refused():
    async with HttpClient(LOCAL) as client:
        with pytest.raises(InputError, match="JSON"):
            await client.request("POST", "http://127.0.0.1:1/", json={"x": float("nan")})


def test_unreadable_certificate_authorities_are_an_error_of_ours(monkeypatch, tmp_path):
    (tmp_path / "nonsense.pem").write_text("nonsense")
    for name in ("missing.pem", "nonsense.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
        with pytest.raises(InputError, match="authorities") as caught:
            HttpClient(LOCAL)
        assert "SSL_CERT_FILE" in caught.value.fix


async def test_proxies_of_the_environment_are_not_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with LoopbackServer(lambda _: Reply(body=b"direct")) as server, HttpClient(LOCAL) as client:
        assert (await client.request("GET", server.url)).body == b"direct"


async def test_the_transport_guards_other_clients_too():
    async with LoopbackServer(lambda _: Reply(body=b"x")) as server:
        async with httpx2.AsyncClient(transport=EgressTransport(EgressPolicy())) as client:
            with pytest.raises(PolicyError):
                await client.get(server.url)
        async with httpx2.AsyncClient(transport=EgressTransport(LOCAL)) as client:
            assert (await client.get(server.url)).content == b"x"
            with pytest.raises(httpx2.ConnectError):
                await client.get("http://127.0.0.1:1/")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "named.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("named.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8, open_ = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, pkcs8, open_))
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    return folder


async def test_tls_checks_the_name_although_an_address_is_dialled(certificate):
    names = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    serving.sni_callback = lambda _socket, name, _context: names.append(name)

    async with LoopbackServer(lambda _: Reply(body=b"safe"), ssl_context=serving) as server:
        dialer = Dialer(server.port)
        trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        async with HttpClient(resolver=resolver(["93.184.216.34"]), dialer=dialer, ssl_context=trusting) as client:
            assert (await client.request("GET", "https://named.example/")).body == b"safe"
            with pytest.raises(ProviderError, match="certificate"):
                await client.request("GET", "https://other.example/")
        assert names == ["named.example", "other.example"]
        assert dialer.dialled == [("93.184.216.34", 443)] * 2


def answered(status, **headers):
    return Response(status=status, headers=headers, body=b"", url="https://example.com/x?key=hush")


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, RateLimitError), (500, TransientError), (503, TransientError), (408, TransientError), (401, AuthError)]
    + [(403, AuthError), (404, ProviderError), (400, ProviderError)],
)
def test_a_status_can_be_raised_as_an_error(status, error):
    with pytest.raises(error, match=str(status)) as caught:
        answered(status).raise_for_status()
    assert type(caught.value) is error
    assert "hush" not in str(caught.value)


def test_good_statuses_are_not_raised():
    for status in (200, 204, 304):
        assert answered(status).raise_for_status().status == status


def test_the_wait_that_a_server_asks_for_is_understood():
    date = "Sat, 21 Nov 2026 05:28:00 GMT"
    later = "Sat, 21 Nov 2026 05:28:30 GMT"
    assert answered(429, **{"retry-after": "7"}).retry_after == 7
    assert answered(429, **{"retry-after": later, "date": date}).retry_after == 30
    assert answered(429, **{"retry-after": date, "date": later}).retry_after == 0
    for value in ("soon", "-1", "\u0661", "9" * 400, later):
        assert answered(429, **{"retry-after": value}).retry_after is None
    with pytest.raises(RateLimitError) as caught:
        answered(429, **{"retry-after": "7"}).raise_for_status()
    assert caught.value.retry_after == 7


def test_text_survives_an_unknown_charset():
    answer = Response(status=200, headers={"content-type": "text/plain; charset=klingon"}, body="ü".encode(), url="")
    assert answer.text() == "ü"
    answer = Response(status=200, headers={"content-type": "text/plain; charset=latin-1"}, body=b"\xfc", url="")
    assert answer.text() == "ü"
    for body in (b"{", b"NaN", b"[" * 100_000):
        with pytest.raises(ProviderError, match="not JSON"):
            Response(status=200, headers={}, body=body, url="").json()
