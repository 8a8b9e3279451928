"""What is served: files of folders, registered texts, and the agents in them."""

from __future__ import annotations

import pytest

from tests.app.conftest import TWO
from weft.app.serving.inputs import Message, variables
from weft.core.errors import InputError, NotFoundError, SpecError


def test_workflows_and_their_agents_are_served_under_their_names(host):
    names = [one.name for one in host.library.all()]
    assert names == ["asks", "asks/writer", "parent", "parent/writer", "two", "two/reader", "two/writer"]
    assert host.library.get("two").description == "Reads and writes."
    assert host.library.get("two/writer").kind == "agent"


def test_a_schema_says_what_something_takes(host):
    schema = host.library.get("two").input_schema
    assert schema["required"] == ["topic"]
    assert schema["properties"]["topic"]["type"] == "string"
    assert host.library.get("two/reader").input_schema["required"] == ["topic", "message"]
    assert host.library.get("two/writer").input_schema["required"] == ["message"]


def test_a_name_that_is_not_served_is_told_with_one_that_is(host):
    with pytest.raises(NotFoundError) as caught:
        host.library.get("tow")
    assert "two" in caught.value.fix


def test_a_file_is_read_again_when_it_changes_and_a_broken_one_is_named(host, flows):
    (flows / "two.yaml").write_text(TWO.replace("Reads and writes.", "Another."), encoding="utf-8")
    assert host.library.get("two").description == "Another."
    (flows / "bad.yaml").write_text("version: [", encoding="utf-8")
    assert [path.name for path in host.library.broken()] == ["bad.yaml"]
    (flows / "bad.yaml").unlink()
    assert host.library.broken() == {}


async def test_each_registered_text_is_a_version_and_the_same_text_is_none(host):
    first = await host.library.register(TWO.replace("name: two", "name: third"), at=1)
    again = await host.library.register(TWO.replace("name: two", "name: third"), at=2)
    second = await host.library.register(TWO.replace("name: two", "name: third").replace("Write.", "Write!"), at=3)
    assert (first.version, again.version, second.version) == (1, 1, 2)
    assert host.library.get("third").version == 2
    assert host.library.get("third", 1).workflow.agents["writer"].prompt == "Write."
    assert await host.library.unregister("third") == 2
    with pytest.raises(NotFoundError):
        host.library.get("third")


async def test_a_text_with_problems_is_refused_with_all_of_them(host):
    with pytest.raises(SpecError) as caught:
        await host.library.register("version: 0\nname: x\n", at=1)
    assert len(caught.value.problems) >= 2


def test_a_message_fills_the_main_input_or_is_an_object_of_inputs(host):
    workflow = host.library.get("two").workflow
    assert variables(workflow, [Message("user", "looms")], {}) == {"topic": "looms"}
    assert variables(workflow, [Message("user", '{"topic": "wool"}')], {}) == {"topic": "wool"}
    assert variables(workflow, [Message("user", '{"other": 1}')], {}) == {"topic": '{"other": 1}'}
    assert variables(workflow, [Message("user", "looms")], {"topic": "given"}) == {"topic": "given"}


def test_an_agent_is_given_what_was_said_before(host):
    workflow = host.library.get("two").workflow
    said = [Message("user", "Hello"), Message("assistant", "Hi."), Message("user", "Go on")]
    found = variables(workflow, said, {"topic": "t"}, agent=True)
    assert found["message"] == "Go on"
    assert found["messages"] == [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]


def test_a_conversation_without_a_question_and_one_that_is_too_long_are_refused(host):
    workflow = host.library.get("two").workflow
    with pytest.raises(InputError):
        variables(workflow, [Message("assistant", "Hi.")], {})
    with pytest.raises(InputError):
        variables(workflow, [Message("user", "x")] * 1_001, {})
