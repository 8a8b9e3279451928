"""The tree that people see of a run."""

from weft.app.view import RunView
from weft.core.event import Event


def view_of(*paths):
    """A view of steps that ended in this order."""
    return RunView(
        Event(run_id="r", seq=place, at=place, kind="step.completed", path=path, data={"value": None})
        for place, path in enumerate(paths, start=1)
    )


def names(view):
    return [step.path for step in view.root.walk()][1:]


def test_numbered_siblings_stand_by_number_whichever_ended_first():
    calls = [f"/a/tool[{number}]" for number in range(12)]
    assert names(view_of("/a", *calls[::-1])) == ["/a", *calls]


def test_what_has_no_number_stays_where_it_came():
    assert names(view_of("/step[2]", "/zebra", "/map[b]", "/step[0]", "/ant", "/map[a]", "/step[1]")) == [
        "/step[0]", "/zebra", "/map[b]", "/step[1]", "/ant", "/map[a]", "/step[2]",
    ]  # fmt: skip


def test_programs_read_the_same_order_as_people():
    view = view_of("/a", "/a/tool[1]", "/a/tool[0]")
    assert [step["path"] for step in view.root.as_json()["steps"][0]["steps"]] == ["/a/tool[0]", "/a/tool[1]"]
