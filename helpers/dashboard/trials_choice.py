"""What a person chose on the page of all trials, and what there is to choose."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from helpers.history_plots import MEANING

if TYPE_CHECKING:
    import pandas as pd

UNITS = ("hours", "seconds")
FACTS = ("model", "source", "notebook")
MOST_OPTIONS = 200


@dataclass(frozen=True)
class Choice:
    """Of the metric, its unit, and the trials.

    Attributes
    ----------
    metric : {"MAE", "MedAE", "MSE", "R2"}
    unit : {"hours", "seconds"}
    model, source, notebook : str
        Empty for all.
    """

    metric: str = "MAE"
    unit: str = "hours"
    model: str = ""
    source: str = ""
    notebook: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Choice":
        """The choice that an address makes; what cannot be chosen is left as it is without."""
        known = {field.name: given[field.name] for field in fields(cls) if given.get(field.name)}
        for name, values in (("metric", MEANING), ("unit", UNITS)):
            if known.get(name) not in values:
                known.pop(name, None)
        return cls(**known)

    def query(self, **changes: str) -> str:
        """The choice as a part of an address."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | changes
        return urlencode({name: value for name, value in values.items() if value})

    def of_table(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """The chosen rows."""
        for name in FACTS:
            if wanted := getattr(self, name):
                table = table[table[name] == wanted]
        return table


@dataclass(frozen=True)
class Options:
    """What there is to choose of a fact.

    Attributes
    ----------
    name : str
    values : tuple of str
        The most frequent ones, by their names.
    num_others : int
    """

    name: str
    values: tuple[str, ...]
    num_others: int


def options_of(table: "pd.DataFrame", choice: Choice) -> list[Options]:
    """What there is to choose, with what was chosen, whether there is such a trial or not.

    Parameters
    ----------
    table : DataFrame
        See `trial_history.trials_table`.
    choice : Choice
    """
    options = []
    for name in FACTS:
        found = table[name].dropna().value_counts().index.tolist()
        chosen = getattr(choice, name)
        values = {*(value for value in found[:MOST_OPTIONS] if value), *([chosen] if chosen else [])}
        options.append(Options(name, tuple(sorted(values)), max(len(found) - MOST_OPTIONS, 0)))
    return options
