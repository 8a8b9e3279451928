import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.errors import SpecError
from weft.spec.files import MAX_BYTES, parse, read_source
from weft.spec.load import load, load_text
from weft.spec.tree import plain_data

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
).filter(lambda value: not any("\ud800" <= c <= "\udfff" for c in json.dumps(value, ensure_ascii=False)))


def data(text, name="a.yaml"):
    return plain_data(parse(text, name).root)


def refusal(text, name="a.yaml"):
    with pytest.raises(SpecError) as caught:
        load_text(text, name)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("2024-01-31", "2024-01-31"),
        ("1:30", "1:30"),
        ("0o17", 15),
        ("017", 17),
        ("0xff", 255),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("!!float 1", 1.0),
        ('"\\u00e9"', "é"),
    ],
)
def test_scalars_follow_the_core_schema(text, value):
    result = data(f"a: {text}\n")["a"]
    assert (result, type(result)) == (value, type(value))


def test_keys_are_kept_as_they_are_written():
    assert data("yes: 1\n200: 2\nnull: 3\n") == {"yes": 1, "200": 2, "null": 3}


def test_merge_keys_fill_in_what_is_not_said():
    text = "base: &b {x: 1, y: 2}\nmore: &m {y: 5, z: 6}\none: {<<: *b, x: 9}\ntwo: {<<: [*m, *b]}\n"
    result = data(text)
    assert result["one"] == {"x": 9, "y": 2}
    assert result["two"] == {"x": 1, "y": 5, "z": 6}


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        ("a: [1, 2\nb: 3\n", "yaml", 2, 2),
        ("a: 1\n b: 2\n", "yaml", 2, 3),
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
        ("a: !!python/object:os.system x\n", "scalar", 1, 4),
        ("a: !mine {b: 1}\n", "tag", 1, 4),
        ("a: *nowhere\n", "alias", 1, 4),
        ("a: &x [*x]\n", "alias", 1, 8),
        ("? [a, b]\n: 1\n", "key", 1, 3),
        ("a: .inf\n", "scalar", 1, 4),
        ("a: 1e999\n", "scalar", 1, 4),
        ("a: 1\n---\nb: 2\n", "many-documents", 2, 1),
        ("<<: 3\n", "merge", 1, 1),
        ("? " + "k" * 2000 + "\n: 1\n", "key", 1, 3),
    ],
)
def test_what_yaml_may_not_hold_is_refused_at_its_place(text, rule, line, column):
    found = next(each for each in refusal(text).problems if each.rule == rule)
    assert (found.place.line, found.place.column) == (line, column)
    assert found.fix


def test_what_is_wrong_with_one_value_or_key_hides_nothing_else():
    text = """\
version: 0
name: many
name: twice
runtime: {provider: offline, temperature: .inf, top_p: !mine 1, max_parallel: 1.5}
agents: {writer: *nobody, reader: {prompt: !!python/name:os.system x, promt: y}}
pattern: {type: chain, config: {steps: [{agent: raeder, input: 1e999}, {? [a] : b, agent: writer}]}}
"""
    found = [(each.rule, each.place.line, each.place.column) for each in refusal(text).problems]
    assert found == [
        ("duplicate-key", 3, 1),
        ("scalar", 4, 43),
        ("scalar", 4, 56),
        ("wrong-type", 4, 65),
        ("alias", 5, 18),
        ("scalar", 5, 44),
        ("unknown-key", 5, 71),
        ("unknown-agent", 6, 42),
        ("scalar", 6, 64),
        ("key", 6, 75),
    ]


def test_what_can_be_read_past_is_told_beside_what_cannot():
    rules = [each.rule for each in refusal("a: .inf\na: 1\nb: [1\n").problems]
    assert rules == ["scalar", "duplicate-key", "yaml"]
    rules = [each.rule for each in refusal('{"a": 1e999, "a": 1, "b": }', "a.json").problems]
    assert rules == ["scalar", "duplicate-key", "json"]


def test_more_faults_than_anybody_reads_end_the_reading():
    assert len(refusal("[" + ".inf, " * 150_000 + "1]").problems) == 101


def test_a_file_that_can_be_read_past_is_still_no_document():
    with pytest.raises(SpecError, match="here twice"):
        parse("a: 1\na: 2\n", "a.yaml")


def test_a_tab_is_called_by_its_name():
    error = refusal("a:\n\tb: 1\n")
    assert "a tab stands here" in error.message
    assert (error.place.line, error.place.column) == (2, 1)


def test_an_empty_document_says_how_to_begin():
    assert "weft init" in refusal("# nothing\n").fix


def test_control_characters_in_yaml_are_refused():
    assert "U+0007" in refusal("a: \x07").message


def test_alias_bombs_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert refusal("\n".join(lines)).problems[0].rule == "too-large"


def test_deep_nesting_is_refused_without_a_crash():
    assert refusal("[" * 50_000).problems[0].rule in {"too-deep", "yaml"}
    assert refusal("[" * 50_000, "a.json").problems[0].rule == "too-deep"
    nested = "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 150))
    assert refusal(f"a0: &a0 [1]\n{nested}").problems[0].rule == "too-deep"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{"a": 1,}', 1, 9),
        ('{"a": 1\n "b": 2}', 2, 2),
        ("{'a': 1}", 1, 2),
        ('{"a": nope}', 1, 7),
        ('{"a": 1} x', 1, 10),
        ('{"a": 1e999}', 1, 7),
        ('{"a": NaN}', 1, 7),
        ('["\\ud800"]', 1, 10),
        ('{"a": 1, "a": 2}', 1, 10),
        ('{"a": "x', 1, 7),
        ("", 1, 1),
    ],
)
def test_what_is_not_json_is_refused_at_its_place(text, line, column):
    found = refusal(text, "a.json").problems
    assert (line, column) in [(each.place.line, each.place.column) for each in found]


@given(values)
def test_json_is_read_as_python_reads_it(value):
    text = json.dumps(value, indent="\t")
    assert data(text, "a.json") == value


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_a_clear_refusal(text):
    for name in ("a.yaml", "a.json"):
        try:
            load_text(text, name)
        except SpecError as error:
            assert error.message
            assert error.problems


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.yaml", b"version: 0\nname: \xff\xfe\n", "not UTF-8: byte 0xff"),
        ("a.txt", b"version: 0\n", "unknown kind of file '.txt'"),
        ("a.yaml", b"- 1\n- 2\n", "a workflow is a map"),
        ("a.json", b'"text"', "a workflow is a map"),
    ],
)
def test_a_file_that_is_no_workflow_is_refused(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SpecError, match=said) as caught:
        load(path)
    assert caught.value.place.file == str(path)
    assert caught.value.fix


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(SpecError, match="no such file"):
        load(tmp_path / "no.yaml")
    (tmp_path / "dir.yaml").mkdir()
    with pytest.raises(SpecError, match="folder"):
        load(tmp_path / "dir.yaml")


def test_a_large_file_is_refused_before_it_is_parsed(tmp_path):
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(5 * MAX_BYTES)
    with pytest.raises(SpecError, match="larger than 10 MB"):
        read_source(path)


def test_a_byte_order_mark_is_no_part_of_the_document(tmp_path):
    path = tmp_path / "bom.json"
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert plain_data(read_source(path).root) == {}
