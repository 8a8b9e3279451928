# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Literal

from pydantic import Field, Tag

from weft.spec.model.base import Identifier, Section, Text, addition, by_shape
from weft.spec.model.runtime import Count

Members = Annotated[int, Field(ge=1, le=10_000)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Member(Section):
    """One who takes part, or `count` of them that share an agent. `weight` is what one vote counts."""

    agent: Identifier
    id: Identifier | None = None
    count: Members | None = None
    weight: Annotated[float, Field(gt=0)] = 1.0
    input: str | None = None

    @property
    def name(self) -> str:
        """Its name in paths and results."""
        return self.id or self.agent


Entry = Annotated[Annotated[Identifier, Tag("<text>")] | Annotated[Member, Tag("<map>")], by_shape()]
Crowd = Annotated[list[Entry], Field(min_length=1, max_length=1_000)]


def members(crowd: list[str | Member]) -> list[Member]:
    """The entries of `crowd` in their long form."""
    return [Member.model_construct(agent=entry) if isinstance(entry, str) else entry for entry in crowd]


class Judge(Section):
    """An agent that decides, or sums up. `input` is a template."""

    agent: Identifier
    input: str | None = None


Rule = Literal["majority", "plurality", "quorum", "unanimous", "weighted", "judge"]


class VoteConfig(Section):
    """Agents answer the same question, and a rule says which answer wins."""

    agents: Crowd
    input: str | None = None
    choices: Annotated[list[Text], Field(min_length=2, max_length=100)] | None = None
    rule: Rule = "majority"
    quorum: Count | None = None
    rounds: Annotated[int, Field(ge=1, le=100)] = 1
    judge: Judge | None = None
    best_effort: bool = False


class Vote(Section):
    """``type: vote``."""

    type: Literal["vote"] = addition(default=...)
    config: VoteConfig


class DebateConfig(Section):
    """Agents argue in rounds, each seeing what the others said last; a judge sums up."""

    agents: Crowd
    input: str | None = None
    rounds: Annotated[int, Field(ge=1, le=100)] = 3
    stop_on_agreement: bool = True
    max_chars: Annotated[int, Field(ge=100, le=100_000)] = 4_000
    judge: Judge | None = None


class Debate(Section):
    """``type: debate``."""

    type: Literal["debate"] = addition(default=...)
    config: DebateConfig


class Desk(Section):
    """An agent that takes part in handing over: to whom it may pass the conversation, and what others know of it."""

    to: list[Identifier] = []
    description: str = ""
    input: str | None = None


class HandoffConfig(Section):
    """An agent answers, or passes the conversation to another one."""

    start: Identifier
    agents: Annotated[dict[Identifier, Desk], Field(min_length=1, max_length=100)]
    input: str | None = None
    max_handoffs: Annotated[int, Field(ge=1, le=100)] = 5


class Handoff(Section):
    """``type: handoff``."""

    type: Literal["handoff"] = addition(default=...)
    config: HandoffConfig


class BoardSection(Section):
    """A section of the board: what belongs there, and what stands there at the beginning (a template)."""

    description: str = ""
    initial: str = ""


class Writer(Section):
    """An agent at the board: the sections that it may write, and the condition under which it is asked in a round."""

    agent: Identifier
    id: Identifier | None = None
    writes: list[Identifier] | None = None
    when: Text | None = None
    input: str | None = None

    @property
    def name(self) -> str:
        """Its name in paths and results."""
        return self.id or self.agent


class BlackboardConfig(Section):
    """Agents read and write one board until nobody changes it any more."""

    sections: Annotated[dict[Identifier, BoardSection], Field(min_length=1, max_length=100)]
    agents: Annotated[list[Writer], Field(min_length=1, max_length=100)]
    input: str | None = None
    until: Text | None = None
    max_rounds: Annotated[int, Field(ge=1, le=1_000)] = 10
    on_limit: Literal["fail", "finish"] = "finish"


class Blackboard(Section):
    """``type: blackboard``."""

    type: Literal["blackboard"] = addition(default=...)
    config: BlackboardConfig


class Partition(Section):
    """From round `first` to round `last` (the first round is 1) members reach only those of their own group."""

    first: Count
    last: Count
    groups: Annotated[int, Field(ge=2, le=100)] = 2


class Network(Section):
    """Who reaches whom: partitions that heal, and the share of messages that are lost."""

    partitions: Annotated[list[Partition], Field(max_length=100)] = []
    loss: Share = 0.0


class GossipConfig(Section):
    """Facts spread among many: in each round every member exchanges what it knows with a few others."""

    agents: Crowd
    input: str | None = None
    facts: Annotated[list[Text], Field(min_length=1, max_length=1_000)] | None = None
    believe: str | None = None
    fanout: Annotated[int, Field(ge=1, le=100)] = 2
    max_rounds: Annotated[int, Field(ge=1, le=1_000)] = 20
    on_limit: Literal["fail", "finish"] = "fail"
    network: Network = Network.model_construct()


class Gossip(Section):
    """``type: gossip``."""

    type: Literal["gossip"] = addition(default=...)
    config: GossipConfig


class ConsensusConfig(Section):
    """Many agree on one decision, by ballots, when a quorum of all of them votes for the same."""

    agents: Crowd
    input: str | None = None
    choices: Annotated[list[Text], Field(min_length=2, max_length=100)] | None = None
    quorum: Count | None = None
    fanout: Annotated[int, Field(ge=1, le=100)] = 2
    max_ballots: Annotated[int, Field(ge=1, le=1_000)] = 20
    network: Network = Network.model_construct()


class Consensus(Section):
    """``type: consensus``."""

    type: Literal["consensus"] = addition(default=...)
    config: ConsensusConfig
