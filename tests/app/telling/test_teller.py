"""Webhooks and mail: what happens is told, signed, again until it arrives, and not to whom the rules forbid it."""

from __future__ import annotations

import asyncio
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from weft.app.hosting import Host
from weft.app.service import ModelChoice
from weft.app.serving.inputs import Message
from weft.app.serving.turns import Turn
from weft.app.telling import teller
from weft.app.telling.carriers import check_address
from weft.app.telling.signing import verify
from weft.core.errors import InputError
from weft.core.settings_model import Net, Server, Settings
from weft.engine.questions import Answer
from weft.store.webhooks import Webhook, add

pytestmark = pytest.mark.slow


class Receiver(ThreadingHTTPServer):
    """Keeps what it is told; answers with the statuses of `answers`, then with 200."""

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers)
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 200:
            self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    yield from serving(Receiver())


def serving(server):
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


async def hook(host: Host, url: str, *topics: str, kind: str = "weft") -> Webhook:
    made = Webhook(id="h", kind=kind, url=url, topics=topics, created_at=host.clock.micros())
    await host.journal.writer.submit(add(made))
    host.teller.refresh()
    return made


async def run(host: Host, name: str = "two") -> str:
    turn = Turn(target=host.library.get(name), messages=(Message("user", "looms"),), choice=host.choice)
    return (await host.begin(turn)).run_id


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_webhook_is_told_how_runs_go_signed(host, receiver):
    made = await hook(host, receiver.url, "runs")
    run_id = await run(host)
    await until(lambda: "run.completed" in receiver.types())
    await until(lambda: len(receiver.got) == 2)
    given, body = next(one for one in receiver.got if b"run.completed" in one[1])
    secret = host.keys.secret(made.id)
    assert verify(secret, given, body, now=host.clock.micros() / 1e6) == f"{run_id}:{json.loads(body)['seq']}"
    told = json.loads(body)
    assert (told["topic"], told["data"]["run"], told["data"]["workflow"]) == ("runs", run_id, "two")
    await until(lambda: [one.status for one in host.journal.webhooks.told(made)] == ["delivered", "delivered"])


async def test_what_does_not_arrive_is_told_again(host, monkeypatch):
    monkeypatch.setattr(teller, "_WAITS_S", (0.05, 0.05, 0.05))
    for receiver in serving(Receiver(500, 503)):
        made = await hook(host, receiver.url, "runs")
        await run(host)
        await until(lambda receiver=receiver: len(receiver.got) == 2)
        await until(lambda: {one.status for one in host.journal.webhooks.told(made)} == {"delivered"})
        assert sum(one.attempts for one in host.journal.webhooks.told(made)) == 4


async def test_after_the_last_attempt_it_has_failed_and_says_why(host, monkeypatch):
    monkeypatch.setattr(teller, "_WAITS_S", (0.05,))
    for receiver in serving(Receiver(*[500] * 20)):
        made = await hook(host, receiver.url, "gates")
        await run(host, "asks")
        await until(lambda: [one.status for one in host.journal.webhooks.told(made)] == ["failed"])
        assert "500" in host.journal.webhooks.told(made)[0].answer


async def test_an_address_that_the_rules_forbid_is_never_called(tmp_path, flows, receiver):
    settings = Settings(home=tmp_path / "home", server=Server(folders=(flows,)), net=Net(allow_loopback=False))
    host = Host(settings, choice=ModelChoice(offline=True))
    await host.open()
    try:
        made = await hook(host, receiver.url, "runs")
        await run(host)
        await until(lambda: {one.status for one in host.journal.webhooks.told(made)} == {"failed"})
        assert receiver.got == []
    finally:
        await host.drain()
        await host.close()


async def test_what_happened_while_nobody_listened_is_told_afterwards(tmp_path, flows, receiver):
    settings = Settings(home=tmp_path / "home", server=Server(folders=(flows,)), net=Net(allow_loopback=True))
    first = Host(settings, choice=ModelChoice(offline=True))
    made = await hook(first, receiver.url, "runs")
    run_id = await run(first)
    await until(lambda: first.journal.runs.get(run_id).ended)
    await first.drain()
    await first.close()
    assert receiver.got == []
    second = Host(settings, choice=ModelChoice(offline=True))
    await second.open()
    try:
        await until(lambda: "run.completed" in receiver.types())
        assert receiver.types().count("run.completed") == 1
        assert len(second.journal.webhooks.told(made)) == 2
    finally:
        await second.drain()
        await second.close()


class _Mail(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as it takes to get a message."""

    def handle(self) -> None:
        self._say("220 test")
        while line := self.rfile.readline().decode().strip():
            word = line.upper()
            if word.startswith("DATA"):
                self._say("354 go on")
                lines = []
                while (data := self.rfile.readline().decode()) != ".\r\n":
                    lines.append(data)
                self.server.mails.append("".join(lines))
            elif word.startswith("QUIT"):
                self._say("221 bye")
                return
            self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


async def test_who_is_asked_gets_a_mail_when_the_gate_opens(tmp_path, flows):
    class Mails(socketserver.ThreadingTCPServer):
        daemon_threads = True
        mails: list[str] = []

    for mails in serving(Mails(("127.0.0.1", 0), _Mail)):
        url = SecretStr(f"smtp://127.0.0.1:{mails.server_address[1]}")
        settings = Settings(home=tmp_path / "home", server=Server(folders=(flows,), smtp_url=url))
        host = Host(settings, choice=ModelChoice(offline=True), url="http://127.0.0.1:8480")
        await host.open()
        try:
            await hook(host, check_address("ann@example.org"), "gates", kind="smtp")
            run_id = await run(host, "asks")
            await until(lambda mails=mails: len(mails.mails) == 1)
            [mail] = mails.mails
            assert "To: ann@example.org" in mail
            assert "Send it?" in mail
            assert run_id in mail
            assert "http://127.0.0.1:8480/api/v1/gates/" in mail
            await host.decide(run_id, None, Answer(by="ann", choice="send"))
            await until(lambda mails=mails: len(mails.mails) == 2)
        finally:
            await host.drain()
            await host.close()


DUE = """
version: 1
name: due
runtime: {provider: offline, model_id: extract}
agents: {writer: {prompt: Write., tools: []}}
pattern:
  type: chain
  config:
    steps:
      - {type: hitl, prompt: "Pay it?", choices: [send, reject], assignees: [bob], deadline_s: 600, warn_s: 0.2}
"""


async def test_who_is_asked_is_told_by_mail_and_webhook_before_the_time_is_over(tmp_path, flows, receiver):
    class Mails(socketserver.ThreadingTCPServer):
        daemon_threads = True
        mails: list[str] = []

    (flows / "due.yaml").write_text(DUE)
    for mails in serving(Mails(("127.0.0.1", 0), _Mail)):
        url = SecretStr(f"smtp://127.0.0.1:{mails.server_address[1]}")
        server, net = Server(folders=(flows,), smtp_url=url), Net(allow_loopback=True)
        host = Host(Settings(home=tmp_path / "home", server=server, net=net), choice=ModelChoice(offline=True))
        await host.open()
        try:
            await hook(host, check_address("bob@example.org"), "gates", kind="smtp")
            told = Webhook(id="w", kind="weft", url=receiver.url, topics=("gates",), created_at=host.clock.micros())
            await host.journal.writer.submit(add(told))
            host.teller.refresh()
            run_id = (await host.begin(Turn(target=host.library.get("due"), choice=host.choice))).run_id
            await until(lambda mails=mails: len(mails.mails) == 2)
            assert "an answer is due soon" in mails.mails[1]
            assert "Pay it?" in mails.mails[1]
            await until(lambda: receiver.types() == ["gate.opened", "gate.warned"])
            # It still waits: nothing was decided by the warning.
            assert [gate.status for gate in host.journal.gates.of(run_id)] == ["open"]
        finally:
            await host.drain()
            await host.close()


@pytest.mark.parametrize("address", ["nobody", "a@b\r\nBcc: x@y", "a b@c.d", "a@b@c", "@c.d", "a@", "<a@b.c>"])
def test_what_is_no_mail_address_is_refused(address):
    with pytest.raises(InputError):
        check_address(address)
