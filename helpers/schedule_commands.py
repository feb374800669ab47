"""The commands of schedules: `serve`, `schedule`, `backfill`, `status` and `replay`; as thin as `command_line`."""

import json
import sys
from pathlib import Path

import click

from helpers import parameters
from helpers.terminal import print_table, printable

WHEN = [
    click.option("--every", metavar="DURATION", help="An interval: 60s, 5m, 12h, 1d."),
    click.option("--cron", metavar="LINE", help="Five fields: minute hour day month weekday."),
    click.option("--rrule", metavar="RULE", help="An iCalendar rule, such as FREQ=WEEKLY;BYDAY=MO;BYHOUR=6."),
    click.option("--timezone", metavar="ZONE", help="Where --cron and --rrule are read; UTC by default."),
]
WHAT = [
    click.option("-p", "pairs", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter; repeat for more."),
    click.option(
        "-f", "file", type=click.Path(path_type=Path), metavar="FILE", help="A YAML file of parameters; -p goes before."
    ),
]
POLICIES = [
    click.option(
        "--overlap",
        type=click.Choice(["skip", "queue"]),
        default="skip",
        show_default=True,
        help="What a tick does while a run of the notebook is going.",
    ),
    click.option(
        "--missed",
        type=click.Choice(["latest", "skip", "all"]),
        default="latest",
        show_default=True,
        help="Which ticks of an outage run afterwards; the others are recorded as missed.",
    ),
    click.option("--retries", type=click.IntRange(min=0), default=0, metavar="N", help="More attempts at a tick."),
    click.option("--retry-delay", default="10s", metavar="DURATION", help="Before the first retry; doubles each time."),
    click.option("--retry-cap", default="10m", metavar="DURATION", help="What the delay grows to at most."),
    click.option("--timeout", metavar="DURATION", help="Limit on each run as a whole."),
    click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep so many run folders; trials stay."),
    click.option("--keep-days", type=click.FloatRange(min=0, min_open=True), metavar="D", help="Keep folders so long."),
    click.option("--notify", multiple=True, metavar="URL", help="An Apprise URL for notices; repeat for more."),
]


def options(*groups):
    """Decorate a command with the options of these groups, in their order."""

    def decorate(command):
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


@click.command()
@click.option("--store", default="", metavar="URL", help="The whole URL of a store that trials know without password.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(store, as_json) -> None:
    """Store the trials that wait because their store was down, locked or full; exit code 1 while any is left.

    Example: daybook replay
    """
    from dataclasses import asdict

    from helpers.unstored_trials import replay as replay_trials

    told = replay_trials(store)
    if as_json:
        print(json.dumps([asdict(each) for each in told]))
    elif not told:
        print("no trial waits for its store")
    else:
        rows = [[each.trial, "stored" if each.stored else "waits", each.why] for each in told]
        print_table(["trial", "state", "why"], rows)
    sys.exit(0 if all(each.stored for each in told) else 1)


@click.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@options(WHAT, WHEN, POLICIES)
@click.option("--name", metavar="NAME", help="Of the schedule; by default the notebook's name.")
@click.option("--print", "kind", type=click.Choice(["cron", "systemd", "kubernetes", "saturn"]), required=True)
@click.option("--image", metavar="IMAGE", help="kubernetes, saturn: holds the repository and its environment.")
@click.option("--workdir", metavar="PATH", help="The repository's folder in the image.")
@click.option(
    "--instance-type", default="large", show_default=True, metavar="SIZE", help="saturn: of the job's machine."
)
def schedule(
    notebook, pairs, file, every, cron, rrule, timezone, name, kind, image, workdir, instance_type, **policies
) -> None:
    """Print a recipe with which cron, systemd, Kubernetes or Saturn Cloud runs a notebook once a tick.

    Example: daybook schedule notebooks/evaluate_ticket_model.ipynb --cron "*/5 * * * *" --print systemd
    """
    from helpers import container_recipes, recipes, scheduled_jobs
    from helpers.policies import parse as parse_policies
    from helpers.schedules import parse

    chosen, given = parse(every, cron, rrule, timezone), parameters.of_options(None, list(pairs))
    job = scheduled_jobs.from_options(notebook, given, file, chosen, parse_policies(policies), name)
    if kind in ("cron", "systemd"):
        recipe = getattr(recipes, kind)(job)
    else:
        folder = workdir or container_recipes.WORKDIRS[kind]
        container = container_recipes.Container(image, folder, instance_type)
        recipe = getattr(container_recipes, kind)(job, container)
    click.echo(recipe, nl=False)


@click.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@options(WHAT)
@click.option("--from", "start", required=True, metavar="TIME", help="Where the first window begins: 2016-03-01.")
@click.option("--to", "end", required=True, metavar="TIME", help="Where the last window ends; it is cut there.")
@click.option("--every", required=True, metavar="DURATION", help="A window: 12h, 1d, 1w, 1month, 1year.")
@click.option(
    "--parallel", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="So many at a time."
)
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="Where days and months begin.")
@click.option("--json", "as_json", is_flag=True, help="Print the windows as JSON, at the end.")
def backfill(notebook, pairs, file, start, end, every, parallel, timezone, as_json) -> None:
    """Run a notebook once for each window of tickets closed in it; windows in the trial store are not run again.

    Example: daybook backfill notebooks/evaluate_ticket_model.ipynb --from 2016-03-01 --to 2017-02-18 --every 1month
    """
    from helpers.backfill import Backfill, report

    fill = Backfill(notebook, parameters.of_options(file, list(pairs)), start, end, every, timezone)
    width = max(len(one.label(fill.zone)) for one in fill.windows)

    def say(done) -> None:
        if not as_json:
            print(printable(f"{done.window.label(fill.zone):<{width}}  {done}"), flush=True)

    outcomes = fill.run(parallel, say)
    print(json.dumps([done.described() for done in outcomes]) if as_json else report(outcomes))
    sys.exit(max(done.exit_code for done in outcomes))


@click.command()
@click.argument("target", metavar="NOTEBOOK|FILE.yaml", type=click.Path(path_type=Path))
@options(WHAT, WHEN, POLICIES)
@click.option("--name", metavar="NAME", help="Of the schedule; by default the notebook's name.")
@click.option("--warm-cluster", is_flag=True, help="Keep one local Dask cluster for runs with cluster = local.")
@click.option("--cold", is_flag=True, help="Start each run as a fresh interpreter; several seconds of CPU more a tick.")
def serve(target, pairs, file, every, cron, rrule, timezone, name, warm_cluster, cold, **policies) -> None:
    """Stay up and run a notebook, or those of a file of schedules, at each tick.

    Example: daybook serve notebooks/evaluate_ticket_model.ipynb -p source uci --every 60s
    """
    from helpers import policies as policy
    from helpers import served_notebooks
    from helpers.exceptions import ScheduleError
    from helpers.schedules import parse
    from helpers.serving import Serving

    if target.suffix in (".yaml", ".yml"):
        context = click.get_current_context()
        mine = ("target", "warm_cluster", "cold")
        more = [n for n in context.params if n not in mine and context.get_parameter_source(n).name == "COMMANDLINE"]
        if more:
            option = more[0].replace("_", "-").replace("pairs", "p")
            raise ScheduleError(
                f"{target}: a file of schedules holds all of it; write --{option} there, for its notebook"
            )
        served = served_notebooks.from_file(target)
    else:
        chosen = parse(every, cron, rrule, timezone)
        given = parameters.of_options(file, list(pairs))
        served = [served_notebooks.from_options(target, given, chosen, policy.parse(policies), name)]
    sys.exit(Serving(served, cold, warm_cluster).run())


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json) -> None:
    """Say what is scheduled, what runs now, what was last, what is next, and what is wrong; exit code 1 if anything is.

    Example: daybook status
    """
    from helpers.schedule_status import status as find_status

    found = find_status()
    if as_json:
        print(json.dumps(found))
    else:
        _print_status(found)
    sys.exit(1 if found["wrong"] else 0)


def _print_status(found: dict) -> None:

    def moment(text: str | None) -> str:
        return "-" if not text else text[:19]

    rows = [
        [
            one["name"],
            one["schedule"] or "?",
            one["state"],
            moment((one["next"] or [None])[0]) if one["state"] == "serving" else "-",
            f"{one['last']['state']} {moment(one['last']['started_at'])}" if one["last"] else "-",
            ", ".join(f"{count} {state}" for state, count in sorted(one["day"].items())) or "-",
        ]
        for one in found["schedules"]
    ]
    if rows:
        print_table(["schedule", "ticks", "state", "next (UTC)", "last run (UTC)", "last 24 hours"], rows)
    else:
        print("nothing is scheduled; schedule a notebook with: daybook serve NOTEBOOK --every 60s")
    going = [
        [run["run"], moment(run["started_at"]), f"{run['cells_done'] or 0}/{run['cells'] or '?'}"]
        for run in found["running"]
    ]
    print()
    if going:
        print_table(["running now", "since (UTC)", "cells"], going)
    else:
        print("nothing runs now")
    for sentence in found["wrong"]:
        print(f"WRONG {printable(sentence)}")
