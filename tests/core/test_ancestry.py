"""What comes before what is found out right, and once."""

from hypothesis import given
from hypothesis import strategies as st

from weft.core.ancestry import Ancestry


@st.composite
def graphs(draw):
    """Names, in any order, and what they depend on: others that are there, or unknown ones."""
    count = draw(st.integers(0, 12))
    deps = {}
    for place in range(count):
        others = draw(st.lists(st.integers(0, place - 1), max_size=5)) if place else []
        deps[f"n{place}"] = [f"n{other}" for other in others] + draw(st.sampled_from([[], [], ["unknown"]]))
    return draw(st.permutations(list(deps))), deps


def reference(deps, name):
    found, pending = set(), list(deps[name])
    while pending:
        if (one := pending.pop()) not in found:
            found.add(one)
            pending += deps.get(one, ())
    return found


@given(graphs(), st.data())
def test_what_comes_before_a_name_is_all_that_can_be_reached_from_it(graph, data):
    names, deps = graph
    ancestry = Ancestry(names, deps)
    for name in data.draw(st.permutations(names)):
        before = reference(deps, name) & set(names)
        assert ancestry.before(name) == [each for each in names if each in before]
        assert {each for each in [*names, "unknown"] if ancestry.precedes(each, name)} == before


def test_names_that_wait_for_each_other_come_to_an_end():
    ancestry = Ancestry(["a", "b", "c"], {"a": ["b"], "b": ["a"], "c": ["a"]})
    assert ancestry.precedes("a", "c")
    assert set(ancestry.before("c")) <= {"a", "b"}


class Counted(dict):
    asked = 0

    def get(self, name, default=None):
        self.asked += 1
        return super().get(name, default)


def test_whatever_is_asked_the_dependencies_of_each_name_are_read_twice_at_most():
    names = [f"n{place}" for place in range(2_000)]
    deps = Counted({name: names[max(0, place - 50) : place] for place, name in enumerate(names)})
    ancestry = Ancestry(names, deps)
    for name in reversed(names):
        assert ancestry.precedes("n0", name) == (name != "n0")
    assert ancestry.before("n1999") == names[:-1]
    assert deps.asked <= 2 * len(names)
