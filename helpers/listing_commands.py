"""The commands that list: `trials` and `runs`; they read, and import little."""

import json

import click

from helpers.exceptions import ParameterError
from helpers.terminal import has_colours, is_terminal, terminal_size

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
last = click.option("--last", type=click.IntRange(min=1), metavar="N", help="At most so many, the newest.")
watched = click.option("--watch", "is_watched", is_flag=True, help="Stay, and show what changes, until Ctrl-C.")


@click.command()
@last
@click.option("--model", "models", multiple=True, metavar="NAME", help="Of this model; repeat for more.")
@click.option("--source", "sources", multiple=True, metavar="SOURCE", help="On this source; repeat for more.")
@click.option("--notebook", "notebooks", multiple=True, metavar="NAME", help="By this notebook; repeat for more.")
@click.option("--store", default="", metavar="URL", help="A SQLite path or a postgresql+psycopg URL.")
@as_json
@watched
def trials(last, models, sources, notebooks, store, as_json, is_watched) -> None:
    """List the trials in the store, newest first.

    Example: daybook trials --last 5 --source uci
    """
    from helpers.trial_listing import TrialListing
    from helpers.trials import TrialStore

    names = [name if name.endswith(".ipynb") else f"{name}.ipynb" for name in notebooks]
    listing = TrialListing(TrialStore(store), last, model=list(models), source=list(sources), notebook=names)
    _show(listing, listing.documents, as_json, is_watched)


@click.command()
@last
@click.option("--state", "states", multiple=True, metavar="STATE", help="In this state; repeat for more.")
@click.option("--notebook", "notebooks", multiple=True, metavar="NAME", help="Of this notebook; repeat for more.")
@as_json
@watched
def runs(last, states, notebooks, as_json, is_watched) -> None:
    """List the runs of this home, newest first, with how each ended.

    Example: daybook runs --last 5 --state failed
    """
    from helpers.run_listing import RunListing
    from helpers.runs import FIELDS

    listing = RunListing(last, list(states), list(notebooks))

    def documents() -> list[dict]:
        return [{name: facts.get(name) for name in (*FIELDS, "folder")} for facts in listing.facts()]

    _show(listing, documents, as_json, is_watched)


def _show(listing, documents, as_json: bool, is_watched: bool) -> None:
    """Print a listing as it was asked for; on a terminal fitted to it and with its trends, else plain and whole."""
    if as_json and is_watched:
        raise ParameterError("--watch is for a person and --json for a program; give one of them")
    if as_json:
        print(json.dumps(documents()))
    elif is_watched:
        from helpers.watching import watch

        watch(listing.lines)
    else:
        lines = listing.lines(terminal_size()[0], colours=has_colours()) if is_terminal() else listing.lines()
        print("\n".join(lines))
