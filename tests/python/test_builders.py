"""Builders make the documents that files hold: the same plan, the same hash, the same problems with a place in Python."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_args

import pytest
import yaml

from weft import build
from weft.core.errors import SpecError
from weft.plan.codec import plan_hash
from weft.plan.compile import compile_workflow
from weft.python.build import options
from weft.spec import load
from weft.spec.model import agents, flow, machine, patterns, planning, runtime, steps, swarm, tools

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def chain(config):
    read, write = config["steps"]
    return build.chain(build.ask("reader", read["input"]), build.ask("writer", write["input"]))


def tasks(config):
    return build.tasks(
        *(
            build.task(
                one["id"],
                build.ask(one["agent"], one["input"]),
                deps=one.get("deps"),
                description=one.get("description"),
            )
            for one in config["tasks"]
        )
    )


def parallel(config):
    asked = {one["id"]: [step["input"] for step in one["steps"]] for one in config["branches"]}
    return build.parallel(
        build.branch("strengths", build.ask("reviewer", asked["strengths"][0])),
        build.branch("risks", build.ask("reviewer", asked["risks"][0])),
        build.branch("numbers", *(build.ask("reviewer", text) for text in asked["numbers"])),
        reduce=build.ask("editor", config["reduce"]["input"]),
    )


def routing(config):
    def route(name):
        one = config["routes"][name]
        return build.route(build.ask("helper", one["then"][0]["input"]), description=one.get("description"))

    routes = {name: route(name) for name in ("billing", "technical", "other")}
    return build.routing("desk", routes, default="other", input="{{ question }}")


def evaluator(config):
    return build.evaluator_optimizer(
        "writer",
        "critic",
        50,
        input=config["evaluator"]["input"],
        max_iters=3,
        patience=2,
        revise_prompt=config["revise_prompt"],
    )


def orchestrator(config):
    reduce = build.ask("editor", config["reduce"]["input"])
    return build.orchestrator_workers("lead", "worker", max_workers=3, max_rounds=2, reduce=reduce)


def graph(config):
    return build.graph(
        {name: build.ask(node["agent"], node["input"]) for name, node in config["nodes"].items()},
        [
            build.edge("read", "fees", "dates"),
            build.edge("fees", "note"),
            build.edge("dates", "note"),
            build.choice(
                "note", {"nodes.note.iteration >= 2 or len(nodes.note.response) > 200": "done", "else": "note"}
            ),
        ],
        max_iterations=3,
    )


def state_machine(config):
    draft = config["states"]["draft"]["entry"][1]["input"]
    revise = build.to("draft", guard="drafts < 3", do=build.assign({"remark": "signal.data.remark"}))
    return build.state_machine(
        "draft",
        {
            "draft": build.state(
                entry=[
                    build.assign({"drafts": "drafts + 1"}),
                    build.ask("writer", draft),
                    build.assign({"text": "last_response"}),
                ],
                always="review",
            ),
            "review": build.state(on={"APPROVE": "published", "REVISE": [revise]}, after=build.after(5, "published")),
            "published": build.state(final=True),
        },
        context={"drafts": 0, "remark": ""},
    )


def behavior_tree(config):
    memo = "research/archive/12-finance-memo.md"
    note = build.retry(build.use("head", {"path": "no-such-note.md", "lines": 5}), 2)
    read = build.sequence(
        build.use("head", {"path": memo, "lines": 60}, id="read"),
        build.assign({"source": "'memo'", "text": "last_response"}),
    )
    greps = {"insured": (memo, "insur"), "goodwill": (memo, "goodwill"), "refund": ("no-such-note.md", "refund")}
    return build.behavior_tree(
        build.sequence(
            build.selector(build.sequence(note, build.assign({"source": "'note'"})), build.timeout(read, 30)),
            build.condition("source != ''"),
            build.together(
                *(build.use("grep", {"path": path, "pattern": word}, id=name) for name, (path, word) in greps.items()),
                success_threshold=2,
                failure_threshold=2,
            ),
            build.ask("analyst", config["root"]["sequence"][-1]["input"]),
        ),
        context={"source": ""},
    )


def saga(config):
    said = config["steps"][0]
    return build.saga(
        build.undoable(
            build.ask("clerk", said["do"]["input"]), build.ask("clerk", said["compensate"]["input"]), id="announce"
        ),
        build.undoable(build.use("head", {"path": "{{ plan }}"}), id="plan"),
        on_failure="report",
    )


def mapping(config):
    return build.mapping(
        "documents",
        [build.use("file_read", {"path": "{{ document }}"}), build.ask("reader", config["do"][1]["input"])],
        item="document",
        key="document.split('/')[-1]",
        max_parallel=2,
        join="best_effort",
        reduce=build.ask("editor", config["reduce"]["input"]),
    )


def vote(config):
    curious = config["agents"][1]["input"]
    return build.vote(
        build.member("reader", id="hurried"),
        build.member("reader", id="curious", input=curious),
        build.member("reader", id="strict"),
        input=config["input"],
        choices=["print it", "send it back"],
        rule="majority",
        judge=build.judge("editor"),
    )


def debate(config):
    return build.debate("builder", "sailor", input="{{ question }}", rounds=3, judge=build.judge("mayor"))


def handoff(config):
    return build.handoff(
        "desk",
        {
            "desk": build.passes("money", "crew", description="timetable and general questions"),
            "money": build.passes(description="tickets, invoices, refunds"),
            "crew": build.passes(description="ships and lost property"),
        },
        input=config["input"],
        max_handoffs=3,
    )


def blackboard(config):
    return build.blackboard(
        {
            "plan": build.section("the day hour by hour"),
            "risks": build.section("what can go wrong", initial="not looked at yet"),
        },
        [
            build.writer("planner", writes=["plan"]),
            build.writer("critic", writes=["risks"], when="board.plan.version > 0"),
        ],
        input="{{ goal }}",
        max_rounds=6,
    )


def gossip(config):
    return build.gossip(build.member("watcher", count=6), input=config["input"], fanout=2, max_rounds=40)


def consensus(config):
    return build.consensus(
        build.member("traveller", count=5),
        input=config["input"],
        choices=["harbour", "market", "station"],
        max_ballots=40,
    )


def plan(config):
    return build.plan("{{ request }}")


def sub_workflow(config):
    section = build.run("section.yaml", {"topic": "{{ topic }}"}, budget={"max_tokens": 20000})
    return build.chain(
        build.each("['doors', 'alarm']", [section], item="topic", key="topic", id="sections"),
        build.ask("editor", config["steps"][1]["input"]),
    )


PATTERNS = {
    "behavior-tree": behavior_tree,
    "blackboard": blackboard,
    "chain": chain,
    "consensus": consensus,
    "debate": debate,
    "evaluator-optimizer": evaluator,
    "gossip": gossip,
    "graph": graph,
    "handoff": handoff,
    "map": mapping,
    "orchestrator-workers": orchestrator,
    "parallel": parallel,
    "plan": plan,
    "routing": routing,
    "saga": saga,
    "state-machine": state_machine,
    "sub-workflow/parts": sub_workflow,
    "vote": vote,
    "workflow": tasks,
}


def test_every_pattern_has_an_example_here():
    shown = {
        str(path.relative_to(EXAMPLES).with_suffix(""))
        for path in EXAMPLES.rglob("*.yaml")
        if "a2a" not in path.relative_to(EXAMPLES).parts  # services, not patterns
    }
    assert shown - {"research/research", "sub-workflow/section"} == set(PATTERNS)


def built(data: dict, pattern) -> build.Document:
    """The document that builders make of what a file says around its pattern."""
    about = dict(data["runtime"])
    made = build.workflow(data["name"], version=data["version"], **about)
    if "description" in data:
        made.describe(data["description"])
    for group, fields in (data.get("inputs") or {}).items():
        for name, field in fields.items():
            said = {"type": field} if isinstance(field, str) else field
            made.input(name, required=group == "required", **said)
    for name, agent in data["agents"].items():
        made.agent(name, **agent)
    for tool in (data.get("tools") or {}).get("python", []):
        made.tool(tool)
    for artifact in (data.get("outputs") or {}).get("artifacts", []):
        made.artifact(artifact["path"], artifact["from"])
    return made.pattern(pattern)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_builder_and_a_file_make_the_same_plan(name):
    file = EXAMPLES / f"{name}.yaml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    made = built(data, PATTERNS[name](data["pattern"]["config"]))
    # Relative paths start at the folder of the Python file that builds: here, at that of the example.
    made._root.file = str(file)
    assert plan_hash(compile_workflow(made.workflow())) == plan_hash(compile_workflow(load.load(file)))


def test_a_document_says_what_a_file_would():
    hello = (
        build.workflow("hello", provider="openai", budgets={"max_steps": 3})
        .input("text")
        .agent("reader", "Quote.", tools=[])
        .pattern(build.chain(build.ask("reader", "{{ text }}")))
    )
    again = load.load_text(yaml.safe_dump(hello.as_json()), "hello.yaml")
    assert plan_hash(compile_workflow(hello.workflow())) == plan_hash(compile_workflow(again))


def test_problems_have_their_place_in_python():
    here = inspect.currentframe().f_lineno
    wrong = (
        build.workflow("wrong", provider="openai")
        .agent("reader", "Quote.", tools=[])
        .pattern(
            build.chain(
                build.ask("reader", "{{ topic }}"),
                build.ask("raeder", "Again."),
            )
        )
    )
    report = wrong.report()
    found = {problem.rule: problem for problem in report.problems}
    assert "did you mean 'reader'" in str([problem.fix for problem in report.problems])
    assert {problem.place.file for problem in report.problems} == {__file__}
    lines = {problem.place.line - here for problem in found.values()}
    assert lines <= {5, 6, 7}, lines
    with pytest.raises(SpecError) as error:
        wrong.workflow()
    assert error.value.place.file == __file__


def test_a_value_that_no_document_can_hold_is_refused_with_its_line():
    made = build.workflow("x", provider="openai").agent("a", "b").pattern(build.chain(build.use("t", {"f": print})))
    with pytest.raises(SpecError, match="is no value of a document") as error:
        made.report()
    assert error.value.place.file == __file__


FIELDS = {
    options.RuntimeOptions: (runtime.Runtime, {"provider"}),
    options.AgentOptions: (agents.Agent, {"prompt"}),
    options.ToolOptions: (tools.PythonTool, {"callable"}),
    options.AskOptions: (steps.AgentStep, {"agent", "input"}),
    options.UseOptions: (steps.ToolStep, {"tool", "args"}),
    options.GateOptions: (steps.HitlStep, {"type", "prompt"}),
    options.WaitOptions: (flow.WaitRule, set()),
    options.EachOptions: (flow.MapRule, {"items", "item", "do"}),
    options.RunOptions: (flow.WorkflowStep, {"workflow", "inputs"}),
    options.RoutingOptions: (patterns.Router, {"agent"}),
    options.StateOptions: (machine.MachineState, set()),
    options.MemberOptions: (swarm.Member, {"agent"}),
    options.VoteOptions: (swarm.VoteConfig, {"agents"}),
    options.DebateOptions: (swarm.DebateConfig, {"agents"}),
    options.HandoffOptions: (swarm.HandoffConfig, {"start", "agents"}),
    options.WriterOptions: (swarm.Writer, {"agent"}),
    options.BlackboardOptions: (swarm.BlackboardConfig, {"sections", "agents"}),
    options.GossipOptions: (swarm.GossipConfig, {"agents"}),
    options.ConsensusOptions: (swarm.ConsensusConfig, {"agents"}),
    options.PlanOptions: (planning.PlanConfig, {"request"}),
}


@pytest.mark.parametrize("said", FIELDS, ids=lambda said: said.__name__)
def test_builders_know_every_field_of_the_language(said):
    model, given = FIELDS[said]
    assert set(said.__annotations__) | given == set(model.model_fields)


def test_there_is_a_builder_for_every_pattern_and_kind_of_step():
    kinds = {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(get_args(patterns.Pattern)[0])}
    renamed = {"workflow": "tasks", "map": "mapping"}
    assert {renamed.get(kind, kind) for kind in kinds} <= set(build.__all__)
    steps_of = {"wait": "wait", "set": "assign", "choose": "choose", "map": "each", "first_of": "first_of"}
    steps_of |= {"workflow": "run", "pattern": "nested"}
    assert set(flow.FLOW_KEYS) == set(steps_of)
    assert set(steps_of.values()) <= set(build.__all__)
