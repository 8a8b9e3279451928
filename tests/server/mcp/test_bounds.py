"""Who may call, what is too much, and what is refused."""

import httpx2
import pytest

from tests.server.mcp.wire import ACCEPT, Session, message, read, single
from weft.app.identity import Identity
from weft.core.clock import SystemClock
from weft.store.journal import Journal
from weft.testing.providers import FakeProvider, say

pytestmark = pytest.mark.slow
LONG = """\
version: 1
name: long
runtime: {provider: openai, model_id: test}
agents: {writer: {prompt: Write.}}
pattern: {type: chain, config: {steps: [{agent: writer, input: much}]}}
"""


async def keys(served, **roles):
    journal = Journal(served.journal)
    identity = Identity(journal, SystemClock())
    shown = {}
    for user, role in roles.items():
        await identity.add_user(user, user, role)
        shown[user] = {"authorization": f"Bearer {(await identity.new_key(user, 'test', role))[1]}"}
    journal.close()
    return shown


async def test_sessions_and_state_belong_to_whoever_began_them(make_served):
    from tests.server.conftest import BRIEF, RELEASE

    served = make_served({"release": RELEASE, "brief": BRIEF}, WEFT_SERVER__TOKEN="open-sesame")
    shown = await keys(served, ann="operator", ben="operator", vic="viewer")
    nobody = httpx2.post(f"{served.url}/mcp", json=message("tools/list", {}), headers=ACCEPT, timeout=30)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "auth")

    session = Session(served.url, **shown["ann"])
    assert (
        read(session.call("brief", {"text": "Mine."}).text)[-1]["result"]["structuredContent"]["status"] == "completed"
    )
    assert session.call("brief", {"text": "Mine."}, **shown["ben"]).status_code == 404

    asked = single(served.url, "release", {"note": "Hers."}, headers=shown["ann"])["result"]
    (gate,) = asked["inputRequests"]
    yes = {"action": "accept", "content": {"choice": "send"}}
    answer = {"requestState": asked["requestState"], "inputResponses": {gate: yes}}
    refused = single(served.url, "release", {"note": "Hers."}, headers=shown["ben"], **answer)
    assert refused["error"]["message"] == "Invalid or expired requestState"
    done = single(served.url, "release", {"note": "Hers."}, headers=shown["ann"], **answer)["result"]
    assert done["structuredContent"]["status"] == "completed"
    decided = served.api("GET", f"/runs/{done['structuredContent']['run_id']}", headers=shown["ann"]).json()
    assert decided["status"] == "completed"

    text = single(served.url, "brief", {"text": "x"}, headers=shown["vic"])["result"]["content"][0]["text"]
    assert text.startswith("policy: this needs the right 'runs:start'")


def test_a_foreign_page_or_name_is_refused(shared):
    body = message("ping", {})
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"}):
        answer = httpx2.post(f"{shared.url}/mcp", json=body, headers=ACCEPT | headers, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (403, "policy")


def test_what_is_malformed_or_too_much_is_refused(shared):
    session = Session(shared.url)
    large = httpx2.post(session.url, content=b" " * 11_000_000, headers=session.headers, timeout=30)
    assert large.status_code == 413
    deep = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001
    for content in (b"{", b"\xff\xfe", deep, b"[]", b'{"jsonrpc":"2.0","id":{},"method":5}'):
        answer = httpx2.post(session.url, content=content, headers=session.headers, timeout=30)
        assert 400 <= answer.status_code < 500, answer.text
    guessed = session.headers | {"mcp-session-id": "0" * 32}
    assert httpx2.post(session.url, json=message("ping", {}), headers=guessed, timeout=30).status_code == 404
    assert read(session.call("brief", {"text": ["no", "text"]}).text)[-1]["result"]["isError"] is True
    key = {"weft/key": "k" * 1_000}
    answer = single(shared.url, "brief", {"text": "x"}, headers={}, forms=False)
    assert answer["result"]["isError"] is False
    bad = message("tools/call", {"name": "brief", "arguments": {"text": "x"}, "_meta": key})
    answer = httpx2.post(session.url, json=bad, headers=session.headers, timeout=30)
    assert "weft/key in _meta must be a text" in answer.text


def test_a_long_answer_comes_in_pieces(make_served):
    words = " ".join(f"{number:03d}" * 2_000 for number in range(40))
    with FakeProvider("openai", lambda _: say(words)) as fake:
        served = make_served({"long": LONG}, **fake.environ)
        result = single(served.url, "long", {})["result"]
        facts, text = result["structuredContent"], result["content"][0]["text"]
        assert (facts["cut"], len(text)) == (True, 100_000)
        while facts.get("cut"):
            asked = {"run_id": facts["run_id"], "offset": len(text)}
            result = single(served.url, "weft_result", asked)["result"]
            facts, text = result["structuredContent"], text + result["content"][0]["text"]
    assert text == words
