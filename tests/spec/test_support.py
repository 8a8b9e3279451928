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
        "/env/secrets/1/source",
        "/env/secrets/2/source",
        "/env/mounts",
        "/agents/helper/tools/2",
        "/agents/helper/tools/3",
        "/tools/python/1",
        "/tools/python/3",
        "/skills",
        "/context_policy/compaction",
        "/context_policy/notes",
        "/context_policy/retrieval",
        "/security/guardrails/deny_network",
        "/security/guardrails/pii_redaction",
        "/security/guardrails/allow_tools",
        "/pattern/config/steps/0/tool_overrides/0",
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


def test_an_old_tool_name_leads_to_the_new_one():
    text = MINIMAL.replace("You write.", "You write.\n    tools: [strands_tools.calculator]")
    assert check_text(text, "a.yaml").unsupported[0].fix == "use 'calculator'"


def test_pointers_need_no_source():
    assert {p.place.pointer for p in unsupported(load(FILES / "graph.yaml"))} == pointers("graph.yaml")
