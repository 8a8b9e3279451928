"""Groups of agents, small enough to die everywhere."""

from __future__ import annotations

from weft.plan.compile import compile_workflow
from weft.plan.definitions import Overrides
from weft.spec.load import load_text

HEAD = """\
version: 1
name: group
description: They work together.
runtime: {provider: openai, max_parallel: %d}
agents: {a: {prompt: A}, b: {prompt: B}, c: {prompt: C}}
pattern:
"""
PATTERNS = {
    "vote": "{type: vote, config: {agents: [a, b, {agent: c, count: 2}], choices: [x, y], rounds: 3, judge: {agent: c}}}",
    "debate": "{type: debate, config: {agents: [a, b], rounds: 3, judge: {agent: c}}}",
    "handoff": "{type: handoff, config: {start: a, agents: {a: {to: [b, c]}, b: {to: [c]}, c: {}}}}",
    "blackboard": "{type: blackboard, config: {sections: {p: {}, q: {initial: z}}, agents: [a, b], max_rounds: 4}}".replace(
        "[a, b]", "[{agent: a}, {agent: b, writes: [q]}]"
    ),
    "gossip": "{type: gossip, config: {agents: [a, {agent: b, count: 3}], believe: ok?, network: {partitions: [{first: 1, last: 2}]}}}",
    "consensus": "{type: consensus, config: {agents: [a, {agent: b, count: 4}], choices: [x, y], network: {loss: 0.2}}}",
}


def plan_of(name, at_once=5):
    return compile_workflow(load_text(f"{HEAD % at_once}  {PATTERNS[name]}\n", "group.yaml"), Overrides(offline=True))
