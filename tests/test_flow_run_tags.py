"""Tags of flow runs: what is in them, and what is not."""

import pytest

from helpers.flow_run_tags import tags_of


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("sample", "sample"),
        ("uci", "uci"),
        ("/data/log.csv", "file"),
        ("https://me:s3cret@host/log.zip", "url"),
        ("s3://bucket/{as_of}.parquet", "url"),
    ],
)
def test_a_source_is_tagged_by_its_kind(source, kind):
    """The four kinds that a person filters by; neither a path nor a password is in a tag."""
    assert tags_of("n.ipynb", {"source": source}) == ["daybook", "notebook:n", f"source:{kind}"]


def test_what_there_is_not_has_no_tag():
    """Another notebook's parameters, of any type, make no tags; a name that is no plain text is cut and printable."""
    assert tags_of(None, {}) == ["daybook"]
    assert tags_of("n.ipynb", {"source": 3, "model": None, "n": 1}) == ["daybook", "notebook:n"]
    notebook, model = tags_of("a\n" + "b" * 99 + ".ipynb", {"model": "/m/forest.v2.skops"})[1:]
    assert notebook == "notebook:a?" + "b" * 58
    assert model == "model:forest.v2"
