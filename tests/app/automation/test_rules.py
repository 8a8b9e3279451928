"""When a schedule is due: time zones, changes of the clock, days that hardly exist, stops, jitter."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.app.automation.rules import MAX_MISSED, FileTrigger, Schedule, check, due, made, shifted, times
from weft.core.clock import iso
from weft.core.errors import InputError
from weft.spec.recurrence import seconds

SECOND = 1_000_000
MINUTE = 60 * SECOND


def micros(text: str, tz: str = "UTC") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).timestamp()) * SECOND


def ticks(cron: str, start: str, count: int, tz: str = "UTC") -> list[str]:
    found = islice(times(Schedule(cron=cron, tz=tz), micros(start)), count)
    return [iso(at)[:16] for at in found]


@pytest.mark.parametrize(
    ("cron", "tz", "start", "expected"),
    [
        # Half past two does not exist on this day: it happens as soon as there is a time again, and once.
        ("30 2 * * *", "Europe/Berlin", "2027-03-27", ["2027-03-27T01:30", "2027-03-28T01:00", "2027-03-29T00:30"]),
        ("0 2 * * *", "America/New_York", "2027-03-13", ["2027-03-13T07:00", "2027-03-14T07:00", "2027-03-15T06:00"]),
        # It exists twice on this one: the first of the two counts.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24", ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]),
        (
            "30 1 * * *",
            "America/New_York",
            "2026-10-31",
            ["2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30"],
        ),
        ("0 8 * * 1-5", "Europe/Berlin", "2026-11-21", ["2026-11-23T07:00", "2026-11-24T07:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("0 0 31 * *", "UTC", "2027-01-01", ["2027-01-31T00:00", "2027-03-31T00:00", "2027-05-31T00:00"]),
        ("0 0 L * *", "UTC", "2027-02-01", ["2027-02-28T00:00", "2027-03-31T00:00"]),
    ],
)
def test_days_on_which_clocks_change_and_days_that_hardly_exist(cron, tz, start, expected):
    assert ticks(cron, start, len(expected), tz) == expected


@pytest.mark.parametrize(
    ("tz", "start"),
    [
        ("Europe/Berlin", "2027-03-27T12:00"),
        ("Europe/Berlin", "2026-10-24T12:00"),
        ("America/New_York", "2027-03-13T12:00"),
        ("America/New_York", "2026-10-31T12:00"),
    ],
)
def test_what_runs_all_the_time_leaves_no_gap_and_repeats_nothing_when_clocks_change(tz, start):
    found = list(islice(times(Schedule(cron="*/20 * * * *", tz=tz), micros(start)), 150))
    assert {after - before for before, after in zip(found, found[1:], strict=False)} == {20 * MINUTE}


def field(low: int, high: int) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """A field of a cron expression, and the numbers that it means."""
    whole = frozenset(range(low, high + 1))
    lists = st.frozensets(st.integers(low, high), min_size=1, max_size=3)
    steps = st.integers(2, 20)
    return st.one_of(
        st.just(("*", whole)),
        lists.map(lambda chosen: (",".join(map(str, sorted(chosen))), chosen)),
        steps.map(lambda step: (f"*/{step}", frozenset(range(low, high + 1, step)))),
    )


@given(field(0, 59), field(0, 23), field(0, 6), st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)))
def test_times_are_those_that_a_look_at_every_minute_finds(minute, hour, weekday, start):
    start = start.replace(tzinfo=UTC)
    after = round(start.timestamp() * SECOND)
    end = start + timedelta(days=2)
    schedule = Schedule(cron=f"{minute[0]} {hour[0]} * * {weekday[0]}")
    at, expected = start.replace(second=0, microsecond=0) + timedelta(minutes=1), []
    while at < end:
        if at.hour not in hour[1] or at.isoweekday() % 7 not in weekday[1]:
            at = at.replace(minute=0) + timedelta(hours=1)
            continue
        if at.minute in minute[1]:
            expected.append(round(at.timestamp()) * SECOND)
        at += timedelta(minutes=1)
    found = list(islice(times(schedule, after), len(expected) + 1))
    assert found[:-1] == expected
    assert found[-1] >= round(end.timestamp() * SECOND) // MINUTE * MINUTE


@given(st.integers(1, 10_000), st.integers(0, 10**12), st.integers(-(10**10), 10**12))
def test_a_length_counts_from_the_beginning_and_not_from_the_last_run(every, since, later):
    schedule = Schedule(every=every, since=since)
    first, second = islice(times(schedule, since + later), 2)
    assert first > since + later
    assert (first - since) % (every * SECOND) == 0
    assert first - since >= every * SECOND
    assert second - first == every * SECOND
    assert first - every * SECOND <= max(since + later, since)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.sampled_from([0, 90, 600]), st.sampled_from([0, 45, 300]))
def test_looks_whenever_they_come_find_each_time_once_and_none_early(first, second, catch_up, jitter):
    schedule = Schedule(every=60, catch_up_s=catch_up, jitter_s=jitter)
    next_at, found = 60 * SECOND, []
    for now in sorted((first * SECOND, second * SECOND)):
        at_once, next_at = due(schedule, "x", next_at, now)
        found += at_once
        assert all(shifted(schedule, "x", nominal) <= now for nominal, _ in at_once)
        for nominal, recent in at_once:
            assert recent == (now - shifted(schedule, "x", nominal) <= max(catch_up, 60) * SECOND)
    nominals = [nominal for nominal, _ in found]
    assert nominals == sorted(set(nominals))
    # Nothing recent is left out: between two looks, what is missing was too old at the second one.
    taken = {nominal for nominal, recent in found if recent}
    last = max(first, second) * SECOND
    for nominal in range(60 * SECOND, next_at, 60 * SECOND):
        if last - shifted(schedule, "x", nominal) <= max(catch_up, 60) * SECOND:
            assert nominal in taken


def test_a_long_stop_is_told_in_one_line_and_what_is_recent_is_made_up_for():
    schedule = Schedule(every=60, catch_up_s=300)
    year = 365 * 24 * 60 * MINUTE
    found, next_at = due(schedule, "x", MINUTE, year)
    assert found == [(MINUTE, False), *((year - ago * MINUTE, True) for ago in (5, 4, 3, 2, 1, 0))]
    assert next_at == year + MINUTE


def test_one_look_takes_up_so_many_times_and_the_next_goes_on_from_there():
    schedule = Schedule(every=1, catch_up_s=86_400)
    now = 2_500 * SECOND
    first, next_at = due(schedule, "x", SECOND, now)
    second, next_at = due(schedule, "x", next_at, now)
    third, next_at = due(schedule, "x", next_at, now)
    assert [len(found) for found in (first, second, third)] == [MAX_MISSED, MAX_MISSED, 500]
    assert next_at == now + SECOND


def test_jitter_is_the_same_for_everybody_and_differs_from_time_to_time():
    schedule = Schedule(every=3_600, jitter_s=600)
    nominals = list(islice(times(schedule, 0), 50))
    offsets = [shifted(schedule, "x", at) - at for at in nominals]
    assert offsets == [shifted(schedule, "x", at) - at for at in nominals]
    assert all(0 <= offset <= 600 * SECOND for offset in offsets)
    assert len(set(offsets)) == 50
    assert offsets != [shifted(schedule, "y", at) - at for at in nominals]


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (Schedule(), "either"),
        (Schedule(cron="* * * * *", every=60), "either"),
        (Schedule(cron="61 8 * * *"), "no cron expression: bad minute"),
        (Schedule(cron="0 0 30 2 *"), "no cron expression"),
        (Schedule(cron="0 0 31 4 *"), "no cron expression"),
        (Schedule(cron=""), "no cron expression"),
        (Schedule(cron="x" * 10_000), "no cron expression"),
        (Schedule(cron="0 8 * * *", tz="Mars/Olympus"), "no time zone"),
        (Schedule(cron="0 8 * * *", tz="../../etc/passwd"), "no time zone"),
    ],
)
def test_what_can_never_be_due_is_refused_with_a_way_out(schedule, said):
    with pytest.raises(InputError, match=said) as caught:
        check(schedule)
    assert caught.value.fix
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "length"), [("90", 90), ("1.5", 1.5), ("30s", 30), ("1h30m", 5_400), (" 2D ", 172_800), ("1w", 604_800)]
)
def test_lengths(text, length):
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "h", "-5s", "1h x", "5 m", "nan", "1e3", "99999999d", "9" * 400])
def test_what_is_no_length(text):
    with pytest.raises(InputError) as caught:
        seconds(text)
    assert len(str(caught.value)) < 200


def test_values_out_of_bounds_are_refused_in_words():
    with pytest.raises(InputError, match=r"--every cannot be 0: .*greater than or equal to 1"):
        made(Schedule, every=0)
    with pytest.raises(InputError, match="--settle cannot be 7200"):
        made(FileTrigger, folder=".", settle_s=7_200)
