"""The command line, `daybook`: a thin layer that reads arguments and prints what the floors below return."""

import errno
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from helpers import (
    __version__,
    dashboard_commands,
    listing_commands,
    parameters,
    schedule_commands,
    ticket_commands,
)
from helpers.exceptions import DaybookError, ParameterError
from helpers.terminal import hours, number, printable


def main() -> None:
    """Run the command line; an expected failure is one line on stderr and exit code 2."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except DaybookError as error:
        reason = str(error)
    except BrokenPipeError:
        # Whoever read has had enough, as `head` does; Python would say so once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # a full disk, or a folder that cannot be written
        reason = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        if error.errno == errno.ENOSPC:
            reason += "; make room on the disk of DAYBOOK_HOME"
    else:
        return
    print(f"daybook: {printable(reason)}", file=sys.stderr)
    sys.exit(2)


@click.group()
@click.version_option(__version__, message="daybook %(version)s")
def app() -> None:
    """Data pipelines that live in a notebook and run on a schedule."""


@app.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("-p", "pairs", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter; repeat for more.")
@click.option(
    "-f", "file", type=click.Path(path_type=Path), metavar="FILE", help="A YAML file of parameters; -p goes before it."
)
@click.option("--timeout", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Limit on the whole run.")
@click.option(
    "--overlap",
    type=click.Choice(["skip", "queue"]),
    default="skip",
    show_default=True,
    help="What to do while another run of the notebook is going.",
)
@click.option("--scheduled-at", metavar="TIME", help="The tick that asks for the run: now, or ISO 8601 with an offset.")
@click.option("--report", "is_report", is_flag=True, help="Make the HTML without code, for those who read results.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one line of JSON, last.")
def run(notebook, pairs, file, timeout, overlap, scheduled_at, is_report, as_json) -> None:
    """Execute a notebook once, headless, into a run folder.

    Example: daybook run notebooks/evaluate_ticket_model.ipynb -p source uci -p batch_size 0
    """
    from helpers.run_progress import Progress

    try:
        given = parameters.of_options(file, list(pairs))
        tick = _tick(scheduled_at)
        from helpers.execution import run_notebook  # 0.6 s of import, after what is quickly refused

        told = _asked_by() | ({"has_code": False} if is_report else {})
        with Progress() as progress:
            outcome = run_notebook(
                notebook, given, tick, timeout, overlap, progress.update, on_note=progress.note, **told
            )
    except DaybookError as error:
        if as_json:
            fields = ("run", "folder", "trial", "seconds")
            print(json.dumps(dict.fromkeys(fields) | {"state": "failed", "error": str(error)}))
        raise
    facts = {name: getattr(outcome, name) for name in ("run", "state", "folder", "trial", "seconds", "error")}
    print(json.dumps(facts) if as_json else _in_words(outcome, notebook))
    sys.exit(outcome.exit_code)


@app.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(arguments) -> None:
    """Open JupyterLab on notebooks/, with the kernel, the Prefect server and the way to Dask's dashboards ready.

    What stands after the command goes to JupyterLab. Example: daybook lab --no-browser --port 8899
    """
    from helpers.lab import start

    start(list(arguments))


@app.command()
def doctor() -> None:
    """Say what is installed, reachable or wrong, and the command that mends it."""
    from helpers.doctor import findings

    wrong = 0
    for finding in findings():
        wrong += not finding.is_fine
        print(f"{'ok   ' if finding.is_fine else 'WRONG'} {finding.subject}: {finding.what}")
        if not finding.is_fine:
            print(f"      mend: {finding.mend}")
    sys.exit(1 if wrong else 0)


@app.group()
def server() -> None:
    """The one local Prefect server of this home."""


@server.command("start")
def server_start() -> None:
    """Start the server unless it is up."""
    from helpers import prefect_server

    print(f"Prefect server at {prefect_server.start().page}")


@server.command("stop")
def server_stop() -> None:
    """Stop the server."""
    from helpers import prefect_server

    print("stopped" if prefect_server.stop() else "no local Prefect server was up")


@server.command("status")
def server_status() -> None:
    """Say whether the server is up; exit code 1 when it is not."""
    from helpers import prefect_server

    if not (found := prefect_server.find()):
        print("no local Prefect server is up; start it with: daybook server start")
        sys.exit(1)
    memory = found.process.memory_info().rss / 2**20
    print(f"Prefect server at {found.page}, process {found.pid}, {memory:.0f} MB")


for _command in (
    schedule_commands.serve,
    schedule_commands.schedule,
    schedule_commands.backfill,
    schedule_commands.replay,
    schedule_commands.status,
    ticket_commands.tickets,
    listing_commands.trials,
    listing_commands.runs,
    dashboard_commands.dashboard,
):
    app.add_command(_command)


def _asked_by() -> dict:
    """What a process that starts this one for a schedule says of it, in the environment."""
    named = {"schedule": "DAYBOOK_SCHEDULE", "flow_run": "PREFECT__FLOW_RUN_ID", "lock": "DAYBOOK_LOCK"}
    told: dict = {name: os.environ.get(variable) or None for name, variable in named.items()}
    return told | {"attempt": int(os.environ.get("DAYBOOK_ATTEMPT") or 1)}


def _tick(scheduled_at: str | None) -> str | None:
    """The scheduled time in UTC."""
    if scheduled_at is None:
        return None
    try:
        tick = datetime.now(UTC) if scheduled_at == "now" else datetime.fromisoformat(scheduled_at)
    except ValueError:
        tick = None
    if tick is None or tick.tzinfo is None:
        raise ParameterError(f"--scheduled-at is {scheduled_at!r}; give 'now' or 2016-02-29T01:16:00+00:00") from None
    return tick.astimezone(UTC).isoformat(timespec="milliseconds")


def _in_words(outcome, notebook: Path) -> str:
    """The outcome as a person reads it: how it ended, the metrics if there are any, and where to look."""
    took = "" if outcome.seconds is None else f" in {outcome.seconds:.1f} s"
    lines = [f"{outcome.state}{took}" + (f": {outcome.error}" if outcome.error else "")]
    folder = Path(outcome.folder)
    if folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())  # shorter, and still to be copied
    if outcome.trial:
        data = json.loads((folder / "trial.json").read_text())["data"]
        of = f" of {number(data['num_available'], ',')}" if "num_available" in data else ""
        lines.append(f"trial   {outcome.trial}: {number(data['num_obs'], ',')}{of} events")
        if {"MAE", "MedAE", "R2"} <= data.get("metrics", {}).keys():  # another notebook may have others
            scores = data["metrics"]
            r2 = number(scores["R2"], ".4f")
            lines.append(f"        MAE {hours(scores['MAE'])} h, MedAE {hours(scores['MedAE'])} h, R2 {r2}")
        lines += [f"        note: {note}" for note in data.get("notes", [])]
    lines.append(f"folder  {folder}")
    if (report := folder / f"{notebook.stem}.html").exists():
        lines.append(f"report  {report}")
    return "\n".join(map(printable, lines))


if __name__ == "__main__":
    main()
