"""Recipes for schedulers that start a container: a Kubernetes CronJob, and a job of Saturn Cloud."""

import math
import shlex
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from helpers.calendar_expressions import crontab_fields
from helpers.exceptions import ScheduleError
from helpers.home import REPOSITORY
from helpers.masking import mask
from helpers.scheduled_jobs import MARGIN_SECONDS, ScheduledJob, as_text, is_secret

WORKDIRS = {"kubernetes": "/daybook", "saturn": "/home/jovyan/workspace/daybook"}  # unless --workdir is given
SECRET_FOLDER = "/etc/daybook"
PARAMETERS_FILE = "parameters.yaml"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHORTEST_DEADLINE = 30  # seconds; Kubernetes looks every 10 s, and skips what is due for longer than the deadline
MOST_MISSED = 90  # Kubernetes gives a schedule up when it counts over 100 missed ticks within the deadline


@dataclass(frozen=True)
class Container:
    """Where the job runs.

    Attributes
    ----------
    image : str or None
        Holds the repository and its environment.
    workdir : str
        The repository's folder in it, absolute.
    instance_type : str, default "large"
        Saturn's name of a machine's size.
    """

    image: str | None
    workdir: str
    instance_type: str = "large"


def kubernetes(job: ScheduledJob, container: Container) -> str:
    """Write a CronJob and the claim of a volume for its `DAYBOOK_HOME`.

    Parameters
    ----------
    job : ScheduledJob
    container : Container

    Returns
    -------
    str
        Two YAML documents, for `kubectl apply -f`.

    Raises
    ------
    ScheduleError
        When the image is missing, the notebook is outside the repository, or a CronJob cannot say the schedule.
    """
    name, image = f"daybook-{job.name}", _image(container, "kubernetes")
    home = str(PurePosixPath(container.workdir) / "runs")
    command, variables, secret_parameters, secret_variables = _parts(job, container)
    mounts, volumes = (
        [{"name": "home", "mountPath": home}],
        [{"name": "home", "persistentVolumeClaim": {"claimName": "daybook-home"}}],
    )
    if secret_parameters:
        items = [{"key": PARAMETERS_FILE, "path": PARAMETERS_FILE}]
        mounts.append({"name": "secrets", "mountPath": SECRET_FOLDER, "readOnly": True})
        volumes.append({"name": "secrets", "secret": {"secretName": name, "items": items}})
    variables = {"DAYBOOK_HOME": home, **variables}
    references = [
        {"name": each, "valueFrom": {"secretKeyRef": {"name": name, "key": each}}} for each in secret_variables
    ]
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 30,
        **({"activeDeadlineSeconds": math.ceil(job.policies.timeout) + MARGIN_SECONDS} if job.policies.timeout else {}),
        "containers": [
            {
                "name": "daybook",
                "image": image,
                "workingDir": container.workdir,
                "command": [_unexpanded(word) for word in command],
                "env": [{"name": each, "value": _unexpanded(value)} for each, value in variables.items()] + references,
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }
    # A skipped run, code 3, is not to be tried again.
    skipped = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [3]}}
    attempts = {"backoffLimit": job.policies.retries, "podFailurePolicy": {"rules": [skipped]}}
    spec = {
        "schedule": _one_line(job, "kubernetes"),
        "timeZone": "Etc/UTC" if job.schedule.every else job.schedule.timezone,
        "concurrencyPolicy": "Forbid" if job.policies.overlap == "skip" else "Allow",
        "startingDeadlineSeconds": _starting_deadline(job),
        "jobTemplate": {"spec": {**attempts, "template": {"spec": pod}}},
    }
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    comments = [
        f"Daybook: {job.notebook.name}, {job.schedule}",
        "To install: save as daybook.yaml, then kubectl apply -f daybook.yaml (Kubernetes 1.27 or later).",
        f"The image holds this repository at {container.workdir} with 'daybook' on its PATH; paths are read in there.",
        "'daybook run' takes the notebook's lock on the volume itself; Forbid spares pods that would only skip.",
        *_server_note(job),
        *_secret_notes(name, secret_parameters, secret_variables),
    ]
    documents = [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "daybook-home"}, "spec": claim},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec},
    ]
    return _yaml(comments, documents)


def saturn(job: ScheduledJob, container: Container) -> str:
    """Write a job recipe of Saturn Cloud, for `saturn apply` or its page.

    Parameters
    ----------
    job : ScheduledJob
    container : Container

    Returns
    -------
    str
        One YAML document.

    Raises
    ------
    ScheduleError
        When the image is missing, the notebook is outside the repository, or Saturn cannot say the schedule.
    """
    image, line = _image(container, "saturn"), _one_line(job, "saturn")
    if not job.schedule.every and job.schedule.timezone not in ("UTC", "Etc/UTC"):
        raise ScheduleError(f"Saturn's schedules have no time zone, so {job.schedule.timezone} is lost; give UTC times")
    command, variables, secret_parameters, secret_variables = _parts(job, container)
    # On its own machines Saturn sets these two itself.
    variables.pop("SATURN_BASE_URL", None)
    secret_variables = [each for each in secret_variables if each != "SATURN_TOKEN"]
    if secret_parameters:
        raise ScheduleError(
            f"parameter {secret_parameters[0]} is a secret; Saturn keeps those in variables, such as DAYBOOK_STORE"
        )
    secrets = [
        {"name": each.lower().replace("_", "-"), "attachment_type": "environment_variable", "location": each}
        for each in secret_variables
    ]
    origin = _origin()
    spec = {
        "name": f"daybook-{job.name}",
        "description": f"{job.notebook.name}, {job.schedule}",
        "image": image,
        "instance_type": container.instance_type,
        "working_directory": container.workdir,
        "environment_variables": variables,
        "start_script": "pip install --require-hashes -r requirements.lock && pip install --no-deps -e .",
        **({"git_repositories": [{"url": origin, "path": container.workdir}]} if origin else {}),
        **({"secrets": secrets} if secrets else {}),
        "command": shlex.join(command),
        "schedule": line,
        "concurrency_policy": "Forbid" if job.policies.overlap == "skip" else "Allow",
        "retries": job.policies.retries,
    }
    comments = [
        f"Daybook: {job.notebook.name}, {job.schedule}",
        "To install: save as daybook.yaml, then 'saturn apply daybook.yaml' (pip install saturn-client), and",
        f"'saturn schedule daybook-{job.name}'. Or on the page: Resources, New Job, and fill in the values below.",
        "Saturn reads the schedule in UTC and has no limit on late starts: a missed tick is Saturn's to decide.",
        "A job starts on an empty disk: set DAYBOOK_STORE to a database, or its trials end with it.",
        *([] if origin else [f"Attach this repository's git address to the job, with the path {container.workdir}."]),
        *_server_note(job),
        *(f"Make the secret {each['name']} on Saturn's page: it becomes {each['location']}." for each in secrets),
    ]
    return _yaml(comments, [{"schema_version": "2025.10.01", "type": "job", "spec": spec}])


def _parts(job: ScheduledJob, container: Container) -> tuple[list[str], dict[str, str], list[str], list[str]]:
    """The command in the container, its variables, and the names of secret parameters and secret variables."""
    if not job.notebook.is_relative_to(REPOSITORY):
        raise ScheduleError(f"{job.notebook} is outside {REPOSITORY}, which the image holds; move it there")
    notebook = str(PurePosixPath(container.workdir) / job.notebook.relative_to(REPOSITORY))
    texts = {name: as_text(value) for name, value in job.values.items()}
    secret = [name for name, value in texts.items() if is_secret(name, value)]
    given = {name: value for name, value in texts.items() if name not in secret}
    file = f"{SECRET_FOLDER}/{PARAMETERS_FILE}" if secret else None
    here, secret_variables = job.environment()
    variables = {name: value for name, value in here.items() if name not in ("DAYBOOK_HOME", "PATH")}
    if "://" not in variables.get("DAYBOOK_STORE", "://"):
        del variables["DAYBOOK_STORE"]  # a file of this machine; the home on the volume holds the store then
    if urlsplit(variables.get("PREFECT_API_URL", "")).hostname in LOOPBACK:
        del variables["PREFECT_API_URL"]
    return job.arguments("daybook", notebook, file, given), variables, secret, secret_variables


def _image(container: Container, kind: str) -> str:
    if not container.image:
        raise ScheduleError(f"--print {kind} needs --image NAME, an image with this repository's environment")
    if not container.workdir.startswith("/"):
        raise ScheduleError(f"--workdir is {container.workdir}; give an absolute path in the image")
    return container.image


def _one_line(job: ScheduledJob, kind: str) -> str:
    lines = crontab_fields(job.schedule)
    if len(lines) > 1:
        raise ScheduleError(f"--print {kind} takes one cron line, '{job.schedule}' needs {len(lines)}; use systemd")
    return lines[0]


def _starting_deadline(job: ScheduledJob) -> int:
    """How late a tick may start, seconds: the last one before an outage's end is at most the longest gap old."""
    if job.policies.missed == "skip":
        return SHORTEST_DEADLINE
    ticks = job.schedule.next(datetime.now(UTC), 1500)  # a day of minutes, with the gap between two days
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(ticks)] or [SHORTEST_DEADLINE]
    return max(SHORTEST_DEADLINE, math.ceil(min(max(gaps), MOST_MISSED * min(gaps))))


def _unexpanded(text: str) -> str:
    """A text in which Kubernetes finds no $(VARIABLE)."""
    return text.replace("$", "$$")


def _server_note(job: ScheduledJob) -> list[str]:
    here, secret = job.environment()
    url = here.get("PREFECT_API_URL", "")
    if "PREFECT_API_URL" in secret or (url and urlsplit(url).hostname not in LOOPBACK):
        return []
    return ["Without PREFECT_API_URL, an address that it can reach, each run starts a Prefect server (10 to 20 s)."]


def _secret_notes(name: str, parameters: list[str], variables: list[str]) -> list[str]:
    if not parameters and not variables:
        return []
    files = [f"--from-file={PARAMETERS_FILE}"] if parameters else []
    files += [f"--from-file={variable}" for variable in variables]
    notes = ["Before it works: secrets are not printed. Write each into a file of its name (printf %s), then"]
    notes += [f"  kubectl create secret generic {name} {' '.join(files)}"]
    if parameters:
        notes += [f"{PARAMETERS_FILE} holds, each on its line: " + ", ".join(f"{each}: 'VALUE'" for each in parameters)]
    return notes


def _origin() -> str | None:
    """Where this repository was cloned from, without credentials."""
    asked = ["git", "-C", str(REPOSITORY), "remote", "get-url", "origin"]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Not a path of this machine.
    return found if found and "***" not in mask(found) and not found.startswith(("/", ".", "file:")) else None


def _yaml(comments: list[str], documents: list[dict]) -> str:
    import yaml

    text = "".join(f"# {line}\n" for line in comments)
    return text + yaml.safe_dump_all(documents, sort_keys=False, width=1000, allow_unicode=True)
