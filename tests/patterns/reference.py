"""One small workflow for each pattern and each step that steers, to be killed, cancelled and starved in every place."""

from __future__ import annotations

from tests.patterns.flows import tool

FLOWS: dict[str, tuple[str, dict, list[tuple[str, object]]]] = {
    "machine": (
        "state_machine",
        {
            "initial": "a",
            "context": {"n": 0},
            "states": {
                "a": {
                    "entry": [{"set": {"n": "n + 1"}}, tool("a{{ n }}")],
                    "on": {"GO": [{"guard": "n < 2", "to": "a", "do": tool("again")}, {"to": "b"}]},
                    "exit": tool("leave{{ n }}"),
                },
                "b": {
                    "on": {"NOTE": {"do": tool("note {{ signal.data }}")}},
                    "after": [{"seconds": 4, "do": tool("first")}, {"seconds": 9, "to": "end"}],
                },
                "end": {"final": True, "entry": tool("end")},
            },
        },
        [("GO", 1), ("GO", 2), ("NOTE", 3)],
    ),
    "tree": (
        "behavior_tree",
        {
            "context": {"n": 0},
            "root": {
                "sequence": [
                    {
                        "retry": {"sequence": [{"set": {"n": "n + 1"}}, tool("try", fails="{{ n < 3 }}")]},
                        "attempts": 5,
                    },
                    {
                        "selector": [
                            {"condition": "n > 5"},
                            {"invert": tool("no")},
                            {"succeed": tool("bad", fails=True)},
                        ]
                    },
                    {
                        "parallel": [
                            tool("slow", takes=5),
                            tool("quick", takes=1),
                            tool("broken", takes=2, fails=True),
                        ],
                        "success_threshold": 1,
                    },
                    {"timeout": tool("long", takes=3), "seconds": 20},
                    {"repeat": {"cooldown": tool("often"), "seconds": 1, "id": "cool"}, "times": 1},
                ]
            },
        },
        [],
    ),
    "map": (
        "map",
        {
            "items": [3, 1, 2],
            "as": "x",
            "key": "'k' ~ x",
            "max_parallel": 2,
            "do": [tool("one {{ x }}", takes=1), tool("two {{ x }}", gives="{{ x * 10 }}")],
            "reduce": tool("sum {{ results | map(attribute='response') | sum }}"),
        },
        [],
    ),
    "steering": (
        "chain",
        {
            "steps": [
                {"set": {"who": "'bob'", "n": 3}},
                {"wait": {"signal": {"name": "OK", "when": "signal.data > 1"}, "into": "came"}},
                {
                    "choose": [
                        {"when": "n > 5", "then": tool("big")},
                        {"else": [tool("small"), {"set": {"n": "n + 1"}}]},
                    ]
                },
                {"first_of": [[tool("x"), tool("fails", fails=True)], tool("then {{ failures | length }}")]},
                {
                    "pattern": {
                        "type": "behavior_tree",
                        "config": {"root": {"selector": [tool("t", fails=True), tool("u")]}},
                    }
                },
                {"wait": {"seconds": 2}},
                tool("end {{ n }} {{ who }} {{ came.data }}"),
            ]
        },
        [("OK", 1), ("OK", 2)],
    ),
    "saga": (
        "saga",
        {
            "on_failure": "report",
            "steps": [
                {"id": "one", "do": tool("book1"), "compensate": tool("undo {{ steps[0].response }}")},
                {"id": "two", "do": [tool("book2"), tool("book3")], "compensate": [tool("undo2"), tool("undo3")]},
                {"id": "plain", "do": tool("plain")},
                {"id": "last", "do": tool("book4", fails=True), "compensate": tool("never")},
            ],
        },
        [],
    ),
}
