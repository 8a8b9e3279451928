"""Blackboard: agents read and write one board until nobody changes it any more."""

from __future__ import annotations

import json

from weft.plan.nodes import Branch, Choose, Graph, Loop, Node, Sequence, Set
from weft.plan.patterns.compiler import Compiler
from weft.plan.patterns.crowd import Question, agent_call, compute, in_form, kept, verbatim
from weft.spec.model.swarm import Blackboard, BlackboardConfig, Writer

_BOARD = "([start[0]] + rounds) | map(attribute='changes') | combine"


def compile_blackboard(pattern: Blackboard, compiler: Compiler, name: str) -> Node:
    """``/open``, then rounds at ``/round[0]/ask/<name>`` and ``/round[0]/merge``, then ``/end/result``."""
    config = pattern.config
    question = compiler.opening if config.input is None else config.input
    names = list(config.sections)
    writers = [{"name": each.name, "writes": each.writes or names} for each in config.agents]
    ask = Graph(
        name="ask",
        children=tuple(_writer(each, config, question) for each in config.agents),
        into="asked",
        max_parallel=compiler.workflow.runtime.max_parallel,
    )
    merge = compute("merge", "board.merge", {"writers": writers}, {"board": "{{ board }}", "asked": "{{ asked }}"})
    result = compute(
        "result",
        "board.result",
        {"sections": names, "on_limit": config.on_limit},
        {
            "board": "{{ board }}",
            "last": "{{ rounds[-1] }}",
            "rounds": "{{ rounds | length }}",
        },
    )
    return Sequence(
        name=name,
        children=(
            kept(
                "open",
                compute("board", "board.open", {}, {"initial": {k: v.initial for k, v in config.sections.items()}}),
                into="start",
            ),
            Loop(
                name="round",
                # The board is put together from the changes, so that no round writes the whole of it again.
                body=Sequence(
                    name="",
                    children=(
                        Set(name="read", values={"board": _BOARD}),
                        ask,
                        merge,
                        Set(name="write", values={"board": "[board, parts[2].changes] | combine"}),
                    ),
                    into="parts",
                    value={
                        **{key: f"parts[2].{key}" for key in ("changes", "conflicts", "asked", "news", "stable")},
                        "done": f"parts[2].stable or ({config.until})" if config.until else "parts[2].stable",
                    },
                ),
                until="rounds[-1].done",
                max_iterations=config.max_rounds,
                into="rounds",
            ),
            Set(name="board", values={"board": _BOARD}),
            kept("end", result, into="ends"),
            Set(
                name="outcome",
                values={"response": "ends[-1].response", "stable": "ends[-1].stable"},
            ),
        ),
    )


def _writer(each: Writer, config: BlackboardConfig, question: str) -> Node:
    names = each.writes or list(config.sections)
    own = json.dumps(each.name)
    when = each.when or f"(not rounds) or rounds[-1].news[{own}]"
    call = agent_call(
        each.name,
        each.agent,
        f"{question if each.input is None else each.input}\n\n{_shown(config)}",
        _form(names),
        {"member": each.name},
    )
    return Choose(name=each.name, branches=(Branch(when=when, node=call),))


def _shown(config: BlackboardConfig) -> str:
    parts = []
    for name, section in config.sections.items():
        about = f" ({verbatim(section.description)})" if section.description else ""
        entry = f"board[{json.dumps(name)}]"
        parts.append(f"## {name}{about}\n{{{{ {entry}.text or '(empty)' }}}}\n")
    return "The board:\n\n" + "\n".join(parts) + "\n"


def _form(names: list[str]) -> Question:
    example = json.dumps(dict.fromkeys(names, "<the whole new text>"), ensure_ascii=False)
    instruction = (
        f"Answer with JSON and nothing else: {example}, with only the sections that you want to change, "
        "or {} when the board is good as it is."
    )
    return in_form("write", {name: {"type": "string"} for name in names}, instruction, required=False)
