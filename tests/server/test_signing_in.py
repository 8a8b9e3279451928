"""Who comes in: tokens of an issuer, a provider for browsers, links, keys; and everybody who must not."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.server.provider import Provider
from weft.app.admission import keyset
from weft.app.admission.cookies import new_link
from weft.app.hosting import Host
from weft.core.owner import LOCAL
from weft.core.settings import Settings
from weft.core.settings_model import IdentitySettings, Net, Server
from weft.server.application import build
from weft.store.signins import forget_signins

URL = "http://127.0.0.1"


@pytest.fixture(scope="module")
def provider():
    one = Provider()
    yield one
    one.close()


@pytest.fixture
async def opened(tmp_path, provider, monkeypatch):
    """Opens a service that takes the provider's word."""
    monkeypatch.setattr(keyset, "_AGAIN_S", 0.0)
    provider.rotate()
    made = []

    def make(**identity):
        given = {"issuer": provider.url, "audience": "weft", "role_claim": "roles", **identity}
        settings = Settings(
            home=tmp_path / f"home{len(made)}",
            net=Net(allow_loopback=True),
            server=Server(),
            identity=IdentitySettings(**given),
        )
        host = Host(settings)
        client = httpx2.AsyncClient(transport=httpx2.ASGITransport(build(host, url=URL)), base_url=URL)
        made.append((host, client))
        return host, client

    yield make
    for host, client in made:
        await client.aclose()
        await host.drain()
        await host.close()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def status(client, token, path="/auth/me"):
    return (await client.get(path, headers=bearer(token))).status_code


async def test_a_token_of_the_issuer_is_somebody_in_a_role(opened, provider):
    host, client = opened()
    me = (await client.get("/auth/me", headers=bearer(provider.token()))).json()
    assert (me["principal"], me["tenant"], me["identity"]) == ("ann@example.org", "local", "on")
    assert "gates:decide" in me["rights"]
    assert "runs:start" not in me["rights"]
    assert (await client.get("/auth/me")).status_code == 401
    # A user who is known here has the role that stands here, and is out once disabled.
    user = await host.identity.add_user("ann@example.org", "Ann", "viewer")
    me = (await client.get("/auth/me", headers=bearer(provider.token()))).json()
    assert "gates:decide" not in me["rights"]
    await host.identity.change_user(type(user)(id=user.id, name=user.name, role="viewer", disabled=True))
    assert await status(client, provider.token()) == 401
    host.trail.flush()
    host.journal.writer.drain()
    acts = [(one.principal, one.outcome) for one in host.journal.audit.list() if one.act == "sign-in"]
    assert ("ann@example.org", "done") in acts
    assert ("", "denied") in acts


async def test_tokens_that_are_not_good_are_refused(opened, provider):
    _, client = opened()
    now = int(time.time())
    assert await status(client, provider.token()) == 200
    pem = provider.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": provider.url, "aud": "weft", "exp": now + 300, "sub": "ann@example.org", "roles": ["admin"]}

    def text(part):
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    head = text({"alg": "HS256", "kid": provider.kid})
    mac = base64.urlsafe_b64encode(hmac.new(pem, f"{head}.{text(claims)}".encode(), hashlib.sha256).digest())
    good = provider.token().split(".")
    for bad in (
        provider.token(exp=now - 60),
        provider.token(nbf=now + 120),
        provider.token(aud="somebody"),
        provider.token(iss="http://elsewhere"),
        provider.token(sub=""),
        provider.token(sub="local"),
        provider.token(sub="a\nb"),
        provider.token(roles=["king"]),
        f"{head}.{text(claims)}.{mac.rstrip(b'=').decode()}",  # the public key as if it were a secret
        f"{text({'alg': 'none', 'kid': provider.kid})}.{text(claims)}.",
        jwt.encode(claims, "A" * 32, algorithm="HS256", headers={"kid": "mac"}),
        f"{good[0]}.{text(claims)}.{good[2]}",
        f"{good[0]}.{good[1]}.",
        "a.b.c",
        "x" * 20_000 + "..",
    ):
        assert await status(client, bad) == 401, bad


async def test_the_head_of_a_token_chooses_no_key_and_no_place_to_fetch_one(opened, provider):
    _, client = opened()
    assert await status(client, provider.token()) == 200
    fetched = provider.fetched
    claims = {"iss": provider.url, "aud": "weft", "exp": int(time.time()) + 300, "sub": "eve", "roles": ["admin"]}
    own = rsa.generate_private_key(65537, 2048)
    shown = jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
    for head in (
        {"kid": provider.kid},
        {"kid": provider.kid, "jwk": shown},
        {"kid": provider.kid, "jku": "http://evil.example/keys", "x5u": "http://evil.example/cert"},
        {"kid": "http://evil.example/keys"},
        {"kid": "../../../../dev/null"},
        {"kid": "x' UNION SELECT 'key' --"},
        {"kid": "\0"},
        {"kid": ""},
        {"kid": provider.kid, "crit": ["b64"], "b64": False},
        {},
    ):
        assert await status(client, jwt.encode(claims, own, algorithm="RS256", headers=head)) == 401, head
    parts = (json.dumps(one).encode() for one in ({"alg": "HS256", "kid": "../../../../dev/null"}, claims))
    signed = b".".join(base64.urlsafe_b64encode(one).rstrip(b"=") for one in parts)
    empty = base64.urlsafe_b64encode(hmac.new(b"", signed, hashlib.sha256).digest()).rstrip(b"=")
    assert await status(client, (signed + b"." + empty).decode()) == 401
    assert provider.fetched - fetched <= 12
    # A token of two parts that were each genuine is none.
    one, other = provider.token().split("."), provider.token(sub="bo").split(".")
    assert await status(client, f"{one[0]}.{other[1]}.{one[2]}") == 401


async def test_an_issuer_that_is_away_stops_nobody_who_is_known_and_lets_nobody_else_in(opened, provider):
    _, client = opened()
    known = provider.token()
    assert await status(client, known) == 200
    provider.away = True
    try:
        assert await status(client, known) == 200
        provider.rotate()
        refused = await client.get("/auth/me", headers=bearer(provider.token()))
        assert (refused.status_code, "cannot be fetched" in refused.json()["detail"]) == (401, True)
        assert await status(client, known) == 200
    finally:
        provider.away = False
    assert await status(client, provider.token()) == 200


class Later:
    """A clock that goes on when it is told to."""

    def __init__(self, clock):
        self.began, self.more = clock.monotonic(), 0.0

    def monotonic(self):
        return self.began + self.more


async def fetched(keys):
    """Wait until nothing is being fetched."""
    async with asyncio.timeout(60):
        while keys._fetching is not None:
            await asyncio.sleep(0.01)


async def quickly(waited):
    """What it comes to; nobody may be kept waiting by an issuer that does not answer."""
    async with asyncio.timeout(10):
        return await waited


async def test_keys_that_are_known_count_on_while_the_issuer_is_away_and_not_for_ever(opened, provider):
    host, client = opened(keys_hours=8)
    clock = host.tokens.keys._clock = Later(host.clock)
    known = provider.token(exp=int(time.time()) + 90_000)
    assert await status(client, known) == 200
    provider.away = True
    try:
        for hours in (2, 5, 7.9):
            clock.more = hours * 3_600
            assert await status(client, known) == 200
            await fetched(host.tokens.keys)
        clock.more = 8.1 * 3_600
        assert await status(client, known) == 401
    finally:
        provider.away = False
    assert await status(client, known) == 200
    # A key that the issuer has taken away is worth nothing once that is known.
    provider.rotate()
    assert await status(client, known) == 200
    clock.more += 3_700
    await status(client, known)
    await fetched(host.tokens.keys)
    assert await status(client, known) == 401
    assert await status(client, provider.token()) == 200


async def test_an_issuer_that_does_not_answer_keeps_nobody_waiting(opened, provider, monkeypatch):
    monkeypatch.setattr(keyset, "_WAIT_S", 0.2)
    host, client = opened()
    clock = host.tokens.keys._clock = Later(host.clock)
    known = provider.token()
    assert await status(client, known) == 200
    clock.more, before = 3_700, provider.fetched
    provider.answers.clear()
    try:
        assert await quickly(status(client, known)) == 200
        provider.rotate()
        unknown = [status(client, provider.token(jti=str(number))) for number in range(20)]
        assert set(await quickly(asyncio.gather(*unknown))) == {401}
        assert await quickly(status(client, known)) == 200
        # All of them wait for one answer.
        assert provider.fetched - before <= 1
    finally:
        provider.answers.set()
    await fetched(host.tokens.keys)
    assert await status(client, provider.token()) == 200


async def test_tokens_with_unknown_keys_ask_the_issuer_now_and_then_and_are_noted(opened, provider, monkeypatch):
    host, client = opened()
    monkeypatch.setattr(keyset, "_AGAIN_S", 5.0)
    clock = host.tokens.keys._clock = Later(host.clock)
    assert await status(client, provider.token()) == 200
    before = provider.fetched
    rogue = rsa.generate_private_key(65537, 2048)
    claims = {"iss": provider.url, "aud": "weft", "exp": int(time.time()) + 300, "sub": "eve", "roles": ["admin"]}
    for number in range(10):
        token = jwt.encode(claims, rogue, algorithm="RS256", headers={"kid": f"key-{number}"})
        assert await status(client, token) == 401
    assert provider.fetched - before <= 1
    # One that is away is asked less and less often, and refuses as quickly.
    provider.away = True
    try:
        tried = []
        for _ in range(30):
            clock.more += 4
            seen = provider.fetched
            assert await status(client, token) == 401
            tried.append(provider.fetched - seen)
        assert 2 <= sum(tried) <= 6
    finally:
        provider.away = False
    await host.trail.finish()
    refused = [one for one in host.journal.audit.list(limit=200) if (one.act, one.outcome) == ("sign-in", "denied")]
    reasons = {one.data["reason"] for one in refused}
    assert {
        "the token is signed with a key that its issuer does not show",
        "the keys of the issuer cannot be fetched now",
    } <= reasons


async def test_a_sign_in_ends_where_it_was_begun_and_once(opened, provider):
    _, client = opened(client_id="studio", audience=None)
    transport = client._transport

    async def begun():
        browser = httpx2.AsyncClient(transport=transport, base_url=URL)
        away = await browser.get("/auth/login")
        async with httpx2.AsyncClient(timeout=60) as outside:
            back = (await outside.get(away.headers["location"])).headers["location"]
        return browser, back, browser.cookies["weft_login"]

    mine, my_end, my_cookie = await begun()
    theirs, their_end, _ = await begun()
    # The end of somebody else's sign-in, whole or with my state: their code is bound to their verifier.
    assert (await mine.get(their_end)).status_code == 401
    code, state = parse_qs(urlsplit(their_end).query)["code"][0], parse_qs(urlsplit(my_end).query)["state"][0]
    swapped = await mine.get("/auth/callback", params={"code": code, "state": state})
    assert swapped.status_code == 401
    # A word of the provider for another sign-in.
    provider.nonce = "of-another-one"
    try:
        assert (await mine.get(my_end)).status_code == 401
    finally:
        provider.nonce = ""
    third, third_end, third_cookie = await begun()
    assert (await third.get(third_end)).status_code == 303
    # Who has seen all of it comes too late.
    late = httpx2.AsyncClient(transport=transport, base_url=URL, cookies={"weft_login": third_cookie})
    assert (await late.get(third_end)).status_code == 401
    for cookie in (my_cookie, f"{my_cookie[:-4]}AAAA", unsigned(my_cookie), "a.b.c", ""):
        late = httpx2.AsyncClient(transport=transport, base_url=URL, cookies={"weft_session": cookie})
        assert (await late.get("/auth/me")).status_code == 401
    session = third.cookies["weft_session"]
    for cookie in (unsigned(session), f"{session[:-4]}AAAA", session.replace(".", "..", 1)):
        late = httpx2.AsyncClient(transport=transport, base_url=URL, cookies={"weft_session": cookie})
        assert (await late.get("/auth/me")).status_code == 401


def unsigned(text):
    """The same claims in a token that says that it needs no signature."""
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{head}.{text.split('.')[1]}."


async def test_keys_of_the_issuer_change_without_a_restart(opened, provider):
    _, client = opened()
    old = provider.token()
    assert await status(client, old) == 200
    before = provider.fetched
    assert await status(client, old) == 200
    assert provider.fetched == before
    provider.rotate("EdDSA")
    assert await status(client, provider.token()) == 200
    # What the issuer does not show any more counts no more.
    assert await status(client, old) == 401


async def test_a_secret_and_a_key_of_the_settings(opened, tmp_path, provider):
    secret = "s" * 40
    _, client = opened(secret=secret, tenant_claim="org")
    claims = {"iss": provider.url, "aud": "weft", "exp": int(time.time()) + 60, "sub": "bo", "roles": "viewer"}
    token = jwt.encode({**claims, "org": "north"}, secret, algorithm="HS256")
    assert (await client.get("/auth/me", headers=bearer(token))).json()["tenant"] == "north"
    assert await status(client, jwt.encode(claims, secret, algorithm="HS256")) == 401
    file = tmp_path / "key.pem"
    file.write_bytes(provider.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    _, client = opened(public_key=file)
    assert await status(client, provider.token()) == 200
    assert await status(client, jwt.encode(claims, secret, algorithm="HS256")) == 401


@pytest.mark.slow
async def test_a_browser_signs_in_at_the_provider(opened, provider):
    host, client = opened(client_id="studio", audience=None)
    away = await client.get("/auth/login", params={"to": "/runs?x=1"})
    assert away.status_code == 303
    asked = {name: values[0] for name, values in parse_qs(urlsplit(away.headers["location"]).query).items()}
    assert (asked["code_challenge_method"], asked["redirect_uri"]) == ("S256", f"{URL}/auth/callback")
    async with httpx2.AsyncClient(timeout=60) as browser:
        back = (await browser.get(away.headers["location"])).headers["location"]
    # Somebody else's browser did not begin this, and the state of another sign-in does not fit.
    stranger = httpx2.AsyncClient(transport=client._transport, base_url=URL)
    assert (await stranger.get(back)).status_code == 401
    assert (await client.get(back.replace("state=", "state=x"))).status_code == 401
    entered = await client.get(back)
    assert (entered.status_code, entered.headers["location"]) == (303, "/runs?x=1")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    me = (await client.get("/auth/me")).json()
    assert me["principal"] == "ann@example.org"
    # The code counts once.
    assert (await client.get(back)).status_code == 401
    # Pages elsewhere cannot use the session: a change says where it comes from.
    assert (await client.post("/auth/logout")).status_code == 403
    assert (await client.post("/auth/logout", headers={"Origin": "http://evil.example"})).status_code == 403
    assert (await client.post("/auth/logout", headers={"Origin": URL})).status_code == 204
    assert (await client.get("/auth/me")).status_code == 401
    assert (await client.get("/auth/login", params={"to": "//evil.example"})).status_code == 303
    host.trail.flush()
    host.journal.writer.drain()
    assert {one.data.get("by") for one in host.journal.audit.list() if one.act == "sign-in"} >= {"login"}


async def signed_in(host, client, agent):
    """The headers of a browser that has signed in as the user of this machine."""
    answer = await client.get("/auth/link", params={"code": new_link(host.sealed)}, headers={"User-Agent": agent})
    client.cookies.clear()
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


async def test_sessions_are_listed_and_ended_one_by_one(opened, provider):
    host, client = opened()
    desk, phone = [await signed_in(host, client, name) for name in ("Desk/1", b"Phone\xad" + b"x" * 300)]
    seen = (await client.get("/api/v1/signins", headers=desk)).json()
    assert [(one["user"], one["how"], one["agent"][:6], one["current"]) for one in seen] == [
        ("local", "link", "Phonex", False),
        ("local", "link", "Desk/1", True),
    ]
    assert len(seen[0]["agent"]) == 200
    # Somebody else is told the same of one that there is as of one that there is not.
    stranger = bearer(provider.token(roles=["operator"]))
    ends = [await client.delete(f"/api/v1/signins/{one}", headers=stranger) for one in (seen[0]["id"], "nothing")]
    assert [one.status_code for one in ends] == [404, 404]
    assert ends[0].text.replace(seen[0]["id"], "nothing") == ends[1].text
    assert (await client.get("/api/v1/signins", headers=stranger)).json() == []
    assert (await client.get("/api/v1/signins", headers=stranger, params={"user": "*"})).status_code == 403
    own = {**desk, "Origin": URL}
    assert (await client.delete(f"/api/v1/signins/{seen[0]['id']}", headers=own)).status_code == 204
    assert (await client.get("/auth/me", headers=phone)).status_code == 401
    assert (await client.get("/auth/me", headers=desk)).status_code == 200
    # Signing out ends the session itself: a copy of the cookie is worth nothing afterwards.
    assert (await client.post("/auth/logout", headers=own)).status_code == 204
    assert (await client.get("/auth/me", headers=desk)).status_code == 401
    assert host.identity.signins() == []
    host.trail.flush()
    host.journal.writer.drain()
    ends = {"signin.end", "sign-out"}
    acts = [(one.act, one.principal, one.outcome) for one in host.journal.audit.list() if one.act in ends]
    assert acts == [
        ("sign-out", "local", "done"),
        ("signin.end", "local", "done"),
        *2 * [("signin.end", "ann@example.org", "failed")],
    ]


async def test_a_user_has_so_many_sessions_at_most(opened):
    host, client = opened()
    known = host.identity.person(LOCAL, "admin")
    first = await host.cookies.enter(known, "link", "first")
    others = [await host.cookies.enter(known, "link", "later") for _ in range(100)]
    assert len(host.identity.signins()) == 100
    for cookie, expected in ((first, 401), (others[0], 200), (others[-1], 200)):
        headers = {"Cookie": f"weft_session={cookie}"}
        assert (await client.get("/auth/me", headers=headers)).status_code == expected
    # What is over is forgotten.
    await host.journal.writer.submit(forget_signins(host.clock.micros() + 10**14))
    assert host.identity.signins() == []


async def test_a_link_signs_the_user_of_this_machine_in_once(opened):
    host, client = opened()
    link = {"code": new_link(host.sealed)}
    assert (await client.get("/auth/link", params=link)).status_code == 303
    assert (await client.get("/auth/me")).json()["rights"] == ["*"]
    assert (await client.get("/auth/link", params=link)).status_code == 401
    # What is sealed for one purpose is good for no other.
    client.cookies.clear()
    client.cookies.set("weft_session", new_link(host.sealed))
    assert (await client.get("/auth/me")).status_code == 401


async def test_a_key_may_be_narrowed(opened):
    host, client = opened()
    await host.identity.add_user("kay", "", "developer")
    _, shown = await host.identity.new_key("kay", "reader", "developer", rights=["runs:read", "flags:write"])
    me = (await client.get("/auth/me", headers=bearer(shown))).json()
    assert me["rights"] == ["runs:read"]
    with pytest.raises(Exception, match="there is no right"):
        await host.identity.new_key("kay", "x", "developer", rights=["runs:raed"])


async def test_without_an_issuer_and_a_token_identity_is_off(tmp_path):
    host = Host(Settings(home=tmp_path / "home"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(build(host, url=URL)), base_url=URL) as client:
        assert (await client.get("/auth/me")).json()["identity"] == "off"
    await host.drain()
    await host.close()
