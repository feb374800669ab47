"""Parameters as a notebook declares them, and the check of what a run is given."""

import datetime
import json
from pathlib import Path

import pytest
import yaml

from helpers.exceptions import ParameterError
from helpers.parameters import Parameter, checked, declared

EVALUATION = Path(__file__).resolve().parents[1] / "notebooks" / "evaluate_ticket_model.ipynb"
CELL = """\
text: str = "sample"  # a text
count: int = 1000
share: float = 0.5  # a share; at most 1
flag: bool = False
options: dict = {}
sizes: list[int] = [1, 2]
"""


@pytest.fixture
def notebook(write_nb):
    """A notebook with a parameter of each type."""
    return write_nb(["print(text)"], parameters=CELL)


def test_the_evaluations_parameters():
    """Every line of the evaluation notebook's parameters cell is found, with its type, default and help."""
    found = declared(EVALUATION)
    assert [(p.name, p.type_name, p.default) for p in found.values()] == [
        ("source", "str", "sample"),
        ("batch_size", "int", 1000),
        ("closed_from", "str", ""),
        ("closed_to", "str", ""),
        ("seed", "int", 0),
        ("model", "str", "priority"),
        ("cluster", "str", "none"),
        ("cluster_options", "dict", {}),
        ("store", "str", ""),
    ]
    cells = json.loads(EVALUATION.read_text())["cells"]
    (cell,) = ["".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", [])]
    # Read without papermill: what follows the first # of a line.
    assert [p.help for p in found.values()] == [line.split("#", 1)[1].strip() for line in cell.splitlines()]
    assert not [p.name for p in found.values() if p.required or len(p.help) < 10]


def test_types_are_taken_from_the_default_where_none_is_written(write_nb):
    """A line without an annotation has its default's type; one whose default is None is required and has none."""
    found = declared(write_nb([], parameters="a = 1.5\nb = None\nc: 'int' = 2\nd: str = None\ne = {\n  'x': [1],\n}"))
    assert list(found.values()) == [
        Parameter("a", "float", 1.5, ""),
        Parameter("b", "", None, ""),
        Parameter("c", "int", 2, ""),
        Parameter("d", "str", None, ""),
        Parameter("e", "dict", {"x": [1]}, ""),
    ]
    assert [name for name, parameter in found.items() if parameter.required] == ["b", "d"]


def test_nothing_given_leaves_everything_as_it_is(notebook):
    """A run that is given nothing hands nothing to the notebook: its own defaults hold."""
    assert checked(notebook, {}) == {}


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("count", "7", 7),
        ("count", "-7", -7),
        ("count", "1_000", 1000),
        ("count", "010", 10),  # YAML would make it 8
        ("count", 7, 7),
        ("share", "1e3", 1000.0),  # YAML would make it a text
        ("share", "1", 1.0),
        ("share", 2, 2.0),
        ("share", "-.5", -0.5),
        ("flag", "true", True),
        ("flag", "False", False),
        ("flag", "no", False),
        ("flag", True, True),
        ("options", '{"n_workers": 2, "x": {"y": [1.5, null, true]}}', {"n_workers": 2, "x": {"y": [1.5, None, True]}}),
        ("options", "n_workers: 2", {"n_workers": 2}),
        ("options", {"n_workers": 2}, {"n_workers": 2}),
        ("sizes", "[3, 4]", [3, 4]),
        ("sizes", [3, 4], [3, 4]),
        # A text stays the text that it is, whatever YAML would make of it.
        ("text", "no", "no"),
        ("text", "007", "007"),
        ("text", "2016-02-29", "2016-02-29"),
        ("text", "null", "null"),
        ("text", "", ""),
        ("text", "[1", "[1"),
        ("text", "a: b # c", "a: b # c"),
    ],
)
def test_values_are_read_as_the_declared_type(notebook, name, given, expected):
    """A text from a command line, or a value from a file, becomes the declared type and no other."""
    found = checked(notebook, {name: given})
    assert found == {name: expected}
    assert type(found[name]) is type(expected)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("count", "1.5", "a whole number"),
        ("count", "1e3", "a whole number"),
        ("count", "0x10", "a whole number"),
        ("count", "1:30", "a whole number"),  # 90 to YAML
        ("count", "many", "a whole number"),
        ("count", "", "a whole number"),
        ("count", "true", "a whole number"),
        ("count", True, "a whole number"),
        ("count", 1.0, "a whole number"),
        ("count", None, "a whole number"),
        ("count", [1], "a whole number"),
        ("share", "half", "a number"),
        ("share", True, "a number"),
        ("share", "nan", "a number"),
        ("share", float("inf"), "a number"),
        ("flag", "1", "true or false"),
        ("flag", 0, "true or false"),
        ("flag", "maybe", "true or false"),
        ("options", "[1]", "a mapping"),
        ("options", "{", "a mapping"),
        ("options", "none", "a mapping"),
        ("options", "{a: 2016-02-29}", "a mapping"),
        ("options", {"a": float("nan")}, "a mapping"),
        ("sizes", "{}", "a list"),
        ("sizes", "1, 2", "a list"),
        ("text", 7, "text"),
        ("text", False, "text"),
        ("text", None, "text"),
        ("text", datetime.date(2016, 2, 29), "text"),
    ],
)
def test_another_type_is_refused(notebook, name, given, words):
    """A value of another type is refused in one line that names the parameter and what is expected of it."""
    with pytest.raises(ParameterError, match=f"^parameter '{name}' is .*, but {words}.* is expected$") as caught:
        checked(notebook, {name: given})
    assert "\n" not in str(caught.value)


def test_a_refusal_hides_a_password(notebook):
    """A URL that is given to the wrong parameter is refused without its password."""
    with pytest.raises(ParameterError, match=r"me:\*\*\*@host"):
        checked(notebook, {"count": "https://me:s3cret@host/"})


@pytest.mark.parametrize("line", ["text: no", "text: 007", "text: 2016-02-29", "text:"])
def test_yamls_surprises_are_refused_and_not_guessed(notebook, line):
    """What YAML has turned into something else than a text is refused with the remedy, quotes."""
    with pytest.raises(ParameterError, match="text, in a YAML file in quotes, is expected"):
        checked(notebook, yaml.safe_load(line))


def test_a_value_that_no_run_can_record_is_refused(write_nb):
    """A parameter of no declared type takes any plain value, and no date."""
    notebook = write_nb([], parameters="anything = None")
    assert checked(notebook, {"anything": "2016-02-29"}) == {"anything": "2016-02-29"}
    assert checked(notebook, {"anything": [1, True]}) == {"anything": [1, True]}
    with pytest.raises(ParameterError, match="'anything' is '2016-02-29', but a plain value is expected"):
        checked(notebook, {"anything": datetime.date(2016, 2, 29)})


def test_the_cells_order_is_kept(notebook):
    """The parameters come back in the order of the cell, however they were given."""
    assert list(checked(notebook, {"flag": "yes", "count": "1", "text": "x"})) == ["text", "count", "flag"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("cuont", "did you mean 'count'"), ("Text", "did you mean 'text'"), ("zzz", "it has text, count, share")],
)
def test_an_unknown_name_is_refused_with_the_nearest(notebook, name, hint):
    """A name that the notebook does not declare is refused, with the one that is nearest, or with all."""
    with pytest.raises(ParameterError, match=f"^tiny.ipynb has no parameter '{name}'; {hint}"):
        checked(notebook, {name: "1"})


@pytest.mark.parametrize(
    "name", ["a=1;import os", "text;x", "text ", "1st", "", "class", "None", "a.b", "text\n", "a-b"]
)
def test_a_name_cannot_carry_code(notebook, name):
    """A name that is no identifier, or a keyword, never gets as far as the notebook's code."""
    with pytest.raises(ParameterError, match="is not a name; give it as -p NAME VALUE") as caught:
        checked(notebook, {name: "1"})
    assert "\n" not in str(caught.value)


def test_a_required_parameter_is_asked_for(write_nb):
    """A parameter whose default is None must be given, by name."""
    notebook = write_nb([], parameters="day: str = None  # which day\nn: int = 1")
    with pytest.raises(ParameterError, match=r"tiny\.ipynb needs the parameter 'day'; give it with -p day VALUE"):
        checked(notebook, {"n": "2"})
    assert checked(notebook, {"day": "2016-02-29"}) == {"day": "2016-02-29"}


def test_a_notebook_without_parameters(write_nb):
    """A notebook without a parameters cell runs without parameters and with no other."""
    notebook = write_nb(["x = 1"])
    assert declared(notebook) == {}
    assert checked(notebook, {}) == {}
    with pytest.raises(ParameterError, match="has no parameter 'x'; it has none"):
        checked(notebook, {"x": "2"})


@pytest.mark.parametrize(
    "line",
    [
        "a: str | None = None",
        "a: datetime.date = None",
        'a: str = "x=y"',
        "a: int = 1  # more = slower",
        "a = b = 3",
        "a, b = 1, 2",
    ],
)
def test_a_line_that_papermill_passes_over_is_refused(write_nb, line):
    """A parameter that papermill cannot see, and would silently leave at its default, is named."""
    with pytest.raises(ParameterError, match="papermill passes over the parameter 'a'; write 'name: type = value"):
        checked(write_nb([], parameters=f"z: int = 1\n{line}\n"), {})


@pytest.mark.parametrize("default", ["Path('x')", "1 + 1j + x", '"a#b"', "[x for x in y]"])
def test_a_default_that_is_no_plain_value_is_refused(write_nb, default):
    """A default that is code cannot be replaced, and is named."""
    with pytest.raises(ParameterError, match=r"parameter 'a' has the default .* only plain values can be replaced"):
        checked(write_nb([], parameters=f"a = {default}"), {})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "{",
        "{}",
        "[]",
        "3",
        "null",
        '{"nbformat": 4}',
        '{"nbformat": 99, "cells": [], "metadata": {}}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path, content):
    """A file that is no JSON, or JSON that is no notebook, is one line that names the file."""
    path = tmp_path / "broken.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ParameterError, match=r"broken\.ipynb: not a notebook that can be read \(.+\)") as caught:
        declared(path)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:The specified file")
def test_a_path_that_is_no_file_is_refused(tmp_path):
    """A path that is not there, or a folder, is one line."""
    for path in (tmp_path / "missing.ipynb", tmp_path):
        with pytest.raises(ParameterError, match="not a notebook that can be read"):
            declared(path)


def test_a_brace_in_a_path_is_no_placeholder(write_nb, tmp_path):
    """A notebook in a folder with braces in its name is read as any other."""
    folder = tmp_path / "{run} {}"
    folder.mkdir()
    path = write_nb([], parameters="a: int = 1").rename(folder / "tiny.ipynb")
    assert checked(path, {"a": "2"}) == {"a": 2}
