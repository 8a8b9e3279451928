"""How many of the requests of the dataset become what they should: of those that the rules were written with, and of the others."""

from pathlib import Path

import pytest

from tests.planner.cases import all_cases

CASES = all_cases()
WANTED = 0.9


def test_there_are_enough_cases_on_both_sides():
    held = [case for case in CASES if case.held_out]
    assert len(CASES) >= 60
    assert len(held) >= 30
    assert {case.domain for case in held} == {case.domain for case in CASES}


def test_no_request_is_there_twice():
    assert len({(case.domain, case.request) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("held_out", [False, True], ids=["known", "held out"])
def test_nine_of_ten_requests_become_what_they_should(held_out, capsys):
    cases = [case for case in CASES if case.held_out == held_out]
    failed = [case for case in cases if case.failure()]
    score = 1 - len(failed) / len(cases)
    with capsys.disabled():
        print(f"\n{'held out' if held_out else 'known'}: {len(cases) - len(failed)} of {len(cases)} ({score:.0%})")
    assert score >= WANTED, [case.request for case in failed]


def test_the_score_in_the_docs_is_the_score():
    page = (Path(__file__).resolve().parents[2] / "docs" / "patterns" / "plan.md").read_text(encoding="utf-8")
    assert f"on {len(CASES)} requests" in page
    for title, held_out in (("seen while the rules were written", False), ("held out", True)):
        cases = [case for case in CASES if case.held_out == held_out]
        good = sum(not case.failure() for case in cases)
        assert f"| {title} | {len(cases)} | {good} |" in page
