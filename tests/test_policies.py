"""Policies: what is accepted, what is refused in one line, and that notices' URLs stay secret."""

import json
import logging

import pytest

from helpers import policies
from helpers.exceptions import ScheduleError
from helpers.policies import Policies, parse

# The form of a Discord webhook, whose token is a part of the path; invented here.
TOKEN = "q" * 60
DISCORD = f"discord://{'4' * 18}/{TOKEN}"


def test_defaults():
    """Nothing given, or None for each, is what the class says."""
    expected = Policies("skip", "latest", 0, 10.0, 600.0, None, None, None, ())
    assert parse({}) == expected
    assert parse(dict.fromkeys(policies.NAMES)) == expected


def test_texts_and_numbers_are_the_same():
    """A command line's texts and a YAML file's numbers give the same policies, with - or _ in the names."""
    texts = {"retries": "2", "retry-delay": "1m", "retry-cap": "5m", "timeout": "1h", "keep": "100", "keep-days": "0.5"}
    numbers = {"retries": 2, "retry_delay": 60, "retry_cap": 300, "timeout": 3600, "keep": 100, "keep_days": 0.5}
    assert parse(texts) == parse(numbers) == Policies("skip", "latest", 2, 60.0, 300.0, 3600.0, 100, 0.5, ())


def test_delay_doubles_up_to_its_cap():
    """10 s, 20 s, 40 s and so on, at most the cap, however often a tick has failed."""
    chosen = parse({"retry_delay": 10, "retry_cap": 60})
    assert [chosen.delay(attempt) for attempt in (1, 2, 3, 4, 5, 5000)] == [10, 20, 40, 60, 60, 60]
    assert parse({"retry_delay": 0}).delay(9) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overlaps": "skip"}, "unknown key 'overlaps'; did you mean 'overlap'"),
        ({"colour": "red"}, "unknown key 'colour'; known are overlap"),
        ({1: 2}, "unknown key '1'"),
        ({"retry-cap": 700, "retry_cap": 700}, "retry_cap is given twice"),
        ({"overlap": "queues"}, "overlap is 'queues'; did you mean 'queue'"),
        ({"overlap": "both"}, "overlap is 'both'; it is one of skip, queue"),
        ({"overlap": True}, "overlap is True"),
        ({"overlap": ["skip"]}, "overlap is ['skip']"),
        ({"missed": "last"}, "missed is 'last'; did you mean 'latest'"),
        ({"retries": -1}, "retries is -1; it takes a whole number, 0 or more"),
        ({"retries": "two"}, "retries is 'two'"),
        ({"retries": 1.5}, "retries is 1.5"),
        ({"retries": True}, "retries is True"),
        ({"retry_delay": "-1"}, "retry_delay is '-1', which is no duration"),
        ({"retry_delay": "10x"}, "retry_delay is '10x', which is no duration"),
        ({"retry_delay": "20s", "retry_cap": "5s"}, "retry_cap (5 s) is below retry_delay (20 s)"),
        ({"retry_cap": 5}, "retry_cap (5 s) is below retry_delay (10 s)"),
        ({"timeout": 0}, "leave it out"),
        ({"keep": 0}, "keep is 0; it takes a whole number, 1 or more"),
        ({"keep": "nan"}, "keep is 'nan'"),
        ({"keep_days": 0}, "keep_days is 0; it takes a number of days above 0"),
        ({"keep_days": "inf"}, "keep_days is 'inf'"),
        ({"keep_days": "nan"}, "keep_days is 'nan'"),
        ({"notify": {"json": 1}}, "notify is dict; it takes a list"),
        ({"notify": [7]}, "notify has '***'"),
        ({"notify": ["json://"]}, "notify has 'json://***'"),
        ({"notify": "https://example.org/hook"}, "notify has 'https://***'"),
        ({"notify": ""}, "notify has '***'"),
    ],
)
def test_refused_in_one_line(options, message):
    """What a policy does not take is named with its value and what it takes."""
    with pytest.raises(ScheduleError) as refusal:
        parse(options)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("url", [DISCORD, "json://localhost:8080/", "mailto://me:s3cret@example.org"])
def test_urls_that_apprise_takes(url):
    """One URL or several are kept as they are, and described by their schemes alone."""
    chosen = parse({"notify": url})
    assert chosen.notify == parse({"notify": [url]}).notify == (url,)
    described = chosen.described()
    assert described["notify"] == [url.split(":")[0] + "://***"]
    assert json.loads(json.dumps(described)) == described


@pytest.mark.parametrize("url", [f"discord://{TOKEN}", f"nothing://{TOKEN}", TOKEN, f"tgram://{TOKEN}/"])
def test_a_refused_url_keeps_its_token(url, caplog, capfd):
    """Neither the message nor Apprise's own log shows the token of a URL that cannot work."""
    with caplog.at_level(logging.DEBUG), pytest.raises(ScheduleError) as refusal:
        parse({"notify": [url]})
    assert TOKEN not in str(refusal.value) + caplog.text + "".join(capfd.readouterr())
    assert "***" in str(refusal.value)
    # One line is what a person gets, and it is ours.
    assert [record for record in caplog.records if record.name == "apprise"] == []
    assert logging.getLogger("apprise").level == logging.NOTSET
