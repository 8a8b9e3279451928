"""The protocol's public conformance suite against the service itself: the fixtures that it asks for are served workflows."""

import subprocess

import pytest

from tests.npm_servers import NODE, installed

HEAD = "version: 1\nname: {name}\ndescription: {name}\nruntime: {{provider: offline, model_id: extract}}\n"
AGENTS = "agents: {worker: {prompt: Say it.}}\npattern:\n  type: chain\n  config:\n    steps:\n"
SAY = '      - {agent: worker, input: "This is a simple text response for testing."}\n'


def asking(**fields: str) -> str:
    form = ", ".join(f"{name}: {type_}" for name, type_ in fields.items())
    return f"      - {{type: hitl, prompt: Please say., form: {{{form}}}}}\n"


def workflow(name: str, *steps: str, inputs: str = "") -> str:
    return HEAD.format(name=name) + inputs + AGENTS + "".join(steps)


FIXTURES = {
    "test_simple_text": workflow("test_simple_text", SAY),
    "test_error_handling": workflow("test_error_handling", SAY, inputs="inputs: {required: {text: string}}\n"),
    "test_tool_with_progress": workflow("test_tool_with_progress", SAY, SAY, SAY),
    "test_elicitation": workflow(
        "test_elicitation",
        asking(username="string", email="string"),
        SAY,
        inputs="inputs: {required: {message: string}}\n",
    ),
    "elicitation": workflow("test_input_required_result_elicitation", asking(name="string"), SAY),
    "request_state": workflow("test_input_required_result_request_state", asking(ok="boolean"), SAY),
    "multi_round": workflow(
        "test_input_required_result_multi_round", asking(name="string"), asking(color="string"), SAY
    ),
    "tampered": workflow("test_input_required_result_tampered_state", asking(ok="boolean"), SAY),
}

OFFERS_NO_PROMPTS = [
    "prompts-list",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-embedded-resource",
    "prompts-get-with-image",
]
OFFERS_NO_RESOURCES = ["resources-list", "resources-read-text", "resources-read-binary", "resources-templates-read"]
ANSWERS_ARE_TEXT_OR_DATA = [
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
]
COMPLETES_NOTHING = ["completion-complete"]
DOES_NOT_APPLY = {
    "2025-11-25": [
        *OFFERS_NO_PROMPTS,
        *OFFERS_NO_RESOURCES,
        *ANSWERS_ARE_TEXT_OR_DATA,
        *COMPLETES_NOTHING,
        # Subscribing to a resource, where there are none.
        "resources-subscribe",
        "resources-unsubscribe",
        # Logs and requests to the client's model go away with the next revision: what a run does is told as progress.
        "logging-set-level",
        "tools-call-with-logging",
        "tools-call-sampling",
        # Forms whose fields have titles beside their values, and lists: the fields of a gate have no such thing.
        "elicitation-sep1034-defaults",
        "elicitation-sep1330-enums",
        # A tool with a given schema; the inputs of a workflow have one of their own.
        "json-schema-2020-12",
    ],
    "2026-07-28": [
        *OFFERS_NO_PROMPTS,
        *OFFERS_NO_RESOURCES,
        *ANSWERS_ARE_TEXT_OR_DATA,
        *COMPLETES_NOTHING,
        # Hints for caching are checked on prompts and resources too.
        "caching",
        # Four of its checks call tools that demand a capability, write logs or ask in the middle of a stream; the others pass.
        "server-stateless",
        # It wants the error of a resource that is not there, where there are no resources at all.
        "sep-2164-resource-not-found",
        # The questions have keys that the fixture gives; ours are the ids of gates.
        "input-required-result-basic-elicitation",
        "input-required-result-ignore-extra-params",
        # Questions to the client's model and for its folders, and a question in a prompt.
        "input-required-result-basic-sampling",
        "input-required-result-basic-list-roots",
        "input-required-result-multiple-input-requests",
        "input-required-result-capability-check",
        "input-required-result-non-tool-request",
        # The extension for tasks: runs have tools of their own.
        "tasks-lifecycle",
        "tasks-capability-negotiation",
        "tasks-wire-fields",
        "tasks-request-state-removal",
        "tasks-mrtr-input",
        "tasks-request-headers",
        "tasks-dispatch-and-envelope",
        "tasks-required-task-error",
        "tasks-mrtr-composition",
        # A tool with a given schema, and one whose arguments are headers too.
        "json-schema-2020-12",
        "http-custom-header-server-validation",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_every_scenario_that_applies_passes(revision, make_served, tmp_path):
    served = make_served(FIXTURES)
    baseline = tmp_path / "baseline.yaml"
    baseline.write_text("server:\n" + "".join(f"  - {name}\n" for name in DOES_NOT_APPLY[revision]))
    suite = installed().parent / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    command = [NODE / "node", suite, "server", "--url", f"{served.url}/mcp", "--requirements", revision]
    done = subprocess.run(
        [*command, "--expected-failures", baseline],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-6000:]
