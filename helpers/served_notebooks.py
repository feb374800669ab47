"""The notebooks that `daybook serve` runs: one from the command line, or several from a file such as schedules.yaml."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from helpers import parameters, policies, schedules
from helpers.exceptions import DaybookError, ScheduleError
from helpers.masking import mask
from helpers.policies import Policies
from helpers.schedules import Schedule

WHEN = ("every", "cron", "rrule", "timezone")
KEYS = ("name", "notebook", "parameters", *WHEN, *policies.NAMES)
DEFAULTS = ("timezone", *policies.NAMES)
# Both a file's name and what Prefect takes for a deployment's.
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
IN_WORDS = {dict: "a mapping", list: "a list", str: "text in quotes"}


@dataclass(frozen=True)
class ServedNotebook:
    """A notebook on a schedule.

    Attributes
    ----------
    name : str
        Its schedule's, one of a kind among those that are served together.
    notebook : Path
        Absolute.
    parameters : dict
        Checked against the notebook's cell; with secrets, unmasked.
    schedule : Schedule
    policies : Policies
    """

    name: str
    notebook: Path
    parameters: dict
    schedule: Schedule
    policies: Policies

    def __repr__(self) -> str:
        return f"ServedNotebook({self.name!r}, {str(self.notebook)!r}, {self.schedule})"


def from_options(
    notebook: Path, given: dict, schedule: Schedule, policies: Policies, name: str | None = None
) -> ServedNotebook:
    """Check a notebook, its parameters and its name.

    Parameters
    ----------
    notebook : Path
    given : dict of str to object
        Parameters, as `parameters.checked` takes them.
    schedule : Schedule
    policies : Policies
    name : str, optional
        The notebook's stem by default.

    Raises
    ------
    ScheduleError
        For a notebook that is not there, or a name that is not fit for a file and for Prefect's page.
    ParameterError
        For parameters that the notebook's cell refuses.
    """
    path = Path(notebook).expanduser().resolve()
    # papermill would read anything, with a warning of several lines before the error.
    if not path.is_file() or path.suffix != ".ipynb":
        raise ScheduleError(f"there is no notebook {str(notebook)!r}; give the path of an .ipynb file")
    name = path.stem if name is None else name
    if not re.fullmatch(NAME, name):
        how = "letters, digits, . _ and -, beginning with a letter or digit, 100 at most"
        raise ScheduleError(f"the name {name!r} is not fit for files and Prefect's page; give one of {how}")
    return ServedNotebook(name, path, parameters.checked(path, given), schedule, policies)


def from_file(path: Path) -> list[ServedNotebook]:
    """Read a file of schedules.

    Parameters
    ----------
    path : Path
        YAML with a list `schedules`, each a mapping with a `notebook` (relative to the file), one of `every`, `cron`
        and `rrule`, and whatever else there is of `name`, `parameters`, `timezone` and policies; and with a mapping
        `defaults`, if any, of a time zone and policies for all of them. Intervals do not mind the default zone.

    Returns
    -------
    list of ServedNotebook
        In the file's order.

    Raises
    ------
    ScheduleError
        Beginning with `file:line:`, for whatever is not as described, twice there, or refused by what reads it.
    """
    path = Path(path)
    root = _composed(path)
    top = _fields(path, root, ("schedules", "defaults"))
    if "schedules" not in top:
        raise _error(path, root, "there is no list 'schedules'; write 'schedules:' and a '- notebook: …' for each")
    shared = _fields(path, top["defaults"][1], DEFAULTS) if "defaults" in top else {}
    _read_policies(path, shared)
    entries = _sequence(path, top["schedules"][1])
    served: dict[str, ServedNotebook] = {}
    lines: dict[str, int] = {}
    for entry in entries:
        notebook = _entry(path, entry, shared)
        if notebook.name in served:
            how = f"is the name of the schedule in line {lines[notebook.name]} too; give this one a 'name'"
            raise _error(path, entry, f"{notebook.name!r} {how}")
        served[notebook.name], lines[notebook.name] = notebook, entry.start_mark.line + 1
    return list(served.values())


def _composed(path: Path) -> yaml.Node:
    """The file as YAML's nodes, which know their lines."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except OSError as error:
        raise ScheduleError(f"{path}: cannot be read ({error.strerror}); give a YAML file of schedules") from None
    except UnicodeDecodeError:
        raise ScheduleError(f"{path}: is not text in UTF-8; give a YAML file of schedules") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(str(error.problem or error.context).split())
        raise ScheduleError(f"{path}:{mark.line + 1}: is not YAML ({what}); mend the line") from None
    except yaml.YAMLError as error:
        raise ScheduleError(f"{path}: is not YAML ({' '.join(str(error).split())}); mend it") from None
    if root is None:
        raise ScheduleError(f"{path}:1: is empty; write 'schedules:' and a '- notebook: …' for each")
    for node, key in _repeated(root, set()):
        raise _error(path, node, f"the key {mask(key)!r} is there twice; keep one")
    return root


def _repeated(node: yaml.Node, seen: set[int]) -> Iterator[tuple[yaml.Node, str]]:
    """The keys, at any depth, that a mapping has twice; PyYAML would take the last one without a word."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item, seen)
        return
    keys = set()
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in keys:
            yield key, key.value
        keys.add(str(key.value))
        yield from _repeated(value, seen)


def _error(path: Path, node: yaml.Node, message: object) -> ScheduleError:
    return ScheduleError(f"{path}:{node.start_mark.line + 1}: {message}")


def _fields(path: Path, node: yaml.Node, names: tuple[str, ...]) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """A mapping's key and value nodes, by those of these names that they mean."""
    if not isinstance(node, yaml.MappingNode):
        raise _error(path, node, f"a mapping is expected here, such as '{names[0]}: …'")
    found = {}
    for key, value in node.value:
        try:
            name = policies.known_name(mask(str(_value(path, key))), names)
        except ScheduleError as error:
            raise _error(path, key, error) from None
        if name in found:
            raise _error(path, key, f"the key {name!r} is there twice, with - and with _; keep one")
        found[name] = (key, value)
    return found


def _sequence(path: Path, node: yaml.Node) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise _error(path, node, "'schedules' holds no list; write a '- notebook: …' for each below it")
    return node.value


def _value(path: Path, node: yaml.Node) -> object:
    """A node as a plain value."""
    try:
        return yaml.SafeLoader("").construct_document(node)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        what = getattr(error, "problem", None) or error
        raise _error(path, node, f"is no plain value ({' '.join(str(what).split())})") from None


def _entry(path: Path, node: yaml.Node, shared: dict) -> ServedNotebook:
    own = _fields(path, node, KEYS)
    if "notebook" not in own:
        raise _error(path, node, "the schedule has no 'notebook'; give it the path of an .ipynb file")
    notebook = _typed(path, own, "notebook", str)
    name = _typed(path, own, "name", str)
    given = _typed(path, own, "parameters", dict) or {}
    schedule = _schedule(path, node, own, shared)
    fields = {key: pair for key, pair in (shared | own).items() if key in policies.NAMES}
    chosen = _read_policies(path, fields)
    try:
        return from_options(path.parent / Path(notebook).expanduser(), given, schedule, chosen, name)
    except DaybookError as error:
        raise _error(path, _blamed(own, error), error) from None


def _typed(path: Path, fields: dict, name: str, kind: type) -> object:
    if name not in fields:
        return None
    key, node = fields[name]
    value = _value(path, node)
    # 'parameters:' with nothing after it is a mapping without entries to whoever wrote it.
    if not isinstance(value, kind) and not (value is None and kind is dict):
        raise _error(path, key, f"{name!r} is {type(value).__name__}; it takes {IN_WORDS[kind]}")
    if kind is dict and value and any(not isinstance(key, str) for key in value):
        raise _error(path, key, f"{name!r} has a name that is not text; put it in quotes")
    return value


def _schedule(path: Path, node: yaml.Node, own: dict, shared: dict) -> Schedule:
    given = {name: _value(path, own[name][1]) for name in WHEN if name in own}
    if "timezone" in shared and "every" not in given:
        given.setdefault("timezone", _value(path, shared["timezone"][1]))
    try:
        return schedules.parse(**given)
    except ScheduleError as error:
        named = [name for name in WHEN if name in own and re.match(rf"(unknown )?{name}\b", str(error))]
        where = own[named[0]][0] if named else node
        if not named and "timezone" in shared and "unknown timezone" in str(error):
            where = shared["timezone"][0]
        raise _error(path, where, error) from None


def _read_policies(path: Path, fields: dict) -> Policies:
    values = {}
    for name, (key, node) in fields.items():
        if name not in policies.NAMES:
            continue
        values[name] = _value(path, node)
        try:
            policies.field(name, values[name])
        except ScheduleError as error:
            raise _error(path, key, error) from None
    try:
        return policies.parse(values)
    except ScheduleError as error:
        raise _error(path, fields.get("retry_cap", fields.get("retry_delay"))[0], error) from None


def _blamed(own: dict, error: DaybookError) -> yaml.Node:
    """The key that a message of `from_options` speaks of."""
    if isinstance(error, ScheduleError):
        return own["name" if str(error).startswith("the name") and "name" in own else "notebook"][0]
    key, node = own.get("parameters", own["notebook"])
    inner = node.value if isinstance(node, yaml.MappingNode) else []
    return next((k for k, _ in inner if repr(k.value) in str(error)), key)
