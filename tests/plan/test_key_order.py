"""The order of keys makes no difference to a plan, but in the two maps whose order the language gives a meaning."""

import json
import random
from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.patterns import samples
from weft.core.errors import WeftError
from weft.plan.codec import plan_hash
from weft.plan.compile import Overrides, compile_workflow
from weft.spec.files import parse
from weft.spec.load import load_text
from weft.spec.tree import plain_data

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    file
    for folder in ("examples", "src/weft", "tests/journeys", "tests/spec/files")
    for file in sorted((ROOT / folder).rglob("*.yaml"))
    if "pattern:" in file.read_text(encoding="utf-8")
]
HAVE_ORDER = {"graph": "nodes", "blackboard": "sections"}
"""By pattern: the map whose order has a meaning."""
ORDERS = {"reversed": reversed, "sorted": sorted, "mixed": lambda keys: random.Random(7).sample(list(keys), len(keys))}

MANY_NAMES = """\
version: 1
name: many
runtime: {provider: offline}
agents: {a: {prompt: You are a., tools: []}, b: {prompt: You are b., tools: []}}
pattern:
  type: state_machine
  config:
    initial: start
    context: {zeal: 1, apples: 2, more: {y: 1, x: 2}}
    states:
      start:
        entry: [{set: {second: "1", first: "2"}}, {agent: a, input: Hello}]
        on: {GO: [{to: late, guard: "apples > 1"}, {to: early}], BACK: {do: {set: {n: "1", m: "2"}}}, ALSO: end}
        after: {seconds: 60, to: end}
      late: {defer: [BACK, ALSO], on: {END: end, GO: early}}
      early:
        entry:
          pattern:
            type: behavior_tree
            config:
              context: {tries: 0, luck: 1}
              root: {sequence: [{set: {w: "1", v: "2"}}, {agent: b, input: "Go on"}]}
        always: end
      end: {final: true}
"""


def shuffled(value, order):
    """`value` with the keys of every map in another order, those whose order has a meaning apart."""
    if isinstance(value, list):
        return [shuffled(item, order) for item in value]
    if not isinstance(value, dict):
        return value
    kept = HAVE_ORDER.get(value.get("type")) if isinstance(value.get("type"), str) else None
    found = {key: shuffled(value[key], order) for key in order(value.keys())}
    if kept and isinstance(config := found.get("config"), dict) and kept in config:
        config[kept] = {key: config[kept][key] for key in value["config"][kept]}
    return found


def planned(text, folder, name="flow.yaml"):
    return plan_hash(compile_workflow(load_text(text, name, folder=folder), Overrides(offline=True)))


def orders_that_matter(text, folder):
    """The names of the orders in which the keys of a document make another plan of it."""
    before, data = planned(text, folder), plain_data(parse(text, "flow.yaml").root)
    return [
        name
        for name, order in ORDERS.items()
        if planned(json.dumps(shuffled(data, order)), folder, "flow.json") != before
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_order_of_keys_in_a_file_makes_no_difference_to_its_plan(file):
    text = file.read_text(encoding="utf-8")
    try:
        planned(text, file.parent)
    except WeftError:
        return  # it is there to be refused
    assert orders_that_matter(text, file.parent) == []


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_nor_in_what_the_pages_show(block):
    try:
        planned(block.text, block.page.parent)
    except WeftError:
        return  # a part of a document, or one of several files
    assert orders_that_matter(block.text, block.page.parent) == []


@pytest.mark.parametrize("name", samples.ALL)
def test_nor_in_patterns_inside_each_other(name, tmp_path):
    for part, text in samples.PARTS.items():
        (tmp_path / part).write_text(
            text.replace("name: part\n", f"name: part\n{samples.HEAD[samples.HEAD.index('runtime:') :]}")
        )
    lines = "".join(f"  {line}\n" for line in samples.ALL[name].splitlines())
    assert orders_that_matter(f"{samples.HEAD}pattern:\n{lines}", tmp_path) == []


def test_nor_in_names_that_a_machine_sets_states_that_it_has_and_events_that_it_hears(tmp_path):
    assert orders_that_matter(MANY_NAMES, tmp_path) == []


GRAPH = """\
version: 0
name: two
runtime: {provider: offline}
agents: {a: {prompt: You are a.}}
pattern: {type: graph, config: {nodes: {%s}, edges: [{from: one, to: [two]}]}}
"""


def test_the_order_of_the_nodes_of_a_graph_says_which_one_begins(tmp_path):
    one, two = "one: {agent: a, input: One}", "two: {agent: a, input: Two}"
    assert planned(GRAPH % f"{one}, {two}", tmp_path) != planned(GRAPH % f"{two}, {one}", tmp_path)
