"""Secrets go where they are needed and nowhere else, whatever tools, servers and people do with them."""

import json

import pytest

from tests.journeys.conftest import CANARIES, PROVIDER_KEY, flow
from weft.testing.providers import FakeProvider, Script, call, fail, say
from weft.testing.providers.server import Reply, ThreadedServer

pytestmark = pytest.mark.slow

TOKEN = CANARIES["MAIL_TOKEN"]
TOOL = """\
env: {{secrets: [{{key: MAIL_TOKEN, source: env, name: MAIL}}]}}
telemetry: {{redact: {{tool_inputs: false, tool_outputs: false}}}}
tools:
  python: ['leaky:look', 'leaky:fall']
  http_executors:
    - id: mail
      base_url: {url}
      headers: {{Authorization: 'Bearer ${{MAIL}}', X-Key: '${{MAIL}}'}}
agents: {{one: {{prompt: You read mail.}}}}
pattern: {{type: chain, config: {{steps: [{{agent: one, input: Read my mail.}}]}}}}
outputs: {{artifacts: [{{path: x.md, from: '{{{{ last_response }}}}'}}, {{path: t.json, from: $TRACE}}]}}
"""
LEAKY = """\
import base64, os

def look() -> str:
    \"\"\"Look at the environment.\"\"\"
    return os.environ["MAIL_TOKEN"] + " " + os.environ["OPENAI_API_KEY"]

def fall() -> str:
    \"\"\"Fall over.\"\"\"
    raise RuntimeError("with " + base64.b64encode(os.environ["MAIL_TOKEN"].encode()).decode() + os.environ["OPENAI_API_KEY"])
"""


@pytest.fixture
def echo():
    """A server that sends back everything that it is sent."""
    seen = []

    def answer(method, target, headers, body):
        seen.append(headers)
        said = {"headers": dict(headers), "quoted": json.dumps(dict(headers)), "body": body.decode()}
        return Reply(
            headers={"content-type": "application/json", "x-back": headers.get("x-key", "")},
            frames=[json.dumps(said).encode()],
        )

    server = ThreadedServer(answer)
    server.start()
    server.seen = seen
    yield server
    server.stop()


@pytest.mark.parametrize("flags", [[], ["--json"], ["--trace", "--durability", "fast"]], ids=["plain", "json", "trace"])
def test_no_secret_is_left_anywhere_though_everybody_repeats_them(desk, echo, flags):
    desk.environ |= {
        "WEFT_NET__ALLOW_LOOPBACK": "true",
        "WEFT_TOOLS__ALLOWED_MODULES": "leaky",
        "WEFT_LOG__LEVEL": "debug",
        "WEFT_TELEMETRY__ENDPOINT": "console",
        "WEFT_TELEMETRY__INCLUDE_CONTENT": "true",
    }
    desk.write("leaky.py", LEAKY)
    desk.write("notes.txt", f"my key is {PROVIDER_KEY} and my token {TOKEN}")
    desk.write(
        "flow.yaml", flow(TOOL.format(url=f"http://127.0.0.1:{echo.port}/v1").replace("['leaky", "[file_read, 'leaky"))
    )
    turns = [
        call("mail", {"path": "/inbox?page=2"}),
        call("mail", {"method": "POST", "path": "/send", "json_data": {"to": "ada"}}),
        call("look"),
        call("fall"),
        call("file_read", {"path": "notes.txt"}),
        fail(500, f"the header was Authorization: Bearer {PROVIDER_KEY}"),
        say("read"),
    ]
    with FakeProvider("openai", Script(*turns), key=PROVIDER_KEY) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", *flags)
        assert [PROVIDER_KEY in request.text or TOKEN in request.text for request in fake.requests] == [False] * 7
    assert said.code == 0, said.all
    assert [headers["authorization"] for headers in echo.seen] == [f"Bearer {TOKEN}"] * 2
    for command in (
        ["show", "last", "--prompts"],
        ["show", "last", "--json"],
        ["events", "last"],
        ["events", "last", "--json"],
        ["config"],
        ["doctor"],
    ):
        assert desk(*command).code in {0, 10}
    assert desk("verify", "last").code == 0


def test_a_secret_that_is_not_set_is_named_before_the_run_and_one_that_goes_to_the_agent(desk, echo):
    desk.environ |= {"WEFT_NET__ALLOW_LOOPBACK": "true"}
    text = TOOL.format(url=f"http://127.0.0.1:{echo.port}").replace("  python: ['leaky:look', 'leaky:fall']\n", "")
    desk.write("flow.yaml", flow(text.replace("[{agent", "[{type: hitl, prompt: Go on?}, {agent")))
    with FakeProvider("openai", Script(call("mail", {"path": "/"}), say("sorry"))) as fake:
        desk.reach(fake)
        token = desk.environ.pop("MAIL_TOKEN")
        said = desk("run", "flow.yaml")
        assert said.code == 13
        assert "MAIL_TOKEN is not set" in said.err
        desk.environ["MAIL_TOKEN"] = token
        assert desk("run", "flow.yaml").code == 19
        assert fake.requests == []
        del desk.environ["MAIL_TOKEN"]
        said = desk("approve", "last")
        assert "MAIL_TOKEN is not set" in fake.requests[1].text
    assert said.code == 0
    assert echo.seen == []
