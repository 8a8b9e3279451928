"""The clients against the running service: runs, gates, lists, files, errors."""

import contextlib
import threading

import pytest

from tests.server.control.service import BRIEF
from weft import AsyncClient, AuthError, Client, ConflictError, InputError, NotFoundError, SpecError

pytestmark = pytest.mark.slow

ENDS = {"run.completed", "run.failed", "run.cancelled"}


def ended(client, run_id):
    for event in client.runs.stream(run_id):
        last = event
    return last.type


def test_a_run_is_started_followed_and_shown(client):
    run = client.runs.start(workflow="brief", inputs={"text": "Rain fell."})
    kinds = [event.type for event in client.runs.stream(run.id) if not event.delta]
    assert kinds[0] == "run.created" and kinds[-1] == "run.completed"
    shown = client.runs.show(run.id)
    assert shown.status == "completed"
    assert shown.outputs["response"]
    assert shown.usage.requests == 1
    assert [event.kind for event in client.runs.events(run.id, limit=3)] == kinds
    assert client.runs.verify(run.id).intact
    assert client.runs.plan(run.id).workflow == "brief"
    found = {file.path: file for file in client.runs.artifacts(run.id)}
    assert client.runs.download(run.id, "notes/said.md").strip().endswith(b"Rain fell.")
    assert found["notes/said.md"].bytes == len(client.runs.download(run.id, "notes/said.md"))


def test_the_same_key_is_the_same_run_and_without_one_each_start_is_another(client):
    first = client.runs.start(workflow="brief", inputs={"text": "a"}, idempotency_key="order-7")
    again = client.runs.start(workflow="brief", inputs={"text": "a"}, idempotency_key="order-7")
    assert again.id == first.id
    with pytest.raises(ConflictError):
        client.runs.start(workflow="brief", inputs={"text": "b"}, idempotency_key="order-7")
    ids = {client.runs.start(workflow="brief", inputs={"text": "a"}).id for _ in range(2)}
    assert len(ids) == 2 and first.id not in ids


def test_a_gate_is_found_and_decided(client):
    run = client.runs.start(workflow="letter", inputs={"note": "We meet at noon."})
    for event in client.runs.stream(run.id):
        if event.type == "run.waiting":
            break
    (gate,) = client.gates.list(run=run.id)
    assert gate.prompt == "Send it?" and gate.choices == ["send", "reject"]
    decided = client.gates.decide(gate.id, choice="send", saw=gate.shown)
    assert decided.decision["choice"] == "send" and not decided.repeated
    assert client.gates.decide(gate.id, choice="send", saw=gate.shown).repeated
    assert ended(client, run.id) == "run.completed"
    with pytest.raises(ConflictError) as refused:
        client.gates.decide(gate.id, choice="reject")
    assert refused.value.ids["decision"]["choice"] == "send"


def test_lists_go_over_pages_by_themselves(client):
    made = [client.runs.start(workflow="brief", inputs={"text": str(place)}, session="pages").id for place in range(5)]
    listed = client.runs.list(session="pages", limit=2)
    assert [run.id for run in listed] == made[::-1]
    assert [len(page.items) for page in listed.pages()] == [2, 2, 1]
    assert [run.id for run in listed.page().items] == made[:2:-1]
    older = client.runs.list(session="pages", before=made[2], inputs=True)
    assert [run.inputs for run in older] == [{"text": "1"}, {"text": "0"}]


def test_a_conversation(client):
    session = client.sessions.create(target="brief", title="Rain")
    turn = client.sessions.say(session.id, message="Rain fell on the town.")
    assert ended(client, turn.run) == "run.completed"
    assert [one.asked for one in client.sessions.show(session.id).turns] == ["Rain fell on the town."]
    assert client.sessions.change(session.id, title="Snow").title == "Snow"
    assert session.id in [one.id for one in client.sessions.list()]
    client.sessions.delete(session.id)
    with pytest.raises(NotFoundError):
        client.sessions.show(session.id)


def test_workflows_are_registered_and_named_with_slashes_and_spaces(client):
    made = client.workflows.register(source=BRIEF.replace("name: brief", "name: 'a/b c?'"))
    assert (made.name, made.version) == ("a/b c?", 1)
    assert client.workflows.show("a/b c?").hash == made.hash
    assert [one.version for one in client.workflows.versions("a/b c?")] == [1]
    assert client.workflows.delete("a/b c?").versions == 1


def test_errors_are_those_of_the_family(client):
    with pytest.raises(NotFoundError) as missing:
        client.runs.show("0190")
    assert missing.value.message == "there is no run '0190'" and missing.value.fix
    with pytest.raises(SpecError) as wrong:
        client.workflows.register(source=BRIEF.replace("prompt:", "promt:"))
    assert [(one.rule, one.place.line) for one in wrong.value.problems if one.severity == "error"][0][1] == 6
    with pytest.raises(InputError, match="limit"):
        client.runs.list(limit=1_000).page()
    for bad in ("", ".", ".."):
        with pytest.raises(InputError):
            client.runs.show(bad)


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8480", "http://", "http://u:p@host", "http://h?x=1"])
def test_what_is_no_address_is_said_to_be_none(url):
    with pytest.raises(InputError, match="no address"):
        Client(url)


async def test_the_same_with_an_event_loop(service):
    async with AsyncClient(service.url) as client:
        run = await client.runs.start(workflow="brief", inputs={"text": "Snow fell."})
        kinds = [event.type async for event in client.runs.stream(run.id) if not event.delta]
        assert kinds[-1] == "run.completed"
        assert [event.kind async for event in client.runs.events(run.id, limit=4)] == kinds
        assert (await client.runs.list(limit=1).page()).items[0].id
        assert b"Snow" in await client.runs.download(run.id, "notes/said.md")
        with pytest.raises(NotFoundError):
            await client.gates.show("nothing")


def test_news_of_all_runs(client, service):
    def begin():
        with Client(service.url) as another:
            another.runs.start(workflow="brief", inputs={"text": "x"})

    threading.Timer(0.3, begin).start()
    with contextlib.closing(client.live.stream(topics="runs")) as news:
        event = next(news)
    assert event.topic == "runs" and event.id


def test_the_token_is_taken_from_the_argument_or_the_environment(serve, monkeypatch):
    token = "a-token-that-is-long-enough-to-be-one"
    served = serve(WEFT_SERVER__TOKEN=token)
    with pytest.raises(AuthError), Client(served.url) as client:
        client.runs.list().page()
    with Client(served.url, token=token) as client:
        assert client.runs.list().page().items == []
    monkeypatch.setenv("WEFT_TOKEN", token)
    monkeypatch.setenv("WEFT_SERVER_URL", served.url)
    with Client() as client:
        assert client.url == served.url
        assert list(client.workflows.list())
