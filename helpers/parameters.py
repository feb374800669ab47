"""Parameters of a notebook, as its own parameters cell declares them, and the check of what a run is given."""

import ast
import difflib
import keyword
from dataclasses import dataclass
from pathlib import Path

import yaml

from helpers.exceptions import ParameterError

TYPES = {"str": str, "int": int, "float": float, "bool": bool, "dict": dict, "list": list}
IN_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping such as '{\"n_workers\": 2}'",
    "list": "a list such as '[1, 2]'",
    "str": "text",
}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell.

    Attributes
    ----------
    name : str
    type_name : str
        As annotated; empty where it is not.
    default : object
        None for a parameter that a run must be given.
    help : str
        The line's comment.
    """

    name: str
    type_name: str
    default: object
    help: str

    @property
    def required(self) -> bool:
        """Whether a run must be given a value: the cell says None."""
        return self.default is None


def declared(notebook: Path) -> dict[str, Parameter]:
    """Read the parameters that a notebook declares.

    Parameters
    ----------
    notebook : Path

    Returns
    -------
    dict of str to Parameter
        In the cell's order; empty when no cell has the tag `parameters`.

    Raises
    ------
    ParameterError
        When the file is no notebook, or a default is not a plain value.
    """
    from papermill.exceptions import PapermillException
    from papermill.inspection import inspect_notebook  # 0.5 s of import, needed by a run alone

    try:
        found = inspect_notebook(str(notebook))
    except (OSError, ValueError, KeyError, AttributeError, PapermillException) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ParameterError(f"{notebook}: not a notebook that can be read ({reason}); give an .ipynb file") from None
    return {name: _parameter(notebook, facts) for name, facts in found.items()}


def _parameter(notebook: Path, facts: dict) -> Parameter:
    try:
        default = ast.literal_eval(facts["default"])
    except (ValueError, SyntaxError):
        where = f"{notebook}: parameter {facts['name']!r}"
        raise ParameterError(f"{where} has the default {facts['default']}; only plain values can be replaced") from None
    type_name = facts["inferred_type_name"] or ("" if default is None else type(default).__name__)
    return Parameter(facts["name"], "" if type_name == "None" else type_name, default, facts["help"])


def checked(notebook: Path, given: dict[str, object]) -> dict[str, object]:
    """Check what a run is given against the notebook's parameters cell, and read texts as the declared types.

    Parameters
    ----------
    notebook : Path
    given : dict of str to object
        Texts, as from a command line, or values, as from a YAML file.

    Returns
    -------
    dict of str to object
        The given parameters, typed, in the cell's order.

    Raises
    ------
    ParameterError
        For a name that is not an identifier or that the notebook does not declare, a value of another type, or a
        required parameter that is missing.
    """
    parameters = declared(notebook)
    for name in given:
        # papermill writes names into the code as they are: "a=1;import os" would run.
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ParameterError(f"parameter {name!r} is not a name; give it as -p NAME VALUE")
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(parameters) or 'none'}"
            raise ParameterError(f"{notebook.name} has no parameter {name!r}; {hint}")
    missing = [name for name, parameter in parameters.items() if parameter.required and name not in given]
    if missing:
        raise ParameterError(f"{notebook.name} needs the parameter {missing[0]!r}; give it with -p {missing[0]} VALUE")
    return {name: typed(parameters[name], given[name]) for name in parameters if name in given}


def typed(parameter: Parameter, value: object) -> object:
    """The value as the parameter's type, or a `ParameterError` that names both."""
    expected = TYPES.get(parameter.type_name)
    if expected is None or (expected is str and isinstance(value, str)):
        return value
    if isinstance(value, str):
        value = _read(value)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # bool is a kind of int in Python, but true is no whole number to a person.
    if isinstance(value, expected) and (expected is bool or not isinstance(value, bool)):
        return value
    raise ParameterError(
        f"parameter {parameter.name!r} is {str(value)[:80]!r}, but {IN_WORDS[parameter.type_name]} is expected"
    )


def _read(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
