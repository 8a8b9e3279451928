"""Files as other people write them, each pattern in several hands: they load unchanged and run offline, where judges really judge."""

import json
import re
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent / "corpus" / "borrowed"
FILES = sorted(FOLDER.glob("*.yaml"))
GIVEN = {"chain-briefing": ("date=2025-02-01",)}
ANSWERS = {
    "chain-hand-over": ("The key hangs in the office.",),
    "graph-claims": ("yes",),
    "orchestrator-two-reviews": ("fine", "merge them"),
    "parallel-three-views": ("none",),
    "routing-escalation": ("route:high", "closed"),
    "workflow-market": ("right",),
}
SCALES = {
    "evaluator-between-rules": (60, 100),
    "evaluator-essay-rubric": (0, 100),
    "evaluator-of-five": (3, 5),
    "evaluator-of-one": (0, 1),
    "evaluator-of-ten": (1, 10),
    "evaluator-yes-or-no": (0, 100),
}
"""Between what the score of the first draft lies: the scale is the one that the file names."""
HOLDS = {
    "graph-pipeline": ("out.md", "via publish"),
    "orchestrator-energy": ("report.md", "workers, 1 round(s)"),
    "parallel-three-views": ("decision.md", "con human pro"),
    "parallel-votes": ("both.txt", "[completed] [completed]"),
    "routing-categories": ("routed-billing.md", "Route: billing"),
    "workflow-market": ("Northwind.md", ""),
    "workflow-release": ("notes.md", "dark mode"),
}


def test_each_pattern_is_there_in_several_hands():
    kinds = [re.search(r"^  type: (\w+)", file.read_text(), re.MULTILINE)[1] for file in FILES]
    assert set(kinds) == {
        *("chain", "workflow", "parallel", "routing", "graph"),
        *("evaluator_optimizer", "orchestrator_workers"),
    }
    assert all(kinds.count(kind) >= 2 for kind in kinds)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_borrowed_file_runs_offline(near_desk, file):
    shutil.copy(file, near_desk.folder)
    given = [part for value in GIVEN.get(file.stem, ()) for part in ("--var", value)]
    said = near_desk("run", file.name, "--offline", *given)
    if file.stem == "routing-escalation":
        assert near_desk.events("gate.opened")[-1]["data"]["show"] == "Chosen: high"
    for text in ANSWERS.get(file.stem, ()):
        assert said.code == 19, said.all
        said = near_desk("approve", "last", "--answer", text)
    assert said.code == 0, said.all
    assert said.out.strip()
    if file.stem in HOLDS:
        path, content = HOLDS[file.stem]
        assert content in near_desk.read(f"artifacts/{path}")
    if file.stem in SCALES:
        scores = [event["data"]["value"]["data"]["score"] for event in near_desk.events() if _judged(event)]
        low, high = SCALES[file.stem]
        assert low <= scores[0] <= high, json.dumps(scores)


def _judged(event):
    return event["kind"] == "step.completed" and event["path"].endswith("/evaluate/evaluator")
