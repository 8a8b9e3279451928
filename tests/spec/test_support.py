import pytest

from tests.spec.documents import FILES, MINIMAL
from weft.spec.load import check, check_text, load
from weft.spec.support import unsupported


def pointers(name):
    return {problem.place.pointer for problem in check(FILES / name).unsupported}


@pytest.mark.parametrize(
    "name",
    ["chain.yaml", "workflow.yaml", "parallel.yaml", "additions.yaml", "routing.yaml", "evaluator.yaml", "graph.yaml"],
)
def test_what_this_version_runs_is_supported(name):
    assert pointers(name) == set()


def test_every_unsupported_place_is_named():
    assert pointers("everything.yaml") == {
        "/agents/helper/tools/3",
        "/security/guardrails/deny_network",
        "/security/guardrails/pii_redaction",
        "/security/guardrails/allow_tools",
    }


def test_each_finding_has_a_place_and_advice():
    for problem in check(FILES / "everything.yaml").unsupported:
        assert problem.place.line
        assert problem.fix
        assert problem.rule == "unsupported"


def test_settings_that_ask_for_nothing_are_supported():
    extra = (
        "context_policy: {compaction: {enabled: false}, retrieval: {jit_tools: []}}\n"
        "security: {guardrails: {deny_network: false}}\nskills: []\n"
    )
    assert check_text(MINIMAL + extra, "a.yaml").unsupported == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("strands_tools.calculator", "calculator"),
        ("strands_tools.http_request.http_request", "http_request"),
        ("strands_tools.python_repl", "python_exec"),
        ("strands_cli.tools.web_fetch", "web_fetch"),
    ],
)
def test_a_former_name_means_the_tool_of_today(old, new):
    from weft.plan.compile import compile_workflow

    report = check_text(MINIMAL.replace("You write.", f"You write.\n    tools: [{old}]"), "a.yaml")
    assert (report.problems, report.unsupported) == ((), ())
    agents = compile_workflow(report.workflow).definitions["agents"]
    assert [agent["tools"] for agent in agents.values()][0] == [new]


def test_a_former_tool_that_is_not_there_is_named_with_those_that_are():
    text = MINIMAL.replace("You write.", "You write.\n    tools: [strands_tools.shell]")
    assert "calculator" in check_text(text, "a.yaml").unsupported[0].fix


def test_pointers_need_no_source():
    assert {p.place.pointer for p in unsupported(load(FILES / "graph.yaml"))} == pointers("graph.yaml")
