"""What a trial's document must say and must not hold; refusing it by a store is tested with the store."""

import pytest
from test_trials import DOCUMENT

from helpers import trials
from helpers.exceptions import StoreError
from helpers.trial_facts import FACTS, refuse_unfit


def test_every_fact_has_its_column():
    """What a document must say is what the table of trials has columns for."""
    columns = [column.name for column in trials._trials.columns]
    assert columns == [*FACTS, "num_obs", "document"]


@pytest.mark.parametrize("data", [{}, [], "num_obs", None])
def test_a_document_without_its_number_of_events_is_refused(data):
    """A document whose data lack the number of events is refused by that name."""
    with pytest.raises(StoreError, match=r"^the trial lacks data\.num_obs; it was not stored$"):
        refuse_unfit(DOCUMENT | {"data": data})


def test_all_that_is_missing_is_named_at_once():
    """A person mends a document once: every fact that it lacks is in one message; facts may be None."""
    lacking = {name: None for name in DOCUMENT if name not in ("model", "data")}
    with pytest.raises(StoreError, match=r"^the trial lacks model, data; it was not stored$"):
        refuse_unfit(lacking)
    refuse_unfit(dict.fromkeys(FACTS) | {"data": {"num_obs": 0}})
