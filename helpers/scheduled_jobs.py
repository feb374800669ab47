"""What a recipe is made of: the command that one tick runs, its environment, and the secrets that neither may show."""

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from helpers.exceptions import ScheduleError
from helpers.home import home, subfolder
from helpers.masking import mask
from helpers.parameters import checked
from helpers.run_context import now
from helpers.tick_parameters import with_tick

PASSED_ON = ("DAYBOOK_STORE", "PREFECT_API_URL", "SATURN_BASE_URL", "SATURN_TOKEN", "PREFECT_API_KEY")
PASSED_ON += ("PREFECT_API_AUTH_STRING",)
_SECRET_NAME = re.compile(r"(?i)(^|_)(token|key|secret|password|passwd|auth_string)$")
MARGIN_SECONDS = 60  # daybook ends a run at its limit itself; the scheduler's own limit is for when it cannot


@dataclass(frozen=True)
class ScheduledJob:
    """A notebook that another scheduler is to run.

    Attributes
    ----------
    name : str
        Lower-case letters, digits and dashes.
    notebook : Path
        Absolute.
    given : dict of str to str
        Parameters as -p gives them.
    file : Path or None
        The YAML file of parameters, absolute; `given` goes before it.
    values : dict of str to object
        Both together.
    schedule : helpers.schedules.Schedule
    policies : helpers.policies.Policies
    """

    name: str
    notebook: Path
    given: dict[str, str]
    file: Path | None
    values: dict[str, object]
    schedule: object
    policies: object

    def arguments(self, program: str, notebook: str, file: str | None, given: dict[str, str]) -> list[str]:
        """The command of one tick as a list; the notebook's lock is taken by `daybook run` itself."""
        command = [program, "run", notebook, *(["-f", file] if file else [])]
        for name, value in given.items():
            command += ["-p", name, value]
        command += ["--scheduled-at", "now", "--overlap", self.policies.overlap]
        return command + (["--timeout", number(self.policies.timeout)] if self.policies.timeout else [])

    def local_command(self) -> tuple[list[str], list[str]]:
        """The command on this machine, and the names of the secret parameters that it reads from `secret_file`."""
        program = Path(sys.executable).parent / "daybook"
        if not program.exists():
            raise ScheduleError(f"{program}: no such program; install Daybook into this environment (make env)")
        secret = [name for name, value in self.given.items() if is_secret(name, value)]
        if secret and self.file:
            raise ScheduleError(f"-p {secret[0]} is a secret, which a recipe must not show; put it into {self.file}")
        given = {name: value for name, value in self.given.items() if name not in secret}
        file = self.secret_file("yaml") if secret else self.file
        return self.arguments(str(program), str(self.notebook), str(file) if file else None, given), secret

    def secret_file(self, kind: str) -> Path:
        """Where this machine's owner keeps what a recipe must not show: `yaml` for parameters, `env` for variables."""
        return subfolder("schedules") / f"{self.name}.{kind}"

    def environment(self) -> tuple[dict[str, str], list[str]]:
        """The variables that a run needs as they are now, and the names of those whose values are secrets."""
        known = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
        secret = [name for name, value in known.items() if is_secret(name, value)]
        shown = {name: value for name, value in known.items() if name not in secret}
        search = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        return {"DAYBOOK_HOME": str(home()), "DAYBOOK_SCHEDULE": self.name, **shown, "PATH": search}, secret


def from_options(notebook: Path, given: dict[str, str], file: Path | None, schedule, policies, name: str | None = None):
    """Check what a recipe is asked for.

    Parameters
    ----------
    notebook : Path
    given : dict of str to str
        Parameters of the command line.
    file : Path or None
        A YAML mapping of more parameters.
    schedule : helpers.schedules.Schedule
    policies : helpers.policies.Policies
    name : str, optional
        By default the notebook's stem.

    Returns
    -------
    ScheduledJob

    Raises
    ------
    ScheduleError
        When the notebook is missing, or a policy is one that `daybook serve` alone has.
    ParameterError
        When a parameter is unknown, missing or of another type.
    """
    if not notebook.is_file():
        raise ScheduleError(f"{notebook}: no such notebook; give the path of an .ipynb file")
    notebook, file = notebook.resolve(), file.resolve() if file else None
    served = {"keep": policies.keep, "keep-days": policies.keep_days, "notify": policies.notify}
    if policies.missed == "all":
        raise ScheduleError("--missed all is done by daybook serve alone; give latest or skip")
    if used := [option for option, value in served.items() if value]:
        raise ScheduleError(f"--{used[0]} is done by daybook serve alone; a printed recipe runs 'daybook run'")
    texts = [str(notebook), str(file or ""), str(Path.cwd()), str(home()), sys.executable]
    if broken := [text for text in texts if not text.isprintable()]:
        raise ScheduleError(f"{broken[0]!r}: a path with control characters fits into no recipe; move it")
    slug = re.sub(r"[^a-z0-9]+", "-", (name or notebook.stem).lower()).strip("-")[:40].strip("-") or "notebook"
    values = (_read(file) if file else {}) | given
    checked(notebook, with_tick(notebook, values, now()))  # as the first tick will
    return ScheduledJob(slug, notebook, given, file, values, schedule, policies)


def _read(file: Path) -> dict:
    import yaml

    try:
        found = yaml.safe_load(file.read_text()) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScheduleError(f"{file}: {' '.join(str(error).split())[:200]}; give a YAML mapping") from None
    if not isinstance(found, dict):
        raise ScheduleError(f"{file}: a mapping of parameters is expected, such as 'batch_size: 0'")
    return found


def is_secret(name: str, value: str) -> bool:
    """Whether a recipe must not show this value: its name says so, or it holds a password."""
    return bool(_SECRET_NAME.search(name)) or mask(value) != value


def as_text(value: object) -> str:
    """A value as -p takes it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def number(seconds: float) -> str:
    """Seconds without an exponent, and without a fraction that is none."""
    return str(int(seconds)) if seconds == int(seconds) else f"{seconds:.3f}"
