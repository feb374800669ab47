"""What a person filters flow runs by on Prefect's page: the notebook, the model, the kind of source, the schedule."""

from pathlib import PurePath

CHARACTERS = 60  # of a tag's value


def tags_of(notebook: str | None, parameters: dict, schedule: str | None = None) -> list[str]:
    """The tags of a flow run, each `what:value`, and `daybook`.

    Parameters
    ----------
    notebook : str or None
        Its name.
    parameters : dict
        The flow's or the notebook's; those named `model` and `source` count, where they are texts.
    schedule : str or None
        The name of the schedule that asked for the run.

    Returns
    -------
    list of str
        Of a model's file the name alone, of a source its kind: `sample`, `uci`, `url` or `file`; so no password.

    Examples
    --------
    >>> tags_of("a.ipynb", {"model": "models/forest.skops", "source": "https://host/log.zip"}, "hourly")
    ['daybook', 'notebook:a', 'model:forest', 'source:url', 'schedule:hourly']
    """
    named = {
        "notebook": PurePath(notebook or "").stem,
        "model": PurePath(_text(parameters, "model")).stem,
        "source": _kind(_text(parameters, "source")),
        "schedule": schedule,
    }
    return ["daybook", *(f"{what}:{_short(value)}" for what, value in named.items() if value)]


def _text(parameters: dict, name: str) -> str:
    value = parameters.get(name)
    return value if isinstance(value, str) else ""


def _kind(source: str) -> str:
    if source in ("", "sample", "uci"):
        return source
    return "url" if "://" in source else "file"


def _short(value: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in value[:CHARACTERS])
