"""The shell command that runs a notebook again as an earlier run did."""

import json
import shlex

import yaml


def rerun_command(facts: dict) -> str | None:
    """The command that runs a run's notebook again with the same parameters.

    Parameters
    ----------
    facts : dict
        A run's, as `runs.read` gives them; of any type, as they come from a file.

    Returns
    -------
    str or None
        To be pasted into a shell in the folder of the repository, or where the first run was started. None for a run
        that did not record its notebook's path. A password stays `***`, as the run recorded it (`masking.MASK in
        command`): whoever shows the command says that it is to be filled in. The tick is not in it: a run by hand is
        no run of a schedule, and a `seed` of 0 draws a fixed batch.

    Examples
    --------
    >>> rerun_command({"path": "notebooks/a.ipynb", "parameters": {"source": "my log.csv", "options": {"n": 2}}})
    "daybook run notebooks/a.ipynb -p source 'my log.csv' -p options '{\\"n\\": 2}'"
    """
    path, parameters = facts.get("path"), facts.get("parameters") or {}
    if not isinstance(path, str) or not path or not isinstance(parameters, dict):
        return None
    words = ["daybook", "run", f"./{path}" if path.startswith("-") else path]
    for name, value in parameters.items():
        words += ["-p", name, value if isinstance(value, str) else _as_text(value)]
    return shlex.join(words)


def _as_text(value: object) -> str:
    """A value as `parameters.checked` reads it: JSON, save for what YAML 1.1 reads otherwise, such as 1e-07."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        if not isinstance(value, dict | list) or yaml.safe_load(text) == value:
            return text
    except yaml.YAMLError:
        pass
    return yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False).strip()
