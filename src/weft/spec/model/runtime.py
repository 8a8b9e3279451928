from typing import Annotated, Literal

from pydantic import Field

from weft.spec.model.base import Section, addition

Provider = Literal[
    "openai",
    "anthropic",
    "bedrock",
    "gemini",
    "google",
    "ollama",
    "azure_openai",
    "azure",
    "offline",
    "danskegpt",
]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Url = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2000)]


class Budgets(Section):
    """Limits for a whole run. `warn_threshold` is the fraction of a limit at which a warning appears."""

    max_steps: Count | None = None
    max_tokens: Count | None = None
    max_duration_s: Count | None = None
    max_cost_usd: Annotated[float, Field(gt=0)] | None = addition()
    warn_threshold: Annotated[float, Field(ge=0, le=1)] = 0.8


class FailurePolicy(Section):
    """How often a failed step is tried again, and how long to wait in between, in seconds."""

    retries: Annotated[int, Field(ge=0, le=100)] = 2
    backoff: Literal["constant", "exponential", "jittered"] = "exponential"
    wait_min: Annotated[float, Field(ge=0)] = 1
    wait_max: Annotated[float, Field(ge=0)] = 60


class Runtime(Section):
    """Where models run by default, and the limits of a run."""

    provider: Provider
    model_id: Annotated[str, Field(min_length=1)] | None = None
    region: str | None = None
    host: Url | None = None
    space_id: str | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_tokens: Count | None = None
    max_parallel: Count = 5
    budgets: Budgets = Budgets.model_construct()
    failure_policy: FailurePolicy = FailurePolicy.model_construct()
