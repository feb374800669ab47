"""Parameters of a notebook, as its own parameters cell declares them, and the check of what a run is given."""

import ast
import difflib
import json
import keyword
from dataclasses import dataclass
from pathlib import Path

import yaml

from helpers.exceptions import ParameterError
from helpers.masking import mask

TYPES = {"str": str, "int": int, "float": float, "bool": bool, "dict": dict, "list": list}
IN_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping such as '{\"n_workers\": 2}'",
    "list": "a list such as '[1, 2]'",
    "str": "text, in a YAML file in quotes,",
}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell.

    Attributes
    ----------
    name : str
    type_name : str
        As annotated, `list` for `list[int]`, else the default's; empty where neither says.
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
        When the file is no notebook, a default is not a plain value, or papermill passes over a parameter.
    """
    from nbformat import ValidationError
    from papermill.exceptions import PapermillException
    from papermill.inspection import inspect_notebook  # 0.5 s of import, needed by a run alone

    try:
        # papermill formats paths as templates: a brace in a folder's name is not a placeholder.
        found = inspect_notebook(str(notebook).replace("{", "{{").replace("}", "}}"))
        unseen = [name for name in _assigned(notebook) if name not in found]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ValidationError, PapermillException) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ParameterError(f"{notebook}: not a notebook that can be read ({reason}); give an .ipynb file") from None
    if unseen:
        how = "write 'name: type = value  # help' in one line, with a single = and a plain type"
        raise ParameterError(f"{notebook}: papermill passes over the parameter {unseen[0]!r}; {how}")
    return {name: _parameter(notebook, facts) for name, facts in found.items()}


def _assigned(notebook: Path) -> list[str]:
    """The names that the parameters cell assigns, whatever papermill makes of its lines."""
    cells = json.loads(notebook.read_text(encoding="utf-8")).get("cells", [])
    cell = next((cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])), {"source": ""})
    try:
        statements = ast.parse("".join(cell["source"])).body
    except SyntaxError:
        return []  # the kernel will say so, at the cell
    targets = [target for statement in statements for target in _targets(statement)]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AnnAssign) else []


def _parameter(notebook: Path, facts: dict) -> Parameter:
    try:
        default = ast.literal_eval(facts["default"])
    except (ValueError, SyntaxError):
        where = f"{notebook}: parameter {facts['name']!r}"
        raise ParameterError(f"{where} has the default {facts['default']}; only plain values can be replaced") from None
    type_name = facts["inferred_type_name"].partition("[")[0].strip()
    if type_name == "None":  # papermill's word for a line without an annotation
        type_name = "" if default is None else type(default).__name__
    return Parameter(facts["name"], type_name, default, facts["help"])


def of_options(file: Path | None, pairs: list[tuple[str, str]]) -> dict[str, object]:
    """The parameters of a YAML file with those of the command line over them."""
    values: dict[str, object] = {}
    if file:
        try:
            values = yaml.safe_load(file.read_text()) or {}
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise ParameterError(f"{file}: {' '.join(str(error).split())[:200]}; give a YAML mapping") from None
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise ParameterError(f"{file}: a mapping of parameters is expected, such as 'batch_size: 0'")
    names = [name for name, _ in pairs]
    if doubled := [name for name in names if names.count(name) > 1]:
        raise ParameterError(f"parameter {doubled[0]!r} is given twice; keep one")
    return values | dict(pairs)


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
    expected = TYPES.get(parameter.type_name, object)
    if isinstance(value, str) and expected not in (str, object):
        value = _read(value, expected)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    # bool is a kind of int in Python, but true is no whole number to a person.
    fits = isinstance(value, expected) and (expected in (bool, object) or not isinstance(value, bool))
    if fits and _is_plain(value):
        return value
    words = IN_WORDS.get(parameter.type_name, "a plain value")
    raise ParameterError(f"parameter {parameter.name!r} is {mask(str(value))[:80]!r}, but {words} is expected")


def _read(text: str, expected: type) -> object:
    """A text as a value, or itself where it is none; YAML takes 010 for 8, 1:30 for 90 and 1e3 for a text."""
    try:
        return expected(text) if expected in (int, float) else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return text


def _is_plain(value: object) -> bool:
    """Whether a run can record the value and a kernel can be handed it: no dates, no NaN."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
