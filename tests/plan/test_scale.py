"""The scale of a score is the one that a file's prompts name."""

import pytest

from weft.plan.patterns.scale import Scale, scale_of


@pytest.mark.parametrize(
    ("prompt", "min_score", "ends"),
    [
        ("Score from 1 to 10.", 7, (1, 10)),
        ("Grade code on a scale of 1 to 10.", 7, (1, 10)),
        ("Rate slogans between 0 and 1.", 0.8, (0, 1)),
        ("Give points out of 5 for faithfulness.", 3, (0, 5)),
        ("Rate it 1-5 stars.", 4, (1, 5)),
        ("Reviewer gave a score of {{ evaluation.score }}/10.", 7, (0, 10)),
        ('Answer {"score": <0-100>, "issues": []}', 80, (0, 100)),
        ("Return your score (0-10), issues, and fixes.", 8, (0, 10)),
        ("You are a critic.", 80, (0, 100)),
        ("You are a critic.", 0.75, (0, 1)),
        ("Score the draft. List 1-5 issues.", 60, (0, 100)),
        ("Score it, and list 3 to 5 issues.", 3, (0, 100)),
        ("Scoring rubric:\n- 90-100: ready\n- 70-89: good", 70, (0, 100)),
        ("Accept only a score of 7 or more.", 7, (0, 100)),
    ],
)
def test_the_scale_is_read_from_the_prompts(prompt, min_score, ends):
    assert scale_of(prompt, min_score) == Scale(*ends)


def test_a_scale_that_the_wanted_score_lies_beyond_is_none():
    assert scale_of("Rate each point from 1 to 10.", 80) == Scale()
