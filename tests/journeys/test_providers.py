"""One file that was written for one provider, sent to each of the others without touching it, streamed to a terminal."""

import pytest

from tests.journeys.conftest import PROVIDER_KEY, flow
from weft.testing.providers import FakeProvider, call, fail, half, say

pytestmark = pytest.mark.slow

FLOW = flow("""\
  failure_policy: {retries: 1, wait_min: 0.01, wait_max: 0.02}
tools: {python: [calculator]}
agents:
  counter: {prompt: You count., inference: {temperature: 0.2, top_p: 0.9, max_tokens: 500}}
  clerk:
    prompt: You fill in forms.
    tools: []
    output_schema: {type: object, properties: {total: {type: integer}}, required: [total]}
pattern:
  type: chain
  config:
    steps:
      - {agent: counter, input: What is 6 times 7?}
      - {agent: clerk, input: 'Write down: {{ steps[0].response }}'}
outputs: {artifacts: [{path: total.md, from: 'The total is {{ steps[1].response.total }}.'}]}
""")
MODELS = {
    "openai": "gpt-4o-mini",
    "azure": "gpt-4o-mini",
    "anthropic": "claude-opus-4-5",
    "bedrock": "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
    "google": "gemini-2.5-flash",
    "ollama": "llama3.2",
}
LONG = "six times seven is " + " ".join(f"word{number}" for number in range(40)) + " forty-two"


def brain(request):
    """Uses the calculator for the counter, the output tool for the clerk; the first answer of all breaks off."""
    if "You fill in forms" in request.text:
        return call("final_result", {"total": 42}, input_tokens=100, output_tokens=10)
    if request.number == 1:
        return half(LONG)
    if '"42"' in request.text or "42" in request.prompt:
        return say(LONG, input_tokens=100, output_tokens=50)
    return call("calculator", {"expression": "6 * 7"}, input_tokens=100, output_tokens=20)


@pytest.mark.parametrize("by", ["flags", "environment"])
@pytest.mark.parametrize("provider", MODELS)
def test_a_file_runs_on_every_provider_and_is_shown_while_it_does(desk, provider, by):
    desk.write("flow.yaml", FLOW)
    with FakeProvider(provider, brain) as fake:
        environ = fake.environ
        flags = ["--provider", provider, "--model", MODELS[provider], "--base-url", fake.base_url]
        if by == "environment":
            flags = []
            environ |= {"WEFT_PROVIDER": provider, "WEFT_MODEL": MODELS[provider]}
        else:
            environ = {name: value for name, value in environ.items() if "URL" not in name and "ENDPOINT" not in name}
        desk.environ |= {
            name: PROVIDER_KEY if "KEY" in name and "ID" not in name else value for name, value in environ.items()
        }
        said = desk.on_terminal("run", "flow.yaml", *flags)
        requests = list(fake.requests)
    assert said.code == 0, said.all
    assert said.out == '{"total":42}\n'
    assert desk.read("artifacts/total.md") == "The total is 42."
    assert len(requests) == 4
    assert {request.model for request in requests} == {MODELS[provider]}
    assert all(request.stream for request in requests)
    shown = desk("show", "last", "--json").json
    assert (shown["status"], shown["usage"]["input_tokens"], shown["usage"]["output_tokens"]) == ("completed", 300, 80)
    if provider == "ollama":
        assert shown["usage"]["cost_usd"] is None
    else:
        assert float(shown["usage"]["cost_usd"]) > 0
    assert len(desk.events("step.retrying")) == 1


@pytest.mark.parametrize("provider", MODELS)
def test_a_refused_key_exits_with_13_on_every_provider_and_is_not_shown(desk, provider):
    desk.write("flow.yaml", FLOW)
    with FakeProvider(provider, fail(401, f"bad key {PROVIDER_KEY}"), key=PROVIDER_KEY) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", "--provider", provider, "--model", MODELS[provider], "--json")
    assert said.code == 13, said.all
    assert (said.json["status"], said.json["error"]["code"]) == ("failed", "auth")
    assert said.json["error"]["fix"]
