"""The local service: what commands rely on, through its own door."""

from __future__ import annotations

import json
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.otlp_receiver import receiver, sent
from weft.app.local import LocalService
from weft.app.service import ModelChoice, RunRequest
from weft.core.errors import AuthError, InputError, SpecError, UnsupportedError
from weft.core.settings_model import Settings
from weft.core.settings_model import Telemetry as TelemetrySettings
from weft.engine.questions import Answer

OFFLINE = ModelChoice(offline=True)
CHAIN = """
    version: 0
    name: demo
    runtime: {provider: openai, model_id: gpt-4o-mini}
    inputs: {required: {topic: string}, values: {topic: storms}}
    agents: {writer: {prompt: You write about {{ topic }}., tools: []}}
    pattern:
      type: chain
      config:
        steps:
          - {agent: writer, input: "Storms came in 2021. They broke 14 masts. Summarise."}
          - {agent: writer, input: "Say it again: {{ steps[0].response }}"}
    outputs:
      artifacts:
        - {path: "out/{{ topic }}.md", from: "{{ last_response }}"}
        - {path: trace.json, from: $TRACE}
""".replace("{prompt: You write about {{ topic }}., tools: []}", '{prompt: "You write about {{ topic }}.", tools: []}')


@asynccontextmanager
async def service(folder: Path, **settings) -> AsyncIterator[LocalService]:
    made = LocalService(Settings(home=folder / "home", durability="fast", **settings))
    try:
        yield made
    finally:
        await made.close()


def write(folder: Path, text: str, name: str = "flow.yaml") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


async def test_a_run_leaves_its_artifacts_and_a_trace_with_parents(tmp_path: Path) -> None:
    file = write(tmp_path, CHAIN)
    async with service(tmp_path) as s:
        run_id = await s.start(RunRequest(file=file, out=tmp_path / "a", choice=OFFLINE))
        result = await s.drive(run_id)
        assert result.status == "completed"
        assert s.find("last").id == run_id
        assert s.why(run_id) == []
        assert s.verify(run_id).intact
        assert [event.kind async for event in s.follow(run_id)][-1] == "run.completed"
    assert (tmp_path / "a/out/storms.md").read_text() == result.outputs["response"]
    trace = json.loads((tmp_path / "a/trace.json").read_text())
    ids = {span["span_id"] for span in trace["spans"]}
    assert len([span for span in trace["spans"] if span["parent_id"] is None]) == 1
    assert all(span["parent_id"] in ids for span in trace["spans"] if span["parent_id"])


async def test_a_file_of_another_run_is_never_overwritten_silently(tmp_path: Path) -> None:
    file = write(tmp_path, CHAIN.replace('from: "{{ last_response }}"', 'from: "{{ execution_context.session_id }}x"'))
    target = tmp_path / "a/out/storms.md"
    target.parent.mkdir(parents=True)
    target.write_text("mine")
    async with service(tmp_path) as s:
        refused = await s.drive(await s.start(RunRequest(file=file, out=tmp_path / "a", choice=OFFLINE)))
        assert (refused.status, refused.error.code) == ("failed", "io")
        assert "--force" in refused.error.fix
        assert target.read_text() == "mine"
        forced = RunRequest(file=file, out=tmp_path / "a", choice=OFFLINE, force=True)
        run_id = await s.start(forced)
        assert (await s.drive(run_id)).status == "completed"
        # A run that is no turn of a conversation is a session of its own.
        assert target.read_text() == f"{run_id}x"


@pytest.mark.parametrize("path", ["../x.md", "/tmp/x.md", "a/../../x.md", "C:/x.md", "\\\\x", "  "])
@pytest.mark.slow
async def test_an_artifact_cannot_leave_the_output_folder(tmp_path: Path, path: str) -> None:
    file = write(tmp_path, CHAIN.replace("out/{{ topic }}.md", "{{ where }}"))
    async with service(tmp_path) as s:
        request = RunRequest(file=file, out=tmp_path / "a", choice=OFFLINE, variables={"where": path})
        result = await s.drive(await s.start(request))
    assert result.error.code == "policy"
    assert not (tmp_path / "x.md").exists()


async def test_a_symbolic_link_leads_no_artifact_out(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a/out").symlink_to(tmp_path / "elsewhere")
    async with service(tmp_path) as s:
        request = RunRequest(file=write(tmp_path, CHAIN), out=tmp_path / "a", choice=OFFLINE)
        result = await s.drive(await s.start(request))
    assert result.error.code == "policy"
    assert not list((tmp_path / "elsewhere").iterdir())


async def test_what_would_keep_a_run_from_its_end_is_said_before_it_begins(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    file = write(tmp_path, CHAIN)
    async with service(tmp_path) as s:
        with pytest.raises(AuthError, match="OPENAI_API_KEY"):
            await s.start(RunRequest(file=file))
        with pytest.raises(SpecError):
            await s.start(RunRequest(file=write(tmp_path, "version: 0", "bad.yaml"), choice=OFFLINE))
        with pytest.raises(UnsupportedError):
            s.check(write(tmp_path, CHAIN + "    security: {guardrails: {deny_network: true}}\n", "rails.yaml"))
        with pytest.raises(InputError):
            wrong = {
                "required: {topic: string}": "required: {topic: {type: integer}}",
                "values: {topic: storms}": "values: {}",
            }
            text = CHAIN
            for old, new in wrong.items():
                text = text.replace(old, new)
            await s.start(
                RunRequest(file=write(tmp_path, text, "typed.yaml"), choice=OFFLINE, variables={"topic": "x"})
            )
        assert s.runs() == []


async def test_a_budget_in_money_needs_a_model_with_a_price(tmp_path: Path) -> None:
    budget = "runtime: {provider: ollama, host: 'http://127.0.0.1:1', model_id: mine, budgets: {max_cost_usd: 1}}"
    text = CHAIN.replace("runtime: {provider: openai, model_id: gpt-4o-mini}", budget)
    async with service(tmp_path) as s:
        checked = s.check(write(tmp_path, text))
        assert [(problem.rule, problem.place.line) for problem in checked.errors] == [("unpriced", 4)]
        assert s.check(write(tmp_path, text), OFFLINE).errors == []


async def test_a_workflow_says_where_its_traces_go_and_the_settings_go_over_it(tmp_path: Path) -> None:
    with receiver() as (address, got), receiver() as (other, elsewhere):
        file = write(tmp_path, CHAIN + f"    telemetry: {{otel: {{endpoint: '{address}', service_name: mine}}}}\n")
        async with service(tmp_path) as s:
            await s.drive(await s.start(RunRequest(file=file, out=tmp_path / "a", choice=OFFLINE)))
        names = {span.name for span in sent(got)}
        async with service(tmp_path, telemetry=TelemetrySettings(endpoint=other)) as s:
            await s.drive(await s.start(RunRequest(file=file, out=tmp_path / "b", choice=OFFLINE)))
        count = len(sent(got))
    assert {"invoke_workflow demo", "invoke_agent writer", "chat extract"} <= names
    assert count == len(sent(got))
    assert sent(elsewhere)


async def test_another_workflow_begins_with_its_own_values_and_those_of_the_step_win(tmp_path: Path) -> None:
    text = """
        version: 1
        name: inner
        runtime: {provider: openai, model_id: gpt-4o-mini}
        inputs:
          required: {topic: string}
          optional: {tone: {type: string, default: "dry {{ as it stands }}"}, place: {type: string, default: home}}
          values: {topic: storms}
        agents: {writer: {prompt: You write.}}
        pattern: {type: chain, config: {steps: [{agent: writer, input: "{{ topic }}, {{ tone }}, {{ place }}"}]}}
    """
    write(tmp_path, text).rename(tmp_path / "inner.yaml")
    steps = "steps:\n          - {workflow: inner.yaml, id: sub, inputs: {place: 'at {{ topic }}'}}\n"
    file = write(tmp_path, CHAIN[: CHAIN.index("steps:")].replace("version: 0", "version: 1") + steps)
    async with service(tmp_path) as s:
        run_id = await s.start(RunRequest(file=file, out=tmp_path / "a", choice=OFFLINE, variables={"topic": "sea"}))
        result = await s.drive(run_id)
        assert result.status == "completed", result.error
        [inner] = [run for run in s.runs() if run.parent == run_id]
        prompts = [event.data["prompt"] for event in s.events(inner.id) if event.kind == "step.input"]
    assert prompts == ["storms, dry {{ as it stands }}, at sea"]


async def test_the_spans_of_a_child_run_hang_below_the_step_that_started_it(tmp_path: Path) -> None:
    child = write(
        tmp_path, CHAIN.replace("name: demo", "name: inner").replace("        - {path: trace.json, from: $TRACE}\n", "")
    )
    child = child.rename(tmp_path / "inner.yaml")
    steps = "steps:\n          - {type: hitl, prompt: Go on?}\n          - {workflow: inner.yaml, id: sub}"
    head = CHAIN[: CHAIN.index("steps:")].replace("version: 0", "version: 1")
    file = write(tmp_path, head + steps + "\n")
    with receiver() as (address, got):
        telemetry = TelemetrySettings(endpoint=address)
        async with service(tmp_path, telemetry=telemetry) as s:
            run_id = await s.start(RunRequest(file=file, out=tmp_path / "a", choice=OFFLINE))
            await s.drive(run_id)
        async with service(tmp_path, telemetry=telemetry) as s:
            await s.decide(run_id, None, Answer(by="ada", verdict="approve"))
            result = await s.drive(run_id)
            assert result.status == "completed", result.error
            [inner] = [run for run in s.runs() if run.parent == run_id]
        spans = {(one.name, attribute(one, "weft.run.id")): one for one in sent(got)}
    below = [one for (_, owner), one in spans.items() if owner == inner.id]
    top = spans["invoke_workflow inner", inner.id]
    [step] = [one for one in spans.values() if one.span_id == top.parent_span_id]
    assert attribute(step, "weft.run.id") == run_id
    assert {one.trace_id for one in below} == {spans["invoke_workflow demo", run_id].trace_id}
    assert {"invoke_agent writer", "chat extract"} <= {one.name for one in below}


def attribute(span: Any, name: str) -> str:
    return next(str(one.value.string_value) for one in span.attributes if one.key == name)
