import re
from pathlib import Path

import pytest

from weft.spec.filters import FILTERS
from weft.spec.load import check_text
from weft.spec.model.workflow import Workflow
from weft.spec.support import BUILTIN_TOOLS

DOCS = Path(__file__).parents[2] / "docs"
LANGUAGE = (DOCS / "workflow-language.md").read_text()


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", blocks("workflow-language.md", "yaml"))
def test_the_documents_on_the_page_load_without_a_problem(text):
    report = check_text(text, "page.yaml")
    assert (report.problems, report.unsupported) == ((), ())


@pytest.mark.parametrize("code", blocks("plan.md", "python"))
def test_the_code_on_the_page_runs(code):
    exec(compile(code, "plan.md", "exec"), {})


def test_the_page_names_every_key_that_this_version_runs():
    from weft.spec.model.agents import Agent
    from weft.spec.model.outputs import Outputs, Telemetry
    from weft.spec.model.patterns import ParallelConfig, WorkflowConfig
    from weft.spec.model.runtime import Runtime
    from weft.spec.model.steps import AgentTask, ToolTask
    from weft.spec.model.tools import HttpExecutor, PythonTool

    run = (
        Runtime,
        Agent,
        PythonTool,
        HttpExecutor,
        AgentTask,
        ToolTask,
        WorkflowConfig,
        ParallelConfig,
        Outputs,
        Telemetry,
    )
    keys = {*Workflow.model_fields}.union(*(model.model_fields for model in run)) - {"space_id"}
    assert {
        key for key in keys if f"`{key}`" not in LANGUAGE and f"{key}:" not in LANGUAGE and f".{key}" not in LANGUAGE
    } == set()


def test_the_page_names_every_tool_and_filter():
    names = set(BUILTIN_TOOLS) | {name for name in FILTERS if name.isidentifier()} - {"d", "count"}
    assert {name for name in names if not re.search(rf"`{name}[`(]", LANGUAGE)} == set()
