"""Gates in each place where one may stand in a pattern, and what a no or no answer there comes to."""

from __future__ import annotations

GATE = "type: hitl, prompt: Go on?, choices: [approve, reject], deadline_s: 20"

GATED: dict[str, tuple[str, str]] = {
    "chain, a step": (
        "failed",
        "type: chain\nconfig: {steps: [{agent: a, input: x}, {GATE}, {tool: pay, args: {as: p}}]}",
    ),
    "chain, an arm": (
        "failed",
        "type: chain\nconfig: {steps: [{choose: [{when: 'true', then: [{GATE}, {tool: pay, args: {as: p}}]}]}]}",
    ),
    "chain, one of several ways": (
        "completed",
        "type: chain\nconfig: {steps: [{first_of: [{GATE}, {tool: pay, args: {as: other}}]}]}",
    ),
    "chain, before a tool call": (
        "failed",
        "type: chain\nconfig: {steps: [{tool: do, args: {as: d}}, {tool: ask, args: {as: q}}, {tool: do, args: {as: e}}]}",
    ),
    "workflow, a task": (
        "failed",
        (
            "type: workflow\nconfig: {tasks: [{id: a, GATE}, {id: b, tool: pay, args: {as: b}}, "
            "{id: c, agent: a, input: c, deps: [a, b]}]}"
        ),
    ),
    "parallel, a branch beside work": (
        "failed",
        (
            "type: parallel\nconfig: {branches: [{id: l, steps: [{GATE}]}, {id: r, steps: [{tool: pay, args: {as: r, takes: 3}}]}], "
            "reduce: {tool: do, args: {as: j}}}"
        ),
    ),
    "parallel, two gates at once": (
        "failed",
        "type: parallel\nconfig: {branches: [{id: l, steps: [{GATE}]}, {id: r, steps: [{GATE}, {tool: pay, args: {as: r}}]}]}",
    ),
    "parallel, put up with": (
        "completed",
        "type: parallel\nconfig: {join: best_effort, branches: [{id: l, steps: [{GATE}]}, {id: r, steps: [{tool: pay, args: {as: r}}]}]}",
    ),
    "parallel, the first wins": (
        "completed",
        "type: parallel\nconfig: {join: first, branches: [{id: l, steps: [{GATE}]}, {id: r, steps: [{tool: do, args: {as: r, takes: 2}}]}]}",
    ),
    "parallel, a quorum with a failure": (
        "failed",
        (
            "type: parallel\nconfig: {join: {policy: quorum, quorum: 2}, branches: [{id: l, steps: [{GATE}]}, "
            "{id: m, steps: [{tool: do, args: {as: m, takes: 1, fails: true}}]}, {id: r, steps: [{tool: do, args: {as: r}}]}]}"
        ),
    ),
    "parallel, the reduction": (
        "failed",
        "type: parallel\nconfig: {branches: [{id: l, steps: [{tool: do, args: {as: l}}]}, {id: r, steps: [{agent: a, input: r}]}], reduce: {GATE}}",
    ),
    "routing, its review and a route": (
        "failed",
        (
            "type: routing\nconfig: {router: {agent: a, input: w, review_router: {GATE}}, routes: {x: {then: [{GATE}, {tool: pay, args: {as: x}}]}, "
            "y: {then: [{GATE}, {tool: pay, args: {as: x}}]}}}"
        ),
    ),
    "evaluator, its review": (
        "failed",
        "type: evaluator_optimizer\nconfig: {producer: a, evaluator: {agent: b}, accept: {min_score: 90, max_iters: 9}, review_gate: {GATE}}",
    ),
    "orchestrator, its reviews": (
        "failed",
        (
            "type: orchestrator_workers\nconfig: {orchestrator: {agent: a, limits: {max_rounds: 1}}, worker_template: {agent: b}, "
            "decomposition_review: {GATE}, reduce_review: {GATE}, reduce: {agent: c, input: r}, writeup: {GATE}}"
        ),
    ),
    "graph, a node on a way back": (
        "failed",
        (
            "type: graph\nconfig: {nodes: {a: {agent: a, input: '{{ nodes.a.iteration }}'}, b: {GATE}, c: {tool: pay, args: {as: c}}}, "
            "edges: [{from: a, to: [b]}, {from: b, choose: [{when: nodes.a.iteration < 2, to: a}, {when: else, to: c}]}]}"
        ),
    ),
    "state machine, entry, exit and a transition": (
        "failed",
        (
            "type: state_machine\nconfig: {initial: a, states: {a: {entry: {GATE}, exit: {GATE}, after: {seconds: 1, to: z, do: {GATE}}}, "
            "z: {final: true, entry: {tool: pay, args: {as: z}}}}}"
        ),
    ),
    "behaviour tree, a leaf with a fallback": (
        "completed",
        "type: behavior_tree\nconfig: {root: {selector: [{sequence: [{GATE}, {tool: pay, args: {as: t}}]}, {agent: a, input: f}]}}",
    ),
    "behaviour tree, side by side": (
        "completed",
        (
            "type: behavior_tree\nconfig: {root: {parallel: [{GATE}, {tool: do, args: {as: t, takes: 1}}, {agent: a, input: f}], "
            "success_threshold: 2, failure_threshold: 2}}"
        ),
    ),
    "saga, a step": (
        "failed",
        (
            "type: saga\nconfig: {steps: [{id: x, do: {tool: pay, args: {as: x}}, compensate: {tool: pay, args: {as: undo x}}}, "
            "{id: y, do: [{tool: do, args: {as: y}}, {GATE}]}]}"
        ),
    ),
    "saga, before a tool call": (
        "failed",
        (
            "type: saga\nconfig: {steps: [{id: x, do: {tool: pay, args: {as: x}}, compensate: {tool: pay, args: {as: undo x}}}, "
            "{id: y, do: {tool: ask, args: {as: y}}}]}"
        ),
    ),
    "saga, what undoes": (
        "completed",
        (
            "type: saga\nconfig: {on_failure: report, steps: [{id: x, do: {tool: pay, args: {as: x}}, compensate: [{GATE}, {tool: pay, args: {as: undo x}}]}, "
            "{id: y, do: {tool: do, args: {as: y, fails: true}}}]}"
        ),
    ),
    "map, each item": (
        "failed",
        "type: map\nconfig: {items: [1, 2, 3], as: x, max_parallel: 2, do: [{GATE}, {tool: pay, args: {as: 'm{{ x }}'}}]}",
    ),
    "map, before each tool call": (
        "completed",
        "type: map\nconfig: {items: [1, 2], as: x, join: best_effort, do: {tool: ask, args: {as: 'm{{ x }}'}}}",
    ),
    "sub-workflow, in each child of a map": (
        "failed",
        "type: chain\nconfig: {steps: [{map: {items: [tea, boats], as: of, key: of, do: {workflow: asking.yaml, inputs: {of: '{{ of }}'}}}}]}",
    ),
    "sub-workflow, in a child inside a saga": (
        "failed",
        (
            "type: saga\nconfig: {steps: [{id: x, do: {tool: pay, args: {as: x}}, compensate: {tool: pay, args: {as: undo x}}}, "
            "{id: y, do: {workflow: asking.yaml}}]}"
        ),
    ),
    "plan, its approval": (
        "failed",
        "type: plan\nconfig: {request: Research tea and write an article., approve: true, deadline_s: 20}",
    ),
    **{
        f"around a {kind}": (
            "failed",
            f"type: map\nconfig: {{items: [1, 2], as: x, do: [{{GATE}}, {{pattern: {{type: {kind}, config: {config}}}}}, {{GATE}}]}}",
        )
        for kind, config in {
            "vote": "{agents: [a, b, c], choices: [x, y], rule: plurality, judge: {agent: a}}",
            "debate": "{agents: [a, b], rounds: 1}",
            "handoff": "{start: a, agents: {a: {to: [b]}, b: {}}}",
            "blackboard": "{sections: {p: {}}, agents: [{agent: a}], max_rounds: 2}",
            "gossip": "{agents: [a, b], on_limit: finish}",
            "consensus": "{agents: [a, b, c], choices: [x, y]}",
        }.items()
    },
}
"""What a no, or silence, ends with there; and the pattern."""
GATED = {name: (end, text.replace("GATE", GATE)) for name, (end, text) in GATED.items()}
