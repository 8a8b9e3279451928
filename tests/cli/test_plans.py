"""Plans that are made at run time, on the command line: previewed, kept, shown, approved and forgotten."""

from __future__ import annotations

import shutil

import pytest

from tests.cli.conftest import ROOT

REQUEST = "Research bees and collect photos of bees, then write an article."


@pytest.fixture
def desk(weft):
    shutil.copy(ROOT / "examples" / "plan.yaml", weft.folder / "plan.yaml")
    return weft


def approving(weft):
    text = (ROOT / "examples" / "plan.yaml").read_text(encoding="utf-8")
    return weft.write("plan.yaml", f"{text}    approve: true\n    alternatives: 3\n")


def test_a_preview_shows_the_plan_and_what_it_takes_and_keeps_nothing(desk):
    said = desk("plan", "plan.yaml", "--request", REQUEST)
    assert said.code == 0
    assert "  2. writer: Write an article.  (after researcher, photographer)" in said.out
    assert "tokens" in said.out
    assert desk("plans", "list", "--json").json == {"plans": []}
    assert desk("runs", "list", "--json").json["runs"] == []


def test_the_preview_is_the_plan_that_is_run(desk):
    (draft,) = desk("plan", "plan.yaml", "--request", REQUEST, "--json").json["drafts"]
    run = desk("run", "plan.yaml", "--var", f"request={REQUEST}", "--json").json["run_id"]
    shown = desk("show", run).out
    assert f"plan {draft['hash'][:12]} by rules" in shown
    assert "  writer: Write an article.  (after researcher, photographer)" in shown


def test_a_preview_says_what_is_missing_and_what_is_not_clear(desk):
    said = desk("plan", "plan.yaml", "--request", "Research bees and bake a cake.")
    assert (said.code, said.out) == (10, "No agent can do this: bake a cake\n")
    said = desk("plan", "plan.yaml", "--request", "Do something.")
    assert said.code == 10
    assert "photographer | researcher" in said.out


@pytest.mark.parametrize("request_", ["", " ", "x" * 20_001])
def test_a_preview_needs_a_request(desk, request_):
    assert desk("plan", "plan.yaml", "--request", request_).code == 2


def test_a_workflow_that_makes_no_plan_has_no_preview(desk):
    said = desk("plan", str(ROOT / "examples" / "chain.yaml"), "--request", "Write.")
    assert said.code == 2
    assert "makes no plan" in said.err


@pytest.mark.slow
def test_kept_plans_are_listed_used_and_removed(desk):
    run = ("run", "plan.yaml", "--var", f"request={REQUEST}", "--json")
    desk(*run)
    (kept,) = desk("plans", "list", "--json").json["plans"]
    assert kept["request"] == REQUEST.lower().rstrip(".")
    assert kept["key"][:12] in desk("plans", "list").out
    assert " by cache" in desk("show", desk(*run).json["run_id"]).out
    assert desk("plans", "invalidate", "--expired", "--json").json == {"removed": []}
    assert desk("plans", "invalidate", kept["key"][:8]).out == "1 plan removed.\n"
    assert desk("plans", "invalidate", "--all", "--json").json == {"removed": []}
    assert " by rules" in desk("show", desk(*run).json["run_id"]).out


def test_what_is_to_be_removed_has_to_be_said(desk):
    assert desk("plans", "invalidate").code == 2
    assert desk("plans", "invalidate", "abc", "--all").code == 2
    assert desk("plans", "invalidate", "abc").code == 2


def test_the_run_of_a_plan_shows_its_milestones(desk):
    desk("run", "plan.yaml", "--var", f"request={REQUEST}")
    child = desk("runs", "list", "--children", "--json").json["runs"][0]["run_id"]
    assert "milestone 2 of 2 reached: writer" in desk("show", child).out
    assert [one["number"] for one in desk("show", child, "--json").json["milestones"]] == [1, 2]


def test_the_run_that_made_a_plan_shows_how_far_it_is_carried_out(desk):
    run = desk("run", "plan.yaml", "--var", f"request={REQUEST}", "--json").json["run_id"]
    child = desk("runs", "list", "--children", "--json").json["runs"][0]["run_id"]
    assert f"milestone 2 of 2 reached: writer (run {child})" in desk("show", run).out
    reached = desk("show", run, "--json").json["milestones"]
    assert [(one["number"], one["run"]) for one in reached] == [(1, child), (2, child)]


def test_deleting_a_run_takes_the_plan_that_is_kept_for_its_request_along(desk):
    run = desk("run", "plan.yaml", "--var", f"request={REQUEST}", "--json").json["run_id"]
    other = desk("run", "plan.yaml", "--var", "request=Research owls.", "--json").json["run_id"]
    assert len(desk("plans", "list", "--json").json["plans"]) == 2
    assert desk("runs", "delete", run, "--force").code == 0
    assert [one["request"] for one in desk("plans", "list", "--json").json["plans"]] == ["research owls"]
    kept = [file.read_text() for file in desk.folder.rglob("plans/*") if file.is_file()]
    assert not any("bees" in text.lower() for text in kept)
    assert desk("runs", "cleanup", "--max-age-days", "0", "--force").code == 0
    assert desk("show", other).code != 0
    assert desk("plans", "list", "--json").json["plans"] == []


def test_a_plan_is_approved_with_a_choice(weft):
    approving(weft)
    run = weft("run", "plan.yaml", "--var", f"request={REQUEST}", "--json").json["run_id"]
    assert weft("show", run, "--json").json["status"] == "waiting"
    assert weft("approve", run, "--set", "alternative=2").code == 0
    weft("resume", run)
    shown = weft("show", run)
    assert "  photographer: Collect photos of bees.  (after researcher)" in shown.out


def test_a_plan_is_edited_on_the_command_line(weft):
    approving(weft)
    run = weft("run", "plan.yaml", "--var", f"request={REQUEST}", "--json").json["run_id"]
    steps = "- {id: only, agent: writer, task: Write.}"
    assert weft("approve", run, "--set", f"steps={steps}").code == 0
    weft("resume", run)
    shown = weft("show", run)
    assert "by person" in shown.out
    assert "  only (writer): Write." in shown.out
