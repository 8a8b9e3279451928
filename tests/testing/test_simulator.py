"""`weft simulate`: the same seed gives the same events, byte for byte, whatever goes wrong in the simulated world."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from weft.cli.main import execute
from weft.core.errors import InputError
from weft.spec.load import load_text
from weft.spec.model.base import walk
from weft.spec.model.swarm import Member, Partition
from weft.testing.simulator.faults import Faults, parse_faults, parse_partitions
from weft.testing.simulator.rehearsal import Simulation, rehearse
from weft.testing.simulator.scale import scaled

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HARD = "latency=0.1..3,errors=0.05,limits=0.03,garbage=0.05,crashes=0.02"
FILE = """\
version: 1
name: mixed
description: Some work.
runtime: {provider: openai}
agents: {a: {prompt: A}, b: {prompt: B}}
pattern: %s
outputs: {artifacts: [{path: out.md, from: '{{ last_response }}'}]}
"""


def file(folder, pattern):
    path = folder / "flow.yaml"
    path.write_text(FILE % pattern)
    return path


def command(*args, folder, **environ):
    path = {"PATH": os.environ["PATH"], "HOME": str(folder), "WEFT_HOME": str(folder / "home"), "LANG": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-m", "weft", "simulate", *map(str, args)],
        cwd=folder,
        env=path | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("name", ["gossip", "consensus"])
def test_two_processes_write_the_same_journal_byte_for_byte(name, tmp_path):
    journals = []
    for number, hash_seed in enumerate(("1", "4242")):
        keep = tmp_path / f"kept{number}"
        how = ("--agents", 60, "--seed", 7, "--partition", "1-3/2", "--faults", HARD, "--keep", keep, "--json")
        done = command(EXAMPLES / f"{name}.yaml", *how, folder=tmp_path, PYTHONHASHSEED=hash_seed)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["crashes"] > 0
        assert report["injected"]["errors"] > 0
        report.pop("measured")
        with sqlite3.connect(keep / "journal.db") as connection:
            rows = connection.execute(
                "SELECT run_id, seq, at, kind, path, data, blob, salt, hash FROM events ORDER BY seq"
            )
            journals.append((report, rows.fetchall()))
    assert journals[0] == journals[1]
    assert len(journals[0][1]) == journals[0][0]["events"]
    assert not (tmp_path / "home").exists(), "the home of real runs is not touched"
    shown = subprocess.run(
        [sys.executable, "-m", "weft", "verify", "last"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "WEFT_HOME": str(tmp_path / "kept0")},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 0, "what is kept is a journal like any other"


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("gossip", "{type: gossip, config: {agents: [{agent: a, count: 2}], max_rounds: 60}}"),
        (
            "believed",
            "{type: gossip, config: {agents: [{agent: a, count: 2}], facts: [x, y], believe: ok, max_rounds: 60}}",
        ),
        (
            "consensus",
            "{type: consensus, config: {agents: [{agent: a, count: 2}], choices: [x, y, z], max_ballots: 60}}",
        ),
    ],
)
def test_a_thousand_agents_converge_through_a_partition_and_its_healing(name, pattern, tmp_path):
    partition = Partition(first=1, last=6, groups=2)
    report = rehearse(Simulation(file=file(tmp_path, pattern), agents=1_000, seed=7, partitions=(partition,)))
    assert report.status == "completed", report.error
    assert report.convergence["converged"]
    assert report.convergence["members"] == 1_000
    rounds = report.convergence.get("rounds") or report.convergence["ballots"]
    assert 6 < rounds <= 30, "not before it has healed, and soon after"
    assert report.requests >= 1_000


def test_another_seed_gives_another_course_and_the_same_one_the_same(tmp_path):
    path = file(tmp_path, "{type: vote, config: {agents: [{agent: a, count: 5}], choices: [x, y], rounds: 9}}")
    first, again, other = (rehearse(Simulation(file=path, seed=seed)).digest for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    "pattern",
    [
        "{type: chain, config: {steps: [{agent: a}, {tool: calculator, args: {expression: '1'}}, {agent: b}]}}",
        "{type: handoff, config: {start: a, agents: {a: {to: [b]}, b: {}}}}",
        "{type: debate, config: {agents: [a, b], judge: {agent: a}}}",
        "{type: blackboard, config: {sections: {x: {}}, agents: [{agent: a}, {agent: b}]}}",
        "{type: chain, config: {steps: [{agent: a}, {id: choice, pattern: {type: vote, config: {agents: [a, b], rule: plurality, rounds: 50}}}]}}",
        "{type: routing, config: {router: {agent: a}, routes: {one: {then: [{agent: b}]}, two: {then: [{agent: a}]}}}}",
    ],
)
def test_patterns_of_every_kind_survive_a_bad_world(pattern, tmp_path):
    faults = Faults(errors=0.1, limits=0.1, garbage=0.1, crashes=0.15)
    reports = [rehearse(Simulation(file=file(tmp_path, pattern), seed=seed, faults=faults)) for seed in range(4)]
    assert {report.status for report in reports} <= {"completed", "failed"}
    assert any(report.status == "completed" for report in reports)
    assert sum(report.crashes for report in reports) > 0
    calm = rehearse(Simulation(file=file(tmp_path, pattern), seed=1))
    assert (calm.status, calm.crashes, dict(calm.injected)) == ("completed", 0, {})
    assert not list(tmp_path.rglob("out.md")), "artifacts are not written"


def test_the_summary_says_what_happened_and_the_exit_status_how_it_ended(tmp_path, capsys):
    path = file(
        tmp_path, "{type: consensus, config: {agents: [{agent: a, count: 8}], choices: [x, y], max_ballots: 2}}"
    )
    assert execute(["simulate", str(path), "--partition", "1-2"]) == 10
    assert "rejected: no decision after 2 ballots: 5 of 8 must agree" in capsys.readouterr().out
    assert execute(["simulate", str(path), "--seed", "3"]) == 0
    said = capsys.readouterr().out
    for word in ("seed 3", "virtual time", "events/s", "converged yes", "requests"):
        assert word in said


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--faults", "storms=1"), "there is no fault 'storms=1'"),
        (("--faults", "errors=2"), "'2' is no chance"),
        (("--faults", "latency=5..1"), "'5..1' is no time"),
        (("--faults", "errors=x"), "'x' is no number"),
        (("--partition", "5-2"), "'5-2' is no partition"),
        (("--agents", "7"), "takes a number of agents"),
        (("--partition", "1-2"), "has peers that a partition could separate"),
        (("--keep", "."), "is not an empty folder"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_advice(args, says, tmp_path, capsys, monkeypatch):
    path = file(tmp_path, "{type: chain, config: {steps: [{agent: a}]}}")
    monkeypatch.chdir(tmp_path)
    assert execute(["simulate", str(path), *args]) == 2
    said = capsys.readouterr().err
    assert says in " ".join(said.split())
    assert "fix:" in said


def test_faults_and_partitions_are_read_as_they_are_written():
    assert parse_faults("") == Faults()
    assert parse_faults(" latency=1, errors=0.25 ") == Faults(latency=(1, 1), errors=0.25)
    assert parse_partitions(["2-6", "8-9/4"]) == [Partition(first=2, last=6), Partition(first=8, last=9, groups=4)]
    with pytest.raises(InputError):
        parse_partitions(["1-2/1"])


def test_members_are_shared_out_among_the_entries_that_have_a_count():
    text = FILE % "{type: vote, config: {agents: [a, {agent: b, count: 2}, {agent: b, id: c, count: 9}]}}"
    workflow = scaled(load_text(text, "flow.yaml"), agents=11, partitions=())
    assert [part.count for _, part in walk(workflow.pattern) if isinstance(part, Member)] == [5, 6]
    with pytest.raises(InputError, match="too few"):
        scaled(workflow, agents=1, partitions=())


ASKING = """{type: chain, config: {steps: [
    {agent: a, input: Write.},
    {type: hitl, prompt: "Which one?", choices: [send, keep, reject], id: which},
    {type: hitl, prompt: "How many?", form: {count: integer}, id: how},
    {agent: b, input: Go.}]}}"""


@pytest.mark.parametrize(
    ("answer", "status"), [(None, "waiting"), ("approve", "completed"), ("reject", "failed"), ("random", None)]
)
def test_people_answer_as_they_were_told_to(answer, status, tmp_path):
    path = file(tmp_path, ASKING)
    reports = [rehearse(Simulation(file=path, answer=answer, seed=seed)) for seed in range(3)]
    assert status is None or {one.status for one in reports} == {status}
    assert sum(sum(one.answered.values()) for one in reports) == {None: 0, "approve": 6, "reject": 3}.get(
        answer, sum(sum(one.answered.values()) for one in reports)
    )
    again = rehearse(Simulation(file=path, answer=answer, seed=2))
    assert (again.digest, again.answered) == (reports[2].digest, reports[2].answered)


def test_people_who_answer_at_random_take_every_choice_in_the_end(tmp_path):
    path = file(tmp_path, ASKING)
    seen = set()
    for seed in range(12):
        seen |= set(rehearse(Simulation(file=path, answer="random", seed=seed)).answered)
    assert {"send", "keep", "reject"} <= seen


def test_processes_that_die_while_people_answer_change_no_answer(tmp_path):
    path = file(tmp_path, ASKING)
    reports = [rehearse(Simulation(file=path, answer="approve", seed=7, faults=Faults(crashes=0.2))) for _ in range(2)]
    assert {one.status for one in reports} == {"completed"}
    assert reports[0].crashes > 0
    assert reports[0].digest == reports[1].digest
