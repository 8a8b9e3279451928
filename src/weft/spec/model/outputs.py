# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated

from pydantic import Field

from weft.spec.model.base import Name, Section, Text


class Artifact(Section):
    """A file that a run writes: `path` and `from` are templates; ``$TRACE`` stands for the trace of the run."""

    path: Text
    source: Text = Field(alias="from")


class Outputs(Section):
    """What a run leaves behind."""

    artifacts: list[Artifact] = []


class Otel(Section):
    """Where traces go; `endpoint` is an OTLP collector."""

    endpoint: str | None = None
    service_name: str | None = None
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0


class Redact(Section):
    """What is hidden in traces."""

    tool_inputs: bool = True
    tool_outputs: bool = False


class Telemetry(Section):
    """What a run shows to observers."""

    otel: Otel | None = None
    redact: Redact = Redact.model_construct()


class Guardrails(Section):
    """What may not happen."""

    deny_network: bool = False
    pii_redaction: bool = False
    allow_tools: list[Name] | None = None


class Security(Section):
    """Limits on what agents may do."""

    guardrails: Guardrails = Guardrails.model_construct()
