"""What is compared: the cases, the sides that take part in each, and the goals that are judged afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Metrics = Mapping[str, float]
Medians = Mapping[tuple[str, str], Metrics]
"""Metrics by (case, side)."""


@dataclass(frozen=True)
class Side:
    """A script that plays one side. `venv` is the environment that it runs in, relative to the repository."""

    name: str
    script: str
    venv: str = ".venv"


@dataclass(frozen=True)
class Goal:
    """A number that should stay within a bound; `value` raises KeyError when a side was not measured."""

    text: str
    value: Callable[[Medians], float]
    bound: float
    at_least: bool = False

    def holds(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True)
class Case:
    """One question. `metrics` are those shown, with their unit. What is `long` is measured only when it is named."""

    name: str
    question: str
    sides: tuple[Side, ...]
    metrics: Mapping[str, str]
    goals: tuple[Goal, ...] = ()
    long: bool = False


WEFT = Side("weft", "benchmarks/weft_steps.py")
BARE = Side("bare writer", "benchmarks/rivals/bare_writer.py")
LANGGRAPH = Side("langgraph", "benchmarks/rivals/langgraph_steps.py", ".venv-bench")
DBOS = Side("dbos", "benchmarks/rivals/dbos_steps.py", ".venv-bench")
AGENTS = Side("weft", "benchmarks/weft_agents.py")
AGENT = Side("pydantic-ai", "benchmarks/rivals/bare_agent.py")
SWARM = Side("weft", "benchmarks/weft_swarm.py")
TRAVEL = Side("weft", "benchmarks/weft_travel.py")
STREAMING = Side("weft", "benchmarks/weft_service.py")
REQUESTS = Side("weft", "benchmarks/weft_requests.py")
TENANTS = Side("weft", "benchmarks/weft_tenants.py")
AUDIT = Side("weft", "benchmarks/weft_audit.py")
SEALED = Side("weft", "benchmarks/weft_sealed.py")
WAITING = Side("weft", "benchmarks/weft_waiting.py")
PATTERNS = (
    Side("langgraph", "benchmarks/rivals/langgraph_patterns.py", ".venv-bench"),
    Side("strands", "benchmarks/rivals/strands_patterns.py", ".venv-bench"),
    Side("weft", "benchmarks/weft_patterns.py"),
)
PG_WEFT = Side("weft", "benchmarks/weft_postgres.py")
PG_LANGGRAPH = Side("langgraph", "benchmarks/rivals/langgraph_postgres.py", ".venv-bench")
COMMANDS = Side("weft", "benchmarks/startup.py")


def against(case: str, metric: str, other: Side) -> Callable[[Medians], float]:
    """How many times the other side's number ours is."""
    return lambda medians: medians[case, "weft"][metric] / medians[case, other.name][metric]


def within(case: str, metric: str, base: str) -> Callable[[Medians], float]:
    """How many times one of our numbers another of ours is."""
    return lambda medians: medians[case, "weft"][metric] / medians[case, "weft"][base]


def of(case: str, metric: str) -> Callable[[Medians], float]:
    """A metric of Weft's own."""
    return lambda medians: medians[case, "weft"][metric]


def agent_case(name: str, question: str) -> Case:
    return Case(
        name,
        question,
        (AGENT, AGENTS),
        {"ms_per_run_at_50": "ms", "ms_per_run_alone": "ms", "commits_per_run": ""},
        (
            Goal("50 at once, over Pydantic AI by turns", of(name, "over_bare_at_50"), 1.5),
            Goal(
                "one at a time less the bare writer's commits, over Pydantic AI by turns",
                of(name, "over_bare_alone"),
                1.5,
            ),
        ),
    )


def swarm_case(name: str, question: str) -> Case:
    return Case(
        name,
        question,
        (SWARM,),
        {"events_per_s": "events/s", "events": "", "seconds": "s", "peak_mb": "MiB"},
        (Goal("peak memory in MiB", lambda medians: medians[name, "weft"]["peak_mb"], 300),),
    )


def pattern_case(name: str, question: str) -> Case:
    return Case(name, question, PATTERNS, {"ms_per_run_at_20": "ms", "ms_per_run_alone": "ms", "cpu_ms_per_run": "ms"})


def timer_case(name: str, question: str, metrics: Mapping[str, str], *, long: bool = False) -> Case:
    early = Goal("timers that rang early", lambda medians: medians[name, "weft"]["early"], 0)
    shown = {"early": "", "p50_late_s": "s", "p99_late_s": "s", "peak_mb": "MiB", **metrics}
    return Case(name, question, (WAITING,), shown, (early,), long=long)


def decision_goal(how: str) -> Goal:
    return Goal(
        f"ms from the decision to the next step, {how}", lambda medians: medians["gates", "weft"][f"{how}_ms"], 100
    )


def admitted(medians: Medians) -> float:
    """Milliseconds that a request with a key costs before anything is done for it."""
    found = medians["admission", "weft"]
    return (found["key_us"] + found["read_us"]) / 1_000


CASES = (
    Case(
        "throughput",
        "50 runs at once, 10 no-op steps each, every step on disk",
        (BARE, LANGGRAPH, DBOS, WEFT),
        {"steps_per_s": "steps/s"},
        (
            Goal("times LangGraph", against("throughput", "steps_per_s", LANGGRAPH), 20, at_least=True),
            Goal("times DBOS", against("throughput", "steps_per_s", DBOS), 40, at_least=True),
        ),
    ),
    Case(
        "alone",
        "one run of 100 no-op steps, every step on disk",
        (BARE, LANGGRAPH, DBOS, WEFT),
        {"ms_per_step": "ms"},
        (
            Goal("times the bare writer", against("alone", "ms_per_step", BARE), 2),
            Goal("times LangGraph", against("alone", "ms_per_step", LANGGRAPH), 0.5),
        ),
    ),
    Case(
        "growth",
        "one run of 1,010 steps, each adding 100 characters to what the next one sees: step 1,000 beside step 10",
        (LANGGRAPH, WEFT),
        {"ms_at_10": "ms", "ms_at_1000": "ms", "bytes_at_10": "bytes", "bytes_at_1000": "bytes"},
        (
            Goal("time at step 1,000 over step 10", within("growth", "ms_at_1000", "ms_at_10"), 1.2),
            Goal("bytes at step 1,000 over step 10", within("growth", "bytes_at_1000", "bytes_at_10"), 1.2),
        ),
    ),
    Case(
        "fan_out",
        "10,000 no-op branches in one run",
        (LANGGRAPH, WEFT),
        {"seconds": "s", "peak_mb": "MiB"},
        (Goal("times LangGraph's Send", against("fan_out", "seconds", LANGGRAPH), 1),),
    ),
    agent_case("agent", "an agent that answers at once"),
    agent_case("agent_tool", "an agent that calls one tool and answers"),
    Case(
        "fork",
        "a fork of a run with 100 and with 10,000 events",
        (TRAVEL,),
        {"ms_at_100": "ms", "ms_at_10000": "ms"},
        (Goal("time at 10,000 events over 100", within("fork", "ms_at_10000", "ms_at_100"), 1.3),),
    ),
    Case(
        "replay",
        "a replay of 10,000 events: a chain, and a fan-out of composites",
        (TRAVEL,),
        {"chain_events_per_s": "events/s", "mixed_events_per_s": "events/s"},
        (
            Goal(
                "events a second, chain",
                lambda medians: medians["replay", "weft"]["chain_events_per_s"],
                20_000,
                at_least=True,
            ),
            Goal(
                "events a second, fan-out",
                lambda medians: medians["replay", "weft"]["mixed_events_per_s"],
                20_000,
                at_least=True,
            ),
        ),
    ),
    Case(
        "startup",
        "CPU time of commands",
        (COMMANDS,),
        {"python_ms": "ms", "help_ms": "ms", "validate_ms": "ms"},
        (
            Goal("weft --help over python -c pass", within("startup", "help_ms", "python_ms"), 16),
            Goal("weft validate over python -c pass", within("startup", "validate_ms", "python_ms"), 45),
        ),
    ),
    swarm_case("gossip", "1,000 simulated agents tell each other what they know, through a partition"),
    swarm_case("consensus", "1,000 simulated agents agree on one decision, through a partition"),
    pattern_case(
        "graph", "a graph of six agents with a fan-out and a cycle: ten answers of a model that takes no time"
    ),
    pattern_case("supervisor", "an agent that gives work to five others at once: seven answers of the same model"),
    timer_case("timers", "10,000 timers of one run, due at one moment", {}),
    timer_case("timer_runs", "10,000 runs with a timer each, due at one moment", {"runs_per_s": "runs/s"}, long=True),
    Case(
        "gates",
        "from the decision of a gate to the next step: of a run that is driven, and of one that a worker has to take up",
        (WAITING,),
        {"driven_ms": "ms", "driven_p95_ms": "ms", "undriven_ms": "ms", "undriven_p95_ms": "ms"},
        (decision_goal("driven"), decision_goal("undriven")),
    ),
    Case(
        "chat_stream",
        "what the service adds to the words of a model that it streams",
        (STREAMING,),
        {"agent_added_word_p50_ms": "ms", "agent_added_first_word_ms": "ms", "model_added_word_p50_ms": "ms"},
        (
            Goal("added to a word of an agent (p50)", of("chat_stream", "agent_added_word_p50_ms"), 5),
            Goal("added to the first word of an agent", of("chat_stream", "agent_added_first_word_ms"), 300),
        ),
    ),
    Case(
        "control",
        "the control API at 32 connections: reading a run, starting one; to the first event; a gate's answer to the next step",
        (REQUESTS,),
        {
            "read_per_s": "requests/s",
            "read_p95_ms": "ms",
            "read_cpu_ms": "ms",
            "start_per_s": "requests/s",
            "start_p95_ms": "ms",
            "start_cpu_ms": "ms",
            "first_event_ms": "ms",
            "gate_ms": "ms",
        },
        (
            Goal("reading, p95", of("control", "read_p95_ms"), 50),
            Goal("starting, p95", of("control", "start_p95_ms"), 50),
            Goal("a gate's answer to the next step", of("control", "gate_ms"), 100),
        ),
    ),
    Case(
        "readers",
        "1,000 readers of one run's stream: memory of the service for each, and when the last has heard of the run's end",
        (REQUESTS,),
        {"kib_each": "KiB", "last_heard_ms": "ms"},
    ),
    Case(
        "postgres",
        "as throughput and alone, each side over its own PostgreSQL; Weft's also with two and four processes of 50 runs each",
        (PG_LANGGRAPH, PG_WEFT),
        {"steps_per_s": "steps/s", "steps_per_s_2": "steps/s", "steps_per_s_4": "steps/s", "ms_per_step": "ms"},
        (Goal("times LangGraph's Postgres", against("postgres", "steps_per_s", PG_LANGGRAPH), 15, at_least=True),),
    ),
    Case(
        "audit",
        "the audit log: processor time of an entry, alone and a hundred together, and entries that one core proves in a second",
        (AUDIT,),
        {
            "append_alone_us": "µs",
            "append_together_us": "µs",
            "verified_per_s": "entries/s",
            "postgres_verified_per_s": "entries/s",
            "export_verified_per_s": "entries/s",
        },
        (
            Goal("proved from SQLite", of("audit", "verified_per_s"), 200_000, at_least=True),
            Goal("proved from Postgres", of("audit", "postgres_verified_per_s"), 200_000, at_least=True),
            Goal("proved from an export", of("audit", "export_verified_per_s"), 200_000, at_least=True),
        ),
    ),
    Case(
        "sealed",
        "as throughput, with an answer of 500 characters a step: in plain, and sealed at rest",
        (SEALED,),
        {"plain_steps_per_s": "steps/s", "sealed_steps_per_s": "steps/s", "plain_us": "µs", "sealed_us": "µs"},
        (Goal("sealed over plain", within("sealed", "sealed_steps_per_s", "plain_steps_per_s"), 0.8, at_least=True),),
    ),
    Case(
        "admission",
        "what finding out who calls, and whether they may ask so often, costs the processor for each request",
        (TENANTS,),
        {"key_us": "µs", "token_us": "µs", "session_us": "µs", "read_us": "µs", "start_us": "µs"},
        (Goal("ms of a request with a key, and its limit", admitted, 1),),
    ),
    Case(
        "fairness",
        "from the queueing of a run to its first step: with nothing else to do, and behind 10,000 runs of another tenant",
        (TENANTS,),
        {"alone_ms": "ms", "behind_ms": "ms", "behind_worst_ms": "ms"},
        (Goal("later, in steps of half a second", of("fairness", "steps_later"), 1),),
    ),
    Case("resume", "continuing a run with 10,000 recorded steps", (WEFT,), {"seconds_to_first_step": "s"}),
)
