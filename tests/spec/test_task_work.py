"""How much work it is to check and compile many tasks: it grows as the tasks and their dependencies do, not with their product."""

import sys

import pytest

from weft.plan.compile import compile_workflow
from weft.spec.load import check_text

pytestmark = pytest.mark.slow

HEAD = """\
version: 0
name: many
runtime: {provider: offline, model_id: offline/extract}
agents:
  worker: {prompt: "Do it."}
pattern:
  type: workflow
  config:
    tasks:
"""


def many(tasks: int, deps: int, say: str) -> str:
    lines = []
    for place in range(tasks):
        before = ", ".join(f"t{other}" for other in range(max(0, place - deps), place))
        said = say if place else "begin"
        lines.append(f'      - {{id: t{place}, agent: worker, input: "{said}", deps: [{before}]}}\n')
    return HEAD + "".join(lines)


def calls(text: str) -> int:
    """How many functions are called, those written in C too."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        report = check_text(text, "many.yaml")
        assert report.workflow is not None, report.problems
        compile_workflow(report.workflow)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("say", ["work", "{{ last_response }}", "{{ tasks['t0'].response }}"])
def test_twice_as_many_tasks_or_dependencies_are_twice_the_work_at_most(say):
    calls(many(2, 1, say))  # what is built when it is first needed
    few = calls(many(100, 10, say))
    assert calls(many(200, 10, say)) < 2.2 * few
    assert calls(many(100, 20, say)) < 2.2 * few
