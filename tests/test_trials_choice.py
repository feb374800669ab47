"""What can be chosen on the page of all trials."""

from urllib.parse import parse_qsl

import pytest
from history_tables import table_of
from history_trials import trial

from helpers.dashboard.trials_choice import MOST_OPTIONS, Choice, options_of


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ({}, Choice("MAE", "hours", "", "", "")),
        ({"metric": "R2", "unit": "seconds", "model": "m"}, Choice("R2", "seconds", "m")),
        ({"metric": "<b>", "unit": "years", "source": "", "id": "x"}, Choice()),
    ],
)
def test_an_address_makes_a_choice(given, choice):
    """What cannot be chosen is left as it is without; what the page does not know is nothing."""
    assert Choice.of(given) == choice
    assert Choice.of(dict(parse_qsl(choice.query()))) == choice


def test_a_choice_of_trials():
    """Facts limit the trials together; a value that no trial has leaves none."""
    documents = [trial(0), trial(1, model="b"), trial(2, model="b", source="uci"), trial(3, notebook=None)]
    table = table_of(documents)
    assert len(Choice().of_table(table)) == 4
    assert Choice(model="b").of_table(table).index.tolist() == ["trial-1", "trial-2"]
    assert Choice(model="b", source="uci").of_table(table).index.tolist() == ["trial-2"]
    assert Choice(model="c").of_table(table).empty


def test_what_there_is_to_choose():
    """Of each fact there are its values in their order, the most frequent ones, and what was chosen in any case."""
    documents = [trial(number, model=f"m{number // 2:03}") for number in range(500)]
    model, source, notebook = options_of(table_of([*documents, trial(500, model="z")]), Choice(source="gone"))
    assert (len(model.values), model.num_others) == (MOST_OPTIONS, 51)
    assert "z" not in model.values
    assert source.values == ("gone", "sample")
    assert (notebook.name, notebook.values, notebook.num_others) == ("notebook", ("tiny.ipynb",), 0)
    assert all(not option.values for option in options_of(table_of([]), Choice()))
