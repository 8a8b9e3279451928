"""MCP servers in workflow files: three shapes, and the names under which their tools are used."""

import pytest

from weft.plan.compile import compile_workflow
from weft.plan.definitions import Overrides
from weft.plan.nodes import Call
from weft.spec import load

HEAD = """\
version: 1
name: servers
runtime: {provider: offline}
agents: {one: {prompt: p%s}}
pattern: {type: chain, config: {steps: [%s]}}
tools: {mcp: [%s]}
"""
FILES = "{id: files, command: files-server}"


def checked(tmp_path, *servers, agent="", step="{agent: one, input: hi}"):
    file = tmp_path / "flow.yaml"
    file.write_text(HEAD % (agent, step, ", ".join(servers)), encoding="utf-8")
    return load.check(file)


def compiled(tmp_path, *servers, **rest):
    report = checked(tmp_path, *servers, **rest)
    assert report.workflow is not None, report.problems
    assert not report.unsupported
    return compile_workflow(report.workflow, Overrides())


def calls(node):
    """Every call in a plan."""
    inner = (*getattr(node, "children", ()), *([node.body] if hasattr(node, "body") else []))
    return [node] if isinstance(node, Call) else [call for one in inner for call in calls(one)]


@pytest.mark.parametrize(
    ("server", "key", "value"),
    [
        (FILES, "command", "files-server"),
        ("{id: web, url: 'https://mcp.example.com/mcp', oauth: {scope: read}}", "oauth", "authorization_code"),
        ("{id: db, preset: sqlite, paths: [data.db]}", "preset", "sqlite"),
        ("{id: a, command: c, limits: {memory_mb: 512}, effects: {x: pure}, optional: true}", "optional", True),
    ],
)
def test_each_shape_reaches_the_plan(tmp_path, server, key, value):
    (definition,) = compiled(tmp_path, server).definitions["mcp"].values()
    found = definition[key]
    assert (found["grant"] if isinstance(found, dict) else found) == value


@pytest.mark.parametrize(
    "server",
    [
        "{id: a}",
        "{id: a, command: ''}",
        "{id: a, url: 'ftp://example.com'}",
        "{id: a, preset: cheese}",
        "{id: a, command: c, timeout_s: 0}",
        "{id: a, command: c, effects: {x: sometimes}}",
        "{id: a, command: c, limits: {memory_mb: 1}}",
        "{id: a, command: c, url: 'https://example.com'}",
    ],
)
def test_what_is_no_server_is_an_error_with_its_place(tmp_path, server):
    report = checked(tmp_path, server)
    errors = [problem for problem in report.problems if problem.severity == "error"]
    assert errors
    assert all(problem.place.pointer.startswith("/tools/mcp/0") for problem in errors)


def test_an_agent_without_a_list_has_every_server_and_one_with_a_list_those_it_names(tmp_path):
    web = "{id: web, url: 'https://mcp.example.com/mcp'}"
    agents = compiled(tmp_path, FILES, web).definitions["agents"]
    assert agents["one"]["tools"] == ["files", "web"]
    agents = compiled(tmp_path, FILES, web, agent=", tools: [web, 'files:read', calculator]").definitions["agents"]
    assert agents["one"]["tools"] == ["web", "files:read", "calculator"]


def test_a_name_that_only_a_server_could_know_is_a_warning(tmp_path):
    report = checked(tmp_path, FILES, agent=", tools: [read_file]")
    assert [(problem.severity, problem.rule) for problem in report.problems] == [("warning", "unknown-tool")]
    assert "files:read_file" in report.problems[0].fix


@pytest.mark.parametrize(
    ("server", "effect"),
    [
        ("{id: s, command: c}", "once"),
        ("{id: s, command: c, effect: idempotent}", "idempotent"),
        ("{id: s, command: c, effect: idempotent, effects: {look: pure}}", "pure"),
    ],
)
def test_a_direct_call_has_the_declared_effect_or_is_made_once(tmp_path, server, effect):
    plan = compiled(tmp_path, server, step="{tool: 's:look', args: {}}")
    assert [node.effect for node in calls(plan.root)] == [effect]


def test_two_servers_with_one_id_are_an_error(tmp_path):
    report = checked(tmp_path, FILES, FILES)
    assert "duplicate-id" in {problem.rule for problem in report.problems}
