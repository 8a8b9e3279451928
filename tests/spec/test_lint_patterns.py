"""What is wrong inside the patterns: names that are not there, choices that lead nowhere, questions nobody could answer."""

import pytest

from tests.spec.documents import FILES, MINIMAL
from weft.spec.load import check, check_text

HEAD = MINIMAL[: MINIMAL.index("pattern:")].replace("version: 0", "version: 1")
ROUTING = """pattern:
  type: routing
  config:
    router: {agent: writer, input: "Where?"}
    routes:
      one: {then: [{agent: writer, input: "INPUT"}]}
"""
EVALUATOR = """pattern:
  type: evaluator_optimizer
  config:
    producer: writer
    evaluator: {agent: writer, input: "INPUT"}
    accept: {min_score: 50}
"""
ORCHESTRATOR = """pattern:
  type: orchestrator_workers
  config:
    orchestrator: {agent: writer}
    worker_template: {agent: writer}
    reduce: {agent: writer, input: "INPUT"}
"""
GRAPH = """pattern:
  type: graph
  config:
    nodes:
      one: {agent: writer, input: Begin}
      two: {agent: writer, input: "INPUT"}
    edges: [{from: one, choose: [{when: "WHEN", to: two}]}]
"""
ASK = """pattern:
  type: chain
  config:
    steps:
      - {type: hitl, prompt: Fine?, KEYS}
"""


def rules(pattern):
    return [(p.severity, p.rule, p.place.pointer) for p in check_text(HEAD + pattern, "a.yaml").problems]


@pytest.mark.parametrize("name", ["routing", "graph", "evaluator"])
def test_the_samples_have_no_errors(name):
    assert check(FILES / f"{name}.yaml").errors == ()


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (ROUTING, "{{ router.chosen_route }} {{ router.response }} {{ chosen_route }} {{ inputs | tojson }}"),
        (EVALUATOR, "{{ draft }} {{ iteration }} {{ history | length }} {{ min_score }}"),
        (ORCHESTRATOR, "{{ workers[0].response }} {{ num_workers }} {{ round_count }} {{ last_response }}"),
        (GRAPH, "{{ nodes.one.response }} {{ nodes.two.iteration }} {{ terminal_node }} {{ last_response }}"),
    ],
)
def test_the_names_of_a_pattern_are_known(pattern, text):
    assert rules(pattern.replace("INPUT", text).replace("WHEN", "nodes.one.response")) == []


@pytest.mark.parametrize(
    ("pattern", "text", "rule"),
    [
        (ROUTING, "{{ nodes.one }}", "not-available"),
        (ROUTING, "{{ steps[0].response }}", "later-step"),
        (ROUTING, "{{ hitl_response }}", "not-available"),
        (EVALUATOR, "{{ workers }}", "undeclared-name"),
        (EVALUATOR, "{{ draft ", "template"),
        (ORCHESTRATOR, "{{ steps[0] }}", "not-available"),
        (GRAPH, "{{ nodes.three.response }}", "unknown-node"),
        (GRAPH, "{{ nodes.one.respons }}", "unknown-fact"),
        (GRAPH, "{{ hitl_response }}", "not-available"),
    ],
)
def test_names_that_are_not_there_are_found(pattern, text, rule):
    assert rule in [found for _, found, _ in rules(pattern.replace("INPUT", text).replace("WHEN", "true"))]


@pytest.mark.parametrize(
    "when", ["nodes.none.response == 1", "{{ nodes.one.response | nofilter }}", "nodes.one.response =="]
)
def test_conditions_are_looked_at_too(when):
    assert [p for _, _, p in rules(GRAPH.replace("WHEN", when))] == ["/pattern/config/edges/0/choose/0/when"]


def test_a_default_route_must_be_one():
    assert rules(ROUTING + "    default: two\n") == [("error", "unknown-route", "/pattern/config/default")]


def test_a_node_that_nothing_leads_to_is_named():
    lost = GRAPH.replace("WHEN", "true").replace("    edges:", "      lost: {agent: writer}\n    edges:")
    assert rules(lost) == [("warning", "unreachable", "/pattern/config/nodes/lost")]


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ("choices: [a, b], default: c", "default"),
        ("validation: {pattern: '['}", "validation/pattern"),
        ("form: {age: number_of_years}", "form"),
        ("form: {age: [1]}", "form"),
        ("deadline_s: 10, timeout_seconds: 10", "deadline_s"),
        ("deadline_s: 10, warn_s: 20", "warn_s"),
        ("deadline_s: 10, escalate: {after_s: 11, to: [ada]}", "escalate/after_s"),
        ("warn_s: 20", "warn_s"),
    ],
)
def test_a_question_that_cannot_be_answered_is_found(keys, place):
    assert ("error", f"/pattern/config/steps/0/{place}") in [(s, p) for s, _, p in rules(ASK.replace("KEYS", keys))]


@pytest.mark.parametrize(
    "keys", ["choices: [a, b], default: a", "form: {age: integer, note: {type: string, optional: true}}"]
)
def test_a_question_that_can_be_answered_is_not(keys):
    assert rules(ASK.replace("KEYS", keys)) == []
