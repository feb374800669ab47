"""Recipes for containers: decoded by kubectl's own types where it is there, and held to the published fields."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from helpers.exceptions import ScheduleError
from helpers.home import REPOSITORY
from helpers.schedule_commands import schedule

NOTEBOOK = REPOSITORY / "notebooks" / "evaluate_ticket_model.ipynb"
NASTY = '50% of "it\'s" $(HOME) $$ \\ é\nline: [2'
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}

# The fields of Saturn's JobSpec in its API client, version 2026.02.01; SecretAttachmentRecipe and
# ExternalRepoAttachmentRecipe in short.
SATURN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "spec"],
    "properties": {
        "schema_version": {"const": "2025.10.01"},
        "type": {"const": "job"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "image", "instance_type", "command"],
            "properties": {
                "name": {"type": "string", "pattern": "^[-a-zA-Z0-9]+$"},
                "description": {"type": "string", "maxLength": 2048},
                "image": {"type": "string"},
                "instance_type": {"type": "string"},
                "environment_variables": STRINGS,
                "working_directory": {"type": "string"},
                "start_script": {"type": "string"},
                "git_repositories": {"type": "array", "items": {"type": "object", "required": ["url"]}},
                "secrets": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["location", "attachment_type"],
                        "properties": {
                            "name": {"type": "string"},
                            "location": {"type": "string"},
                            "attachment_type": {"enum": ["environment_variable", "file"]},
                        },
                    },
                },
                "command": {"type": "string", "minLength": 1},
                "schedule": {"type": "string"},
                "concurrency_policy": {"enum": ["Allow", "Forbid", "Replace"]},
                "retries": {"type": "integer", "minimum": 0},
            },
        },
    },
}


def printed(*arguments: object, image: str | None = "registry.example/daybook:1") -> str:
    """What `daybook schedule` prints for the evaluation notebook; an expected failure is raised."""
    given = [NOTEBOOK, *arguments, *(["--image", image] if image else [])]
    result = CliRunner().invoke(schedule, list(map(str, given)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def cron_job(*arguments: object) -> dict:
    """The CronJob that is printed."""
    claim, job = yaml.safe_load_all(printed(*arguments, "--print", "kubernetes"))
    assert (claim["kind"], job["kind"], job["apiVersion"]) == ("PersistentVolumeClaim", "CronJob", "batch/v1")
    return job


def is_within(part: object, whole: object) -> bool:
    """Whether all that one document says is in another, which may say more."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and is_within(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) == len(whole) and all(map(is_within, part, whole))
    return part == whole


def through_kubectl(text: str, folder: Path) -> dict:
    """A CronJob as kubectl's own types hold it after decoding: fields that they do not have are gone."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    (folder / "job.yaml").write_text(text)
    asked = ["kubectl", "set", "env", "--local", "-f", folder / "job.yaml", "SEEN=yes", "-o", "json"]
    environment = os.environ | {"KUBECONFIG": os.devnull, "HOME": str(folder)}
    done = subprocess.run(asked, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_kubectl_knows_every_field(tmp_path, monkeypatch):
    """kubectl decodes the CronJob into its types without losing a field."""
    monkeypatch.setenv("SATURN_TOKEN", "t0psecret")
    given = ["-p", "source", NASTY, "-p", "store", "postgresql://me:t0psecret@host/db", "--retries", "2"]
    job = cron_job(*given, "--cron", "0 6 * * 7", "--timezone", "Europe/Berlin", "--timeout", "10m")
    decoded = through_kubectl(yaml.safe_dump(job), tmp_path)
    decoded["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["env"].pop()  # SEEN
    assert is_within(job, decoded)


def test_kubectl_drops_what_it_does_not_know(tmp_path):
    """The check of the test above does fail on a misspelt field."""
    job = cron_job("--every", "5m")
    job["spec"]["timezone"] = job["spec"].pop("timeZone")
    decoded = through_kubectl(yaml.safe_dump(job), tmp_path)
    decoded["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["env"].pop()
    assert not is_within(job, decoded)


def test_the_cron_job_says_what_was_asked():
    """Schedule, zone, limits and policies arrive in the CronJob's fields."""
    given = ["-p", "source", NASTY, "--retries", "2", "--timeout", "10m"]
    spec = cron_job(*given, "--cron", "0 6 * * sun", "--timezone", "Europe/Berlin")["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("0 6 * * 0", "Europe/Berlin", "Forbid")
    # The last tick before an outage ended is at most a week old, and an hour more where clocks go back.
    assert 7 * 86400 <= spec["startingDeadlineSeconds"] <= 7 * 86400 + 3600
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 2
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["activeDeadlineSeconds"]) == ("Never", 660)
    (container,) = pod["containers"]
    assert container["workingDir"] == "/daybook"
    # Kubernetes makes $ of $$.
    assert [word.replace("$$", "$") for word in container["command"]] == [
        *["daybook", "run", "/daybook/notebooks/evaluate_ticket_model.ipynb", "-p", "source", NASTY],
        *["--scheduled-at", "now", "--overlap", "skip", "--timeout", "600"],
    ]
    assert {"name": "DAYBOOK_HOME", "value": "/daybook/runs"} in container["env"]
    assert {"name": "home", "mountPath": "/daybook/runs"} in container["volumeMounts"]


def test_missed_and_overlap_in_kubernetes():
    """`skip` gives up a tick that is late; a minute's outage never counts as too many; `queue` lets pods wait."""
    assert cron_job("--every", "1m", "--missed", "skip")["spec"]["startingDeadlineSeconds"] == 30
    assert cron_job("--every", "1m")["spec"]["startingDeadlineSeconds"] == 60
    # Eight hours of minutes a day are 480 ticks: the deadline stays below the 100 at which Kubernetes gives up.
    assert cron_job("--cron", "* 9-16 * * *")["spec"]["startingDeadlineSeconds"] == 90 * 60
    assert cron_job("--every", "1m", "--overlap", "queue")["spec"]["concurrencyPolicy"] == "Allow"


@pytest.mark.parametrize("kind", ["kubernetes", "saturn"])
def test_secrets_are_referred_to(kind, monkeypatch):
    """Secrets stand in no recipe; a Secret, or Saturn's, is named instead."""
    monkeypatch.setenv("PREFECT_API_KEY", "t0psecret")
    monkeypatch.setenv("DAYBOOK_STORE", "postgresql+psycopg://me:t0psecret@host/db")
    text = printed("--every", "5m", "--print", kind)
    assert "t0psecret" not in text
    *_, document = yaml.safe_load_all(text)
    if kind == "saturn":
        assert [each["location"] for each in document["spec"]["secrets"]] == ["DAYBOOK_STORE", "PREFECT_API_KEY"]
        return
    (container,) = document["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    reference = {"secretKeyRef": {"name": "daybook-evaluate-ticket-model", "key": "DAYBOOK_STORE"}}
    assert {"name": "DAYBOOK_STORE", "valueFrom": reference} in container["env"]
    assert "--from-file=DAYBOOK_STORE --from-file=PREFECT_API_KEY" in text


def test_secret_parameters_are_mounted():
    """A parameter with a password is read from a mounted file; a password in a YAML file is found, too."""
    job = cron_job("-p", "store", "postgresql://me:t0psecret@host/db", "-p", "seed", "3", "--every", "5m")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    command = pod["containers"][0]["command"]
    assert command[3:8] == ["-f", "/etc/daybook/parameters.yaml", "-p", "seed", "3"]
    assert "t0psecret" not in yaml.safe_dump(job)
    assert pod["volumes"][1]["secret"]["secretName"] == "daybook-evaluate-ticket-model"


def test_what_is_of_this_machine_alone_stays_here(monkeypatch):
    """A server on loopback and a store in a file are not there in a pod, so they are left out."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setenv("DAYBOOK_STORE", "/somewhere/trials.sqlite")
    text = printed("--every", "5m", "--print", "kubernetes")
    assert "127.0.0.1" not in text
    assert "/somewhere" not in text
    assert str(REPOSITORY) not in text
    assert "Without PREFECT_API_URL" in text
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    text = printed("--every", "5m", "--print", "kubernetes")
    assert "value: http://prefect.example/api" in text
    assert "Without PREFECT_API_URL" not in text


def test_saturn_recipe():
    """The job has only fields of Saturn's JobSpec, and its command gives the value back through a shell."""
    text = printed("-p", "source", NASTY, "--cron", "0 6 * * *", "--retries", "1", "--print", "saturn")
    recipe = yaml.safe_load(text)
    jsonschema.validate(recipe, SATURN)
    spec = recipe["spec"]
    assert (spec["schedule"], spec["retries"], spec["concurrency_policy"]) == ("0 6 * * *", 1, "Forbid")
    assert shlex.split(spec["command"])[:6] == [
        *["daybook", "run", "/home/jovyan/workspace/daybook/notebooks/evaluate_ticket_model.ipynb"],
        *["-p", "source", NASTY],
    ]


@pytest.mark.parametrize("kind", ["kubernetes", "saturn"])
def test_refusals(kind, write_nb):
    """A missing image, a schedule that needs two lines and a notebook outside the repository are one line each."""
    with pytest.raises(ScheduleError, match="--image"):
        printed("--every", "5m", "--print", kind, image=None)
    with pytest.raises(ScheduleError, match="one cron line"):
        printed("--every", "90m", "--print", kind)
    with pytest.raises(ScheduleError, match="absolute"):
        printed("--every", "5m", "--print", kind, "--workdir", "here")
    outside = write_nb(["1"])
    asked = [str(outside), "--every", "5m", "--print", kind, "--image", "x"]
    with pytest.raises(ScheduleError, match="outside"):
        CliRunner().invoke(schedule, asked, catch_exceptions=False)


def test_saturn_has_no_zones():
    """A schedule in a zone would fire at other times on Saturn, so it is refused."""
    with pytest.raises(ScheduleError, match="Europe/Berlin"):
        printed("--cron", "0 6 * * *", "--timezone", "Europe/Berlin", "--print", "saturn")
