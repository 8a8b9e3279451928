"""The shelf: one small reference workflow for each pattern, patterns inside each other, and gates in every place that one has.

`do` may be done again under its key, `pay` is asked about first, `post` happens at most once; `ask` waits for a person first.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from weft.plan.compile import compile_workflow
from weft.plan.definitions import Overrides
from weft.plan.nodes import Plan
from weft.spec.load import load

HEAD = """\
version: 1
name: sample
description: Say something about boats and tea.
runtime: {provider: offline, max_parallel: 3, failure_policy: {retries: 0}}
agents:
  a: {prompt: You are a., tools: [], card: {description: Finds facts., capabilities: [research]}}
  b: {prompt: You are b., tools: [], card: {description: Writes articles., capabilities: [write articles]}}
  c: {prompt: You are c., tools: [], card: {description: Translates., capabilities: [translate]}}
tools:
  python:
    - {id: do, callable: "acme.tools:do"}
    - {id: pay, callable: "acme.tools:pay", effect: reconcile}
    - {id: post, callable: "acme.tools:post", effect: once}
    - {id: ask, callable: "acme.tools:ask", effect: once, approval: {when: "true", deadline_s: 20}}
"""
PART = """\
version: 1
name: part
inputs: {optional: {of: {type: string, default: all}}}
pattern: {type: chain, config: {steps: [
  {agent: a, input: "Think of {{ of }}."}, {tool: pay, args: {as: "part {{ of }}"}}]}}
"""
ASKING_PART = """\
version: 1
name: part
inputs: {optional: {of: {type: string, default: all}}}
pattern: {type: chain, config: {steps: [
  {tool: do, args: {as: "before {{ of }}"}}, {type: hitl, prompt: Go on?, deadline_s: 20},
  {tool: pay, args: {as: "after {{ of }}"}}]}}
"""
UNDOING_PART = """\
version: 1
name: part
inputs: {optional: {of: {type: string, default: all}}}
pattern: {type: saga, config: {steps: [
  {id: one, do: {tool: pay, args: {as: "child {{ of }}"}}, compensate: {tool: pay, args: {as: "undo child {{ of }}"}}},
  {id: two, do: {tool: do, args: {as: "later {{ of }}", takes: 3}}}]}}
"""
PARTS = {"part.yaml": PART, "asking.yaml": ASKING_PART, "undoing.yaml": UNDOING_PART}

PATTERNS = {
    "chain": """\
type: chain
config:
  steps:
    - {agent: a, input: Begin.}
    - {tool: pay, args: {as: pay, gives: "{{ last_response }}"}}
    - {set: {n: 2}}
    - {wait: {seconds: 3}}
    - {choose: [{when: n > 1, then: {tool: post, args: {as: post}}}]}
    - {agent: b, input: "{{ steps[1].response }} {{ n }}"}
""",
    "workflow": """\
type: workflow
config:
  tasks:
    - {id: p, agent: a, input: Plan.}
    - {id: q, tool: pay, args: {as: q}, deps: [p]}
    - {id: r, agent: b, input: "{{ tasks.p.response }}", deps: [p]}
    - {id: z, agent: c, input: "{{ tasks.q.response }} {{ tasks.r.response }}", deps: [q, r]}
""",
    "parallel": """\
type: parallel
config:
  branches:
    - {id: pro, steps: [{agent: a, input: For?}, {tool: pay, args: {as: pro}}]}
    - {id: con, steps: [{agent: b, input: Against?}]}
    - {id: own, steps: [{tool: do, args: {as: own, takes: 2}}]}
  reduce: {agent: c, input: "{{ branches.pro.response }} {{ branches.con.response }} {{ branches.own.response }}"}
""",
    "routing": """\
type: routing
config:
  router: {agent: a, input: Which?}
  routes:
    x: {then: [{tool: pay, args: {as: x}}, {agent: b, input: "x {{ chosen_route }}"}]}
    y: {then: [{agent: c, input: "y {{ chosen_route }}"}, {tool: pay, args: {as: y}}]}
""",
    "evaluator_optimizer": """\
type: evaluator_optimizer
config:
  producer: a
  evaluator: {agent: b, input: "Score {{ draft }}"}
  accept: {min_score: 75, max_iters: 4}
""",
    "orchestrator_workers": """\
type: orchestrator_workers
config:
  orchestrator: {agent: a, limits: {max_workers: 2, max_rounds: 2}}
  worker_template: {agent: b}
  reduce: {agent: c, input: "{% for w in workers %}{{ w.response }} {% endfor %}"}
  writeup: {tool: pay, args: {as: writeup}}
""",
    "graph": """\
type: graph
config:
  max_iterations: 4
  nodes:
    one: {agent: a, input: "One {{ nodes.one.iteration }}"}
    two: {agent: b, input: "Two {{ nodes.one.iteration }}"}
    both: {tool: pay, args: {as: "both {{ nodes.one.iteration }}"}}
    end: {agent: c, input: "{{ nodes.both.response }}"}
  edges:
    - {from: one, to: [two, both]}
    - {from: two, to: [both]}
    - {from: both, choose: [{when: "nodes.one.iteration < 2", to: one}, {when: else, to: end}]}
""",
    "state_machine": """\
type: state_machine
config:
  initial: a
  context: {n: 0}
  states:
    a:
      entry: [{set: {n: n + 1}}, {tool: pay, args: {as: "a{{ n }}"}}]
      on: {GO: [{guard: n < 2, to: a, do: {tool: do, args: {as: again}}}, {to: b}]}
      exit: {agent: a, input: "Leave {{ n }}"}
    b:
      on: {NOTE: {do: {tool: do, args: {as: "note {{ signal.data }}"}}}}
      after: [{seconds: 4, do: {agent: b, input: First.}}, {seconds: 9, to: end}]
    end: {final: true, entry: [{tool: post, args: {as: end}}, {tool: do, args: {as: over}}]}
""",
    "behavior_tree": """\
type: behavior_tree
config:
  context: {n: 0}
  root:
    sequence:
      - {retry: {sequence: [{set: {n: n + 1}}, {tool: do, args: {as: try, fails: "{{ n < 3 }}"}}]}, attempts: 5}
      - selector: [{condition: n > 5}, {invert: {tool: do, args: {as: no}}}, {agent: a, input: Say.}]
      - parallel:
          - {tool: do, args: {as: slow, takes: 5}}
          - {tool: pay, args: {as: quick, takes: 1}}
          - {tool: do, args: {as: broken, takes: 2, fails: true}}
        success_threshold: 2
        failure_threshold: 2
      - {timeout: {tool: do, args: {as: long, takes: 3}}, seconds: 20}
      - {succeed: {cooldown: {tool: do, args: {as: often}}, seconds: 1, id: cool}}
""",
    "saga": """\
type: saga
config:
  on_failure: report
  steps:
    - {id: one, do: {tool: pay, args: {as: book1}}, compensate: {tool: pay, args: {as: "undo {{ steps[0].response }}"}}}
    - id: two
      do: [{agent: a, input: Book.}, {tool: do, args: {as: book2}}]
      compensate: [{tool: do, args: {as: undo2}}, {agent: b, input: "Undo {{ steps[1].response }}"}]
    - {id: plain, do: {tool: do, args: {as: plain}}}
    - {id: last, do: {tool: do, args: {as: book3, fails: true}}, compensate: {tool: do, args: {as: never}}}
""",
    "map": """\
type: map
config:
  items: [3, 1, 2]
  as: x
  key: "'k' ~ x"
  max_parallel: 2
  do: [{agent: a, input: "Item {{ x }}"}, {tool: pay, args: {as: "two {{ x }}", takes: 1, gives: "{{ x * 10 }}"}}]
  reduce: {agent: b, input: "sum {{ results | map(attribute='response') | join(' ') }}"}
""",
    "sub_workflow": """\
type: chain
config:
  steps:
    - {agent: a, input: Begin.}
    - map: {items: [tea, boats], as: of, key: of, do: {workflow: part.yaml, inputs: {of: "{{ of }}"}}}
    - {agent: c, input: "End {{ steps[1].response }}"}
""",
    "vote": """\
type: vote
config: {agents: [a, b, {agent: c, count: 2}], choices: [x, y], rounds: 2, judge: {agent: c}}
""",
    "debate": """\
type: debate
config: {agents: [a, b], rounds: 2, judge: {agent: c}}
""",
    "handoff": """\
type: handoff
config: {start: a, agents: {a: {to: [b, c]}, b: {to: [c]}, c: {}}}
""",
    "blackboard": """\
type: blackboard
config: {sections: {p: {}, q: {initial: z}}, agents: [{agent: a}, {agent: b, writes: [q]}], max_rounds: 3}
""",
    "gossip": """\
type: gossip
config: {agents: [a, {agent: b, count: 2}], believe: "ok?", network: {partitions: [{first: 1, last: 1}]}}
""",
    "consensus": """\
type: consensus
config: {agents: [a, {agent: b, count: 2}], choices: [x, y], network: {loss: 0.1}}
""",
    "plan": """\
type: plan
config: {request: "Research tea and write an article."}
""",
}
"""The pattern's text, by its name."""

NESTED = {
    "map in graph in saga": """\
type: saga
config:
  on_failure: report
  steps:
    - id: one
      do:
        pattern:
          type: graph
          config:
            nodes:
              p: {map: {items: [1, 2], as: x, do: {tool: pay, args: {as: "p{{ x }}"}}}}
              q: {agent: a, input: q}
            edges: [{from: p, to: [q]}]
      compensate: {map: {items: [1, 2], as: x, do: {tool: pay, args: {as: "undo p{{ x }}"}}}}
    - {id: two, do: {tool: do, args: {as: two, fails: true, takes: 2}}}
""",
    "handoff in debate in map": """\
type: map
config:
  items: [1, 2]
  do:
    - pattern: {type: debate, config: {agents: [a, b], rounds: 1}}
    - pattern: {type: handoff, config: {start: a, agents: {a: {to: [b]}, b: {}}}}
""",
    "saga in child in map": """\
type: chain
config:
  steps:
    - map: {items: [tea, boats], as: of, key: of, do: {workflow: undoing.yaml, inputs: {of: "{{ of }}"}}}
    - {agent: a, input: End.}
""",
    "saga in saga": """\
type: saga
config:
  on_failure: report
  steps:
    - {id: out, do: {tool: pay, args: {as: out}}, compensate: {tool: pay, args: {as: undo out}}}
    - id: in
      do:
        pattern:
          type: saga
          config:
            steps:
              - {id: x, do: {tool: pay, args: {as: x}}, compensate: {tool: pay, args: {as: undo x, takes: 2}}}
              - {id: y, do: {tool: do, args: {as: y, takes: 2, fails: true}}}
      compensate: {tool: do, args: {as: never}}
""",
    "sagas side by side": """\
type: parallel
config:
  join: best_effort
  branches:
    - id: left
      steps:
        - pattern:
            type: saga
            config:
              steps:
                - {id: x, do: {tool: pay, args: {as: lx}}, compensate: {tool: pay, args: {as: undo lx}}}
                - {id: y, do: {tool: do, args: {as: ly, takes: 3, fails: true}}}
    - id: right
      steps:
        - pattern:
            type: saga
            config:
              steps:
                - {id: x, do: {tool: pay, args: {as: rx, takes: 1}}, compensate: {tool: pay, args: {as: undo rx}}}
                - {id: y, do: {tool: do, args: {as: ry, takes: 4}}}
  reduce: {tool: do, args: {as: reduce}}
""",
    "vote in tree in machine": """\
type: state_machine
config:
  initial: a
  states:
    a:
      entry:
        pattern:
          type: behavior_tree
          config:
            root:
              selector:
                - {sequence: [{tool: do, args: {as: t, fails: true}}]}
                - {pattern: {type: vote, config: {agents: [a, b, c], choices: [x, y]}}}
      always: z
    z: {final: true}
""",
}
"""Patterns inside each other."""

SIGNALS: dict[str, list[tuple[str, object]]] = {"state_machine": [("GO", 1), ("GO", 2), ("NOTE", 3)]}
"""What is sent to a run as it begins."""

ALL = PATTERNS | NESTED


ASKS = "  a: {prompt: You are a., tools: [ask],"
"""The agent `a` of a plan in which it asks before it does anything."""


@functools.cache
def _folder(asking: bool) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="weft-samples-"))
    for name, text in PARTS.items():
        (folder / name).write_text(text.replace("name: part\n", f"name: part\n{_common(asking)}"))
    return folder


def _head(asking: bool) -> str:
    return HEAD.replace("  a: {prompt: You are a., tools: [],", ASKS) if asking else HEAD


def _common(asking: bool) -> str:
    """Runtime, agents and tools, as the main file has them."""
    head = _head(asking)
    return head[head.index("runtime:") :]


@functools.cache
def plan_of(pattern: str, runtime: str = "", *, asking: bool = False) -> Plan:
    """The plan of a pattern's text; `runtime` adds to that section, such as ``budgets: {max_steps: 1}``.

    When `asking`, the agent `a` has a tool whose calls somebody has to approve.
    """
    head = _head(asking)
    head = head.replace("max_parallel: 3", f"max_parallel: 3, {runtime}") if runtime else head
    file = _folder(asking) / "sample.yaml"
    file.write_text(f"{head}pattern:\n" + "".join(f"  {line}\n" for line in pattern.splitlines()))
    return compile_workflow(load(file), Overrides(offline=True))
