"""Running an agent by itself, and its tests: each a run like any other, kept in the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.app.atomic import AgentFile, case_input, misfits, read_object
from weft.app.checks import Case
from weft.app.service import ModelChoice, RunRequest, Service
from weft.cli import logs
from weft.cli.reach import ask
from weft.cli.starting import chosen
from weft.core.errors import EXIT_CODES, InternalError, WeftError
from weft.core.settings import load_settings
from weft.engine.local import RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What an agent answered, or why it did not."""

    run_id: str
    answer: Any = None
    error: WeftError | None = None

    @property
    def exit_code(self) -> int:
        """What the command exits with."""
        return EXIT_CODES[self.error.code] if self.error else 0

    def as_json(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {
            "run_id": self.run_id,
            "answer": self.answer,
            "error": self.error.as_json() if self.error else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a test went."""

    name: str
    run_id: str
    failures: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """The verdict as plain data."""
        return {"name": self.name, "run_id": self.run_id, "passed": not self.failures, "failures": list(self.failures)}


def answer(file: Path, values: Mapping[str, Any], choice: ModelChoice) -> Answered:
    """What the agent in `file` answers to these inputs."""
    request = _request(file, values, choice)

    async def whole(service: Service) -> Answered:
        return await _answer(service, request)

    return ask(whole)


def judge(agent: AgentFile, cases: Sequence[Case], choice: ModelChoice) -> list[Verdict]:
    """How the tests of an agent go, one after the other."""

    async def whole(service: Service) -> list[Verdict]:
        return [await _judge(service, agent, case, choice) for case in cases]

    return ask(whole)


async def _judge(service: Service, agent: AgentFile, case: Case, choice: ModelChoice) -> Verdict:
    try:
        found = await _answer(service, _request(agent.file, case_input(agent, case), choice))
        schema = _schema(agent, case)
    except WeftError as error:
        return Verdict(name=case.name, run_id="", failures=[error.message])
    if found.error:
        return Verdict(name=case.name, run_id=found.run_id, failures=[found.error.message])
    failures = misfits(found.answer, schema)
    failures += [failure for check in case.checks if (failure := check.failure(found.answer))]
    return Verdict(name=case.name, run_id=found.run_id, failures=failures)


def _schema(agent: AgentFile, case: Case) -> Mapping[str, Any] | None:
    """What the answer of a test is held to: the agent's own schema, unless the test brings another one."""
    if isinstance(case.schema, str):
        found = read_object(agent.file.parent / case.schema)
        return found if isinstance(found, dict) else None
    return case.schema if isinstance(case.schema, dict) else agent.output_schema


def _request(file: Path, values: Mapping[str, Any], choice: ModelChoice) -> RunRequest:
    settings = load_settings()
    logs.start(settings.log.level, settings.log.format)
    return RunRequest(file=file, variables=values, choice=chosen(settings, choice))


async def _answer(service: Service, request: RunRequest) -> Answered:
    run_id = await service.start(request)
    done: RunResult = await service.drive(run_id)
    if done.status != "completed":
        error = done.error or InternalError(f"the run is {done.status}", fix=f"`weft show {run_id}` shows it")
        return Answered(run_id=run_id, error=error)
    outputs = done.outputs
    return Answered(run_id=run_id, answer=outputs.get("response") if isinstance(outputs, Mapping) else outputs)
