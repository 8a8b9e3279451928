from typing import Annotated, Literal

from pydantic import Field

from weft.spec.model.base import Identifier, Section, addition
from weft.spec.model.flow import Do
from weft.spec.model.steps import Retries


class SagaStep(Section):
    """A step, and what undoes it."""

    do: Do
    compensate: Do | None = None
    id: Identifier | None = None


class SagaConfig(Section):
    """Steps in order; when one fails, those that are done are undone, the latest first."""

    steps: Annotated[list[SagaStep], Field(min_length=1)]
    compensation_retries: Retries = 4
    on_failure: Literal["fail", "report"] = "fail"


class Saga(Section):
    """``type: saga``."""

    type: Literal["saga"] = addition(default=...)
    config: SagaConfig
