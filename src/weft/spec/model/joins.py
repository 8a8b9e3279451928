from typing import Annotated, Literal

from pydantic import Tag

from weft.spec.model.base import Section, addition, by_shape
from weft.spec.model.runtime import Count

JoinPolicy = Literal["all", "quorum", "best_effort", "first"]


class JoinRule(Section):
    """When a fan-out is done. `quorum` is how many successes are enough (without it, a majority), `failures` how many are too many."""

    policy: JoinPolicy
    quorum: Count | None = None
    failures: Count | None = addition()


Join = Annotated[Annotated[JoinPolicy, Tag("<text>")] | Annotated[JoinRule, Tag("<map>")], by_shape()]
