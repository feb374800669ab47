"""References to the tick in a run's parameters."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from helpers.exceptions import ParameterError
from helpers.tick_parameters import with_tick

TICK = "2016-03-31T06:00:00.250+00:00"
NOWHERE = Path("absent.ipynb")  # without a tick, or with as_of given, the notebook need not be read


@pytest.fixture
def notebook(write_nb) -> Path:
    """A notebook without a parameter `as_of`."""
    return write_nb(["print(since)"], parameters='since: str = ""  # when to begin')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{as_of}", "2016-03-31T06:00:00.250+00:00"),
        ("{ as_of }", "2016-03-31T06:00:00.250+00:00"),
        ("{as_of - 1month}", "2016-02-29T06:00:00.250+00:00"),  # a leap year
        ("{as_of - 13 months}", "2015-02-28T06:00:00.250+00:00"),
        ("{as_of + 1month}", "2016-04-30T06:00:00.250+00:00"),
        ("{as_of - 1year}", "2015-03-31T06:00:00.250+00:00"),
        ("{as_of-7d}", "2016-03-24T06:00:00.250+00:00"),
        ("{as_of + 2w}", "2016-04-14T06:00:00.250+00:00"),
        ("{as_of + 12h}", "2016-03-31T18:00:00.250+00:00"),
        ("{as_of - 90m}", "2016-03-31T04:30:00.250+00:00"),
        ("{as_of + 45s}", "2016-03-31T06:00:45.250+00:00"),
        ("{as_of - 0d}", "2016-03-31T06:00:00.250+00:00"),
        ("log-{as_of - 1d}-{as_of}.csv", "log-2016-03-30T06:00:00.250+00:00-2016-03-31T06:00:00.250+00:00.csv"),
        ('{"since": "{as_of - 1d}"}', '{"since": "2016-03-30T06:00:00.250+00:00"}'),
    ],
)
def test_reference_becomes_the_time(notebook, text, expected):
    """The tick, and times before and after it by the calendar, replace the references in a text."""
    assert with_tick(notebook, {"since": text}, TICK) == {"since": expected}


def test_month_before_the_end_of_march_is_the_end_of_february(notebook):
    """31 March less a month is 29 February in a leap year, 28 February in another, and 31 March less a year stays."""
    ends = [
        with_tick(notebook, {"s": "{as_of - 1month}"}, f"{year}-03-31T00:00:00Z")["s"][:10] for year in (2016, 2017)
    ]
    assert ends == ["2016-02-29", "2017-02-28"]


def test_tick_is_written_in_utc(notebook):
    """A tick with another offset is the same moment in UTC, before the calendar is asked."""
    # 2016-03-01 00:30 at +01:00 is 2016-02-29 23:30 in UTC; a month before is 29 January.
    given = with_tick(notebook, {"since": "{as_of} {as_of - 1month}"}, "2016-03-01T00:30:00+01:00")
    assert given["since"] == "2016-02-29T23:30:00.000+00:00 2016-01-29T23:30:00.000+00:00"


def test_references_stand_in_lists_and_mappings_too(notebook):
    """Texts inside a value from a file are filled; numbers and names of keys stay as they are."""
    given = {"options": {"{as_of}": ["{as_of - 1d}", 3, {"to": "{as_of}"}], "n": 2.5}, "n": 1, "flag": True, "no": None}
    filled = with_tick(notebook, given, TICK)
    day = "2016-03-30T06:00:00.250+00:00"
    assert filled == given | {"options": {"{as_of}": [day, 3, {"to": TICK}], "n": 2.5}}
    assert given["options"]["n"] == 2.5
    assert given["options"]["{as_of}"][0] == "{as_of - 1d}"  # what was given is not changed


@pytest.mark.parametrize(
    "text",
    [
        '{"n_workers": 2}',
        '{"as_of": "2016-03-01"}',
        "{as_of: 2016-03-01}",
        "{n_workers: 2, as_of: 3}",
        "{}",
        "{0}",
        "{date}",
        "{last}",
        "{offset - 1d}",
        "as_of",
        "as_of - 1month",
        "a{b",
        "}{",
        "{'a': {'b': 1}}",
    ],
)
@pytest.mark.parametrize("tick", [TICK, None])
def test_other_braces_are_left_alone(notebook, text, tick):
    """JSON, YAML mappings and placeholders of others stay as they are, with a tick and without."""
    assert with_tick(notebook, {"since": text}, tick) == {"since": text}


@pytest.mark.parametrize(
    "text",
    [
        "{asof}",
        "{as-of}",
        "{as of - 1d}",
        "{As_Of}",
        "{as_off}",
        "{as_o}",
        "{aas_of}",
        "{as_of - 1 fortnight}",
        "{as_of - month}",
        "{as_of - 1.5h}",
        "{as_of - -1d}",
        "{as_of 1d}",
        "{as_of * 2}",
        "{as_of - 1M}",
        "{as_of -}",
        "{as_of:%Y-%m}",
        "{as_of.year}",
        "{as_of - 1d",
    ],
)
@pytest.mark.parametrize("tick", [TICK, None])
def test_misspelt_reference_is_refused(text, tick):
    """What was to be a reference and is none is refused in one line with the parameter's name, by hand too."""
    with pytest.raises(ParameterError) as caught:
        with_tick(NOWHERE, {"since": f"a {text}"}, tick)
    how = "write {as_of} or {as_of - 1month}: a whole number and s, m, h, d, w, month or year, such as 12h or 1month"
    assert str(caught.value) == f"parameter 'since' has {text!r}, no reference to the tick; {how}"


def test_reference_without_a_tick_is_refused():
    """A run by hand has no tick: the line says how to give one."""
    with pytest.raises(ParameterError) as caught:
        with_tick(NOWHERE, {"since": "{as_of - 1d}"}, None)
    message = "parameter 'since' refers to the tick with {as_of - 1d}; give --scheduled-at TIME or now"
    assert str(caught.value) == message


@pytest.mark.parametrize("shift", ["- 3000year", "+ 8000year", "- 999999999d", "- 999999999month"])
def test_time_out_of_the_calendar_is_refused(shift):
    """Years below 1 and beyond 9999 are refused in one line."""
    with pytest.raises(ParameterError) as caught:
        with_tick(NOWHERE, {"since": f"{{as_of {shift}}}"}, TICK)
    message = f"parameter 'since' has {{as_of {shift}}}, a time out of the calendar; shift it less"
    assert str(caught.value) == message


def test_parameter_named_as_of_is_the_tick(write_nb):
    """A notebook that declares `as_of` gets the tick, unless it is given another; by hand its default stands."""
    notebook = write_nb(["print(as_of)"], parameters='as_of: str = ""  # the tick\nn: int = 1  # something else')
    assert with_tick(notebook, {"n": "2"}, TICK) == {"n": "2", "as_of": TICK}
    assert with_tick(notebook, {"as_of": "2016-01-01"}, TICK) == {"as_of": "2016-01-01"}
    assert with_tick(notebook, {"as_of": "{as_of - 1d}"}, TICK) == {"as_of": "2016-03-30T06:00:00.250+00:00"}
    assert with_tick(notebook, {}, None) == {}


def test_no_other_notebook_gets_as_of(notebook):
    """A notebook without such a parameter is given nothing more."""
    assert with_tick(notebook, {}, TICK) == {}


def test_days_agree_with_the_calendar(notebook):
    """Over four years, a day before each midnight is the midnight before, by Python's own calendar."""
    for ordinal in range(datetime(2015, 1, 1).toordinal(), datetime(2019, 1, 1).toordinal(), 13):
        tick, before = (datetime.fromordinal(day).replace(tzinfo=UTC) for day in (ordinal, ordinal - 1))
        filled = with_tick(NOWHERE, {"as_of": "{as_of - 1d}"}, tick.isoformat())
        assert filled["as_of"] == before.isoformat(timespec="milliseconds")
