import json
import re
from pathlib import Path

import pytest

from tests.spec.documents import FILES, MINIMAL, tasks
from weft.core.errors import SpecError, UnsupportedError
from weft.plan.codec import plan_hash, to_json
from weft.plan.compile import Overrides, compile_workflow
from weft.plan.diagram import dot, mermaid, tree
from weft.plan.nodes import Block, Budget, Call, Graph, Join, Retry, Sequence
from weft.plan.scope import initial_scope
from weft.plan.template import evaluate, render
from weft.spec.load import load, load_text

GOLDEN = Path(__file__).parent / "golden"


def compiled(text, **overrides):
    return compile_workflow(load_text(text, "a.yaml"), Overrides(**overrides))


def sample(name, **overrides):
    return compile_workflow(load(FILES / name), Overrides(**overrides))


def calls(node):
    if isinstance(node, Call):
        return [node]
    children = node.children if isinstance(node, (Sequence, Graph)) else [node.body]
    return [call for child in children for call in calls(child)]


@pytest.mark.parametrize("name", ["chain", "workflow", "parallel", "routing", "evaluator", "graph"])
def test_the_tree_of_a_file_is_as_it_was(name):
    assert tree(sample(f"{name}.yaml")) == (GOLDEN / f"{name}.txt").read_text()


def test_a_chain_is_a_sequence_of_calls_in_one_block():
    plan = sample("chain.yaml")
    root = plan.root
    assert isinstance(root, Block)
    assert root.retry == Retry(attempts=4, backoff="exponential", wait_min=2, wait_max=30)
    assert root.budget == Budget(max_tokens=100_000, max_duration_s=600, warn_at=0.7)
    body, *artifacts = root.body.children
    assert (body.name, body.into) == ("", "steps")
    assert [child.name for child in body.children] == ["step[0]", "step[1]", "step[2]"]
    assert [(call.name, call.performer, call.target) for call in artifacts] == [
        ("$artifact[0]", "artifact", "{{ name }}.md"),
        ("$artifact[1]", "artifact", "trace.json"),
    ]
    assert artifacts[0].input == {"path": "{{ name }}.md", "from": "# {{ topic | title }}\n\n{{ last_response }}"}
    assert artifacts[1].input == {"path": "trace.json", "from": "{{ TRACE }}", "trace": True}


def test_a_step_carries_what_its_performer_needs():
    step = calls(sample("chain.yaml").root)[2]
    assert step.input == {
        "prompt": "Shorten: {{ last_response | truncate(500) }} for {{ audience }}",
        "vars": {"audience": "children"},
        "tools": None,
        "facts": {"index": 2, "agent": "writer", "type": "agent"},
        "history": "agent",
    }
    assert (step.conversation, step.retry, step.timeout_s) == ("writer", None, None)


def test_additions_reach_the_plan():
    plan = sample("additions.yaml")
    ask, other, lookup = calls(plan.root)
    graph = plan.root.body.children[0]
    assert graph.join == Join(policy="quorum", quorum=2)
    assert (ask.name, ask.timeout_s, ask.retry.attempts, ask.conversation) == ("ask", 30, 1, None)
    assert (other.name, other.conversation) == ("step[0]", "*")
    assert (lookup.performer, lookup.target, lookup.effect) == ("tool", "lookup", "pure")
    assert lookup.input["args"] == {"query": "{{ question }}", "limit": 3}
    assert plan.root.budget.max_cost == "0.5"
    assert plan.definitions["tools"]["lookup"] == {
        "kind": "python",
        "callable": "acme.tools:lookup",
        "effect": "pure",
        "timeout_s": 3,
        "max_bytes": 2000,
    }


def test_tasks_wait_for_what_their_templates_read():
    graph = sample("workflow.yaml").root.body.children[0]
    assert isinstance(graph, Graph)
    assert graph.deps == {"summary": ("finance", "rivals"), "title": ("summary",)}
    assert (graph.into, graph.max_parallel) == ("tasks", 3)
    assert evaluate(graph.value["response"], {"tasks": {"title": {"response": "end"}}}) == "end"


def test_a_task_without_input_gets_the_results_it_waits_for():
    title = calls(sample("workflow.yaml").root)[3]
    assert render(title.input["prompt"], {"tasks": {"summary": {"response": "S"}}}) == "Result of summary:\nS"


def test_last_response_of_a_task_is_that_of_its_last_dependency():
    plan = compiled(
        tasks("- {id: a, agent: writer}\n- {id: b, agent: writer, deps: [a], input: '{{ last_response }}!'}")
    )
    assert render(calls(plan.root)[1].input["prompt"], {"tasks": {"a": {"response": "A"}}}) == "A!"


def test_a_task_that_reads_all_tasks_waits_for_all_earlier_layers():
    plan = compiled(
        tasks(
            "- {id: a, agent: writer}\n- {id: b, agent: writer}\n"
            "- {id: c, agent: writer, deps: [a], input: '{{ tasks | length }}'}"
        )
    )
    assert plan.root.body.deps == {"c": ("a", "b")}


def test_branches_run_without_edges_and_leave_their_history():
    graph, reduce = sample("parallel.yaml").root.body.children
    assert (graph.name, graph.into, graph.deps, graph.max_parallel) == ("branches", "branches", {}, 2)
    assert [child.name for child in graph.children] == ["pro", "con"]
    assert reduce.name == "reduce"
    steps = [{"response": "x", "tokens_estimated": 3}, "no mapping"]
    values = {
        key: evaluate(text, {"steps": steps, "last_response": "x"}) for key, text in graph.children[0].value.items()
    }
    assert values == {"response": "x", "status": "completed", "tokens_estimated": 3, "step_history": steps}


def test_branches_are_joined_in_the_order_of_their_ids():
    graph = sample("parallel.yaml").root.body.children[0]
    scope = {"branches": {"pro": {"response": "P"}, "con": {"response": "C"}}}
    assert evaluate(graph.value["response"], scope) == "Branch con:\nC\n\n---\n\nBranch pro:\nP"


def test_artifacts_stand_beside_branches_and_reduce_and_see_both():
    text = (FILES / "parallel.yaml").read_text() + "\noutputs: {artifacts: [{path: x.md, from: x}]}\n"
    children = compiled(text).root.body.children
    assert [child.name for child in children] == ["branches", "reduce", "$artifact[0]"]


DONE = {"status": "completed", "response": "A"}
FAILED = {"status": "failed", "response": "", "error": {"code": "tool", "message": "no"}}


@pytest.mark.parametrize("branches", [{}, {"a": DONE}, {"a": DONE, "b": FAILED}, {"b": FAILED}])
def test_a_lenient_join_leaves_out_what_did_not_succeed(branches):
    graph = sample("additions.yaml").root.body.children[0]
    expected = "Branch a:\nA" if "a" in branches else ""
    assert evaluate(graph.value["response"], {"branches": branches}) == expected


@pytest.mark.parametrize(
    ("join", "quorum"), [("quorum", 2), ("{policy: quorum}", 2), ("{policy: quorum, quorum: 3}", 3)]
)
def test_a_quorum_without_a_number_is_a_majority(join, quorum):
    text = (FILES / "additions.yaml").read_text().replace("{policy: quorum, quorum: 2}", join)
    plan = compile_workflow(load_text(text, str(FILES / "x.yaml")))
    assert plan.root.body.children[0].join.quorum == quorum


def test_agents_of_one_kind_share_a_conversation_unless_their_tools_differ():
    text = (
        MINIMAL
        + "      - {agent: writer, tool_overrides: [grep, head]}\n      - {agent: writer, tool_overrides: [head, grep]}\n"
    )
    assert [call.conversation for call in calls(compiled(text).root)] == [
        "writer",
        "writer+grep,head",
        "writer+grep,head",
    ]


def test_steps_without_input_go_on_with_what_came_before():
    plan = compiled(
        MINIMAL.replace("        input: Hello\n", "      - agent: writer\n").replace(
            "agents:", "inputs: {required: {topic: string}}\nagents:"
        )
    )
    first, second = calls(plan.root)
    assert render(first.input["prompt"], {"topic": "cats"}) == "topic: cats"
    assert second.input["prompt"] == "{{ last_response }}"


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("bedrock", "bedrock/us.anthropic.claude-3-sonnet-20240229-v1:0"),
        ("openai", "openai/gpt-4o-mini"),
        ("ollama", "ollama/gpt-oss"),
        ("anthropic", "anthropic/claude-sonnet-4-20250514"),
        ("gemini", "google/gemini-2.5-flash"),
        ("offline", "offline/extract"),
    ],
)
def test_each_provider_has_a_default_model(provider, model):
    plan = compiled(MINIMAL.replace("openai", provider))
    assert plan.definitions["agents"]["writer"]["model"] == model


def test_azure_needs_a_model_and_says_so():
    with pytest.raises(SpecError, match="no default one"):
        compiled(MINIMAL.replace("openai", "azure_openai"))
    plan = compiled(MINIMAL.replace("openai", "azure_openai"), model="deployed")
    assert plan.definitions["agents"]["writer"]["model"] == "azure/deployed"


@pytest.mark.parametrize(
    ("overrides", "models"),
    [
        ({}, ["anthropic/claude-sonnet-4-20250514", "openai/gpt-4o"]),
        ({"provider": "openai"}, ["openai/gpt-4o-mini", "openai/gpt-4o"]),
        ({"provider": "gemini", "model": "m"}, ["google/m", "google/m"]),
        ({"model": "m"}, ["anthropic/m", "openai/m"]),
        ({"offline": True, "provider": "openai", "model": "m"}, ["offline/extract", "offline/extract"]),
    ],
)
def test_overrides_go_over_what_the_file_says(overrides, models):
    agents = sample("parallel.yaml", **overrides).definitions["agents"]
    assert [agents["optimist"]["model"], agents["sceptic"]["model"]] == models


def test_base_addresses_go_with_their_provider():
    assert sample("workflow.yaml").definitions["agents"]["editor"]["base_url"] == "http://localhost:11434"
    assert sample("workflow.yaml", provider="openai").definitions["agents"]["editor"]["base_url"] is None
    assert sample("workflow.yaml", base_url="http://x").definitions["agents"]["editor"]["base_url"] == "http://x"
    assert (
        sample("workflow.yaml", offline=True, base_url="http://x").definitions["agents"]["editor"]["base_url"] is None
    )


def test_definitions_are_what_performers_read():
    definitions = sample("chain.yaml").definitions
    assert definitions["agents"]["writer"] == {
        "prompt": "You write in a {{ style }} style.\n",
        "prompt_template": True,
        "model": "openai/gpt-4o-mini",
        "tools": [],
        "inference": {"temperature": 0.7, "max_tokens": 2000},
        "output_schema": None,
        "api": None,
        "base_url": None,
        "region": None,
    }
    assert definitions["agents"]["researcher"]["tools"] == ["file_read", "grep"]
    assert definitions["tools"] == {"file_read": {"kind": "builtin"}, "grep": {"kind": "builtin"}}
    assert definitions["telemetry"]["redact"] == {"tool_inputs": True, "tool_outputs": True}
    assert (definitions["pattern"], definitions["tags"]) == ("chain", ["writing", "demo"])


def test_secrets_stay_references():
    text = MINIMAL.replace(
        "agents:",
        "env: {secrets: [{key: TOKEN_VAR, source: env, name: TOKEN}]}\n"
        "tools: {http_executors: [{id: api, base_url: 'https://x.example', headers: {A: 'Bearer ${TOKEN}'}, timeout_ms: 1500}]}\n"
        "agents:",
    )
    definitions = compiled(text).definitions
    assert definitions["secrets"] == {"TOKEN": {"source": "env", "key": "TOKEN_VAR"}}
    assert definitions["tools"]["api"]["headers"] == {"A": "Bearer ${TOKEN}"}
    assert definitions["tools"]["api"]["timeout_s"] == 1.5
    assert definitions["agents"]["writer"]["tools"] == ["api"]


@pytest.mark.parametrize(
    ("args", "effect"),
    [
        ("{method: GET, path: /}", "idempotent"),
        ("{method: post, path: /}", "once"),
        ("{method: '{{ name }}', path: /}", "once"),
    ],
)
def test_a_request_that_may_not_be_sent_twice_is_performed_once(args, effect):
    text = MINIMAL.replace("agents:", "tools: {http_executors: [{id: api, base_url: 'https://x.example'}]}\nagents:")
    text = text.replace("- agent: writer\n        input: Hello", f"- tool: api\n        args: {args}")
    assert calls(compiled(text).root)[0].effect == effect


def test_agents_see_all_declared_tools_unless_they_list_some():
    text = MINIMAL.replace("agents:", "tools: {python: [strands_cli.tools.calculator, 'acme.tools:find']}\nagents:")
    assert compiled(text).definitions["agents"]["writer"]["tools"] == ["calculator", "find"]
    listed = text.replace("You write.", "You write.\n    tools: ['acme.tools:find']")
    assert compiled(listed).definitions["agents"]["writer"]["tools"] == ["find"]
    assert compiled(text.replace("You write.", "x\n    tools: []")).definitions["agents"]["writer"]["tools"] == []


def test_what_cannot_run_is_refused_with_every_place():
    with pytest.raises(UnsupportedError) as caught:
        sample("everything.yaml")
    assert len(caught.value.problems) == 4


def test_the_order_of_keys_and_the_format_do_not_change_the_hash(tmp_path):
    from weft.spec.files import read_source
    from weft.spec.tree import plain_data

    def turned(value):
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(each) for each in value] if isinstance(value, list) else value

    for name in ("chain", "workflow", "parallel"):
        data = plain_data(read_source(FILES / f"{name}.yaml").root)
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(turned(data)))
        assert plan_hash(compile_workflow(load(path))) == plan_hash(sample(f"{name}.yaml"))


def test_a_default_that_is_written_out_means_the_same():
    written = MINIMAL.replace("provider: openai", "provider: openai\n  max_parallel: 5\n  failure_policy: {retries: 2}")
    assert plan_hash(compiled(written)) == plan_hash(compiled(MINIMAL))


@pytest.mark.parametrize(
    ("old", "new"),
    [("Hello", "Hallo"), ("You write.", "You read."), ("name: demo", "name: other"), ("openai", "ollama")],
)
def test_another_meaning_is_another_hash(old, new):
    assert plan_hash(compiled(MINIMAL.replace(old, new))) != plan_hash(compiled(MINIMAL))


def test_definitions_are_plain_json():
    for name in ("chain", "workflow", "parallel", "additions"):
        data = to_json(sample(f"{name}.yaml"))
        assert json.loads(json.dumps(data)) == data


def test_the_first_scope_holds_the_names_of_the_language_and_the_inputs():
    scope = initial_scope(sample("chain.yaml"), {"topic": "cats"}, session_id="s1", started_at="2026-01-01T00:00:00Z")
    assert scope["name"] == "article-writer"
    assert scope["topic"] == "cats"
    assert scope["runtime"]["provider"] == "openai"
    assert scope["execution_context"]["session_id"] == "s1"


def test_diagrams_show_the_order_of_work():
    chart = mermaid(sample("workflow.yaml"))
    assert chart.startswith("flowchart TD\n")
    assert "n0 --> n2" in chart
    assert "n1 --> n2" in chart
    graph = dot(sample("parallel.yaml"))
    assert graph.startswith('digraph "three-views" {')
    assert "n1 -> n3;" in graph
    assert "n2 -> n3;" in graph


def test_diagrams_say_which_branch_a_step_belongs_to():
    chart = mermaid(sample("parallel.yaml"))
    assert re.search(r'subgraph g\d+\["pro: in order"\]\n +n0\[.*\n +n1\[.*\n +end\n', chart)
    assert re.search(r'subgraph g\d+\["con: in order"\]\n +n2\[.*\n +end\n', chart)
    assert chart.count("subgraph ") == chart.count(" end\n")
    graph = dot(sample("parallel.yaml"))
    assert re.search(r'subgraph cluster_g\d+ { label="con: in order";\n +n2 ', graph)
    assert graph.count("{") == graph.count("}")


def test_diagrams_escape_what_a_file_may_say():
    text = MINIMAL.replace("name: demo", "name: 'a\"b'").replace(
        "agents:", "outputs: {artifacts: [{path: 'x\"].md', from: y}]}\nagents:"
    )
    plan = compiled(text)
    assert "x#34;].md" in mermaid(plan)
    assert 'digraph "a\\"b" {' in dot(plan)
