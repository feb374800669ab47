"""Recipes for one machine: read by cron's and systemd's own parsers, and run by the shell that cron uses."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers import recipes
from helpers.exceptions import ScheduleError
from helpers.schedule_commands import schedule

NASTY = '50% of "it\'s" $HOME `id` \\% \\ %% é;'
CELL = "import os\nassert os.environ['DAYBOOK_SCHEDULE'] == 'tiny'\nassert os.getcwd().endswith('work dir 100%')"
DAEMON = "/usr/sbin/cron"


@pytest.fixture
def notebook(write_nb, tmp_path, monkeypatch) -> Path:
    """A tiny notebook in a folder with a nasty name; the home and the working directory have such names, too."""
    for name in ("it's a $folder", "work dir 100%"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "the home 5%"))
    monkeypatch.chdir(tmp_path / "work dir 100%")
    return write_nb([CELL], "text: str = ''\ncount: int = 1", name="it's a $folder/tiny.ipynb")


def printed(*arguments: object) -> str:
    """What `daybook schedule` prints; an expected failure is raised."""
    result = CliRunner().invoke(schedule, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def crontab_line(text: str) -> str:
    """The only line of a crontab that is no comment."""
    (line,) = [line for line in text.splitlines() if not line.startswith("#")]
    return line


def needs(program: str, package: str) -> None:
    """Skip without a program."""
    if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/lib/systemd"):
        pytest.skip(f"{program} is not installed (Debian: apt-get install {package})")


def check_crontab(text: str, folder: Path) -> subprocess.CompletedProcess:
    """Have Debian's crontab check a crontab's syntax."""
    needs("crontab", "cron")
    (folder / "crontab").write_text(text)
    # -n checks alone in Debian 12's, -T in later ones; there -n is something else.
    flag = "-T" if "-T" in subprocess.run(["crontab", "-h"], capture_output=True, text=True).stderr else "-n"
    return subprocess.run(["crontab", flag, str(folder / "crontab")], capture_output=True, text=True)


@pytest.mark.parametrize("when", [("--every", "5m"), ("--every", "90m"), ("--cron", "5/20 0 * jan,mar fri-mon")])
def test_crontab_takes_the_recipe(notebook, tmp_path, when):
    """Debian's crontab finds no fault in what is printed, whatever stands in paths and values."""
    checked = check_crontab(printed(notebook, "-p", "text", NASTY, *when, "--print", "cron"), tmp_path)
    assert checked.returncode == 0, checked.stderr


def test_crontab_refuses_a_wrong_line(tmp_path):
    """The check of the test above does fail: minute 61 does not exist."""
    assert check_crontab("61 * * * * true\n", tmp_path).returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("drops_backslash", [True, False], ids=["backslash dropped", "backslash kept"])
def test_cron_command_runs(notebook, tmp_path, prefect, drops_backslash):
    """cron's shell runs the line from a bare environment: the value arrives as it was, whichever cron it is."""
    text = printed(notebook, "-p", "text", NASTY, "--every", "1m", "--timeout", "90s", "--print", "cron")
    command = crontab_line(text).split(" ", 5)[5]
    assert not re.search(r"(?<!\\)%", command)  # cron would end the command there
    command = command.replace("\\%", "%") if drops_backslash else command
    bare = {"HOME": str(tmp_path), "LOGNAME": "me", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", "-c", command], env=bare, cwd="/", capture_output=True, text=True)
    log = (tmp_path / "the home 5%/schedules/tiny.log").read_text()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), log  # nothing to mail
    (record,) = (tmp_path / "the home 5%").glob("*-tiny-*/run.json")
    facts = json.loads(record.read_text())
    assert (facts["state"], facts["parameters"]) == ("completed", {"text": NASTY})
    assert facts["scheduled_at"]
    assert facts["schedule"] == "tiny"


@pytest.mark.slow
def test_cron_mails_failures_alone(notebook, write_nb, tmp_path, prefect):
    """A failed run leaves one line for cron's mail, with the log's place and the exit code; a skipped one none."""
    waits = "import pathlib, time\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.1)\n1 / 0"
    write_nb([waits], name="it's a $folder/tiny.ipynb")
    command = crontab_line(printed(notebook, "--every", "1m", "--print", "cron")).split(" ", 5)[5].replace("\\%", "%")
    with subprocess.Popen(["/bin/sh", "-c", command], stdout=subprocess.PIPE, text=True) as first:
        deadline = time.monotonic() + 60
        while not [*(tmp_path / "the home 5%").glob("*-tiny-*/tiny.ipynb")] and time.monotonic() < deadline:
            time.sleep(0.1)
        second = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True)
        Path("go").touch()
        said = first.communicate(timeout=60)[0]
    assert (second.returncode, second.stdout) == (0, "")  # skipped
    assert re.fullmatch(r"daybook: schedule tiny failed, see .*/tiny\.log; exit code 1\n", said)
    assert first.returncode == 1


@pytest.mark.slow
def test_a_real_cron_runs_the_recipe(notebook, tmp_path, prefect):
    """Debian's cron itself, in a mount and process namespace of its own, runs the line at the next full minute."""
    needs("cron", "cron")
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0 or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("needs root and the capability to make namespaces, so as not to touch this machine's crontabs")
    (tmp_path / "crontab").write_text(printed(notebook, "-p", "text", NASTY, "--every", "1m", "--print", "cron"))
    (tmp_path / "empty").touch()
    hidden = ["/run", "/etc/cron.d", "/var/spool/cron/crontabs"]
    script = [f"mount -t tmpfs none {folder}" for folder in hidden]
    script += [f"mount --bind {tmp_path}/empty /etc/crontab", "chown root:crontab /var/spool/cron/crontabs"]
    script += ["chmod 1730 /var/spool/cron/crontabs", f"crontab {tmp_path}/crontab", f"exec {DAEMON} -f"]
    daemon = subprocess.Popen([*apart, "/bin/sh", "-ec", "\n".join(script)], stderr=subprocess.PIPE, text=True)
    try:
        states = []
        deadline = time.monotonic() + 100
        while "completed" not in states and time.monotonic() < deadline and daemon.poll() is None:
            time.sleep(0.5)
            found = [
                json.loads(path.read_text()) for path in (tmp_path / "the home 5%").glob("*-tiny-????????/run.json")
            ]
            states = [facts["state"] for facts in found]
    finally:
        daemon.kill()  # the first process of its namespace: all others end with it
        said = daemon.communicate()[1]
    assert "completed" in states, said
    assert found[states.index("completed")]["parameters"] == {"text": NASTY}


def test_cron_in_another_zone(notebook, tmp_path, monkeypatch):
    """Times that this machine's cron would read in another zone are refused; what is the same in both is printed."""
    berlin = Path("/usr/share/zoneinfo/Europe/Berlin")
    if not berlin.exists():
        pytest.skip("the system has no zones (Debian: apt-get install tzdata)")
    monkeypatch.setattr(recipes, "LOCAL_TIME", berlin)
    with pytest.raises(ScheduleError, match=r"zone, Europe/Berlin, not in UTC; use --print systemd"):
        printed(notebook, "--cron", "0 6 * * *", "--print", "cron")
    line = crontab_line(printed(notebook, "--cron", "0 6 * * *", "--timezone", "Europe/Berlin", "--print", "cron"))
    assert line.startswith("0 6 * * * cd ")
    assert crontab_line(printed(notebook, "--cron", "*/5 * * * *", "--print", "cron")).startswith("*/5 * * * * cd ")
    assert "midnight of this machine's zone, Europe/Berlin" in printed(notebook, "--every", "12h", "--print", "cron")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["-p", "text", "x" * 900], "998 bytes"),
        (["-p", "text", "two\nlines"], "no line break"),
        (["--retries", "2"], "--retries"),
        (["--missed", "all"], "daybook serve"),
        (["--keep", "5"], "--keep"),
        (["-p", "txt", "x"], "no parameter 'txt'"),
    ],
)
def test_cron_refusals(notebook, given, named):
    """What a crontab cannot hold or `daybook run` does not do is refused in one line, before anything is printed."""
    with pytest.raises(Exception, match=re.escape(named)) as refused:
        printed(notebook, *given, "--every", "5m", "--print", "cron")
    assert "\n" not in str(refused.value)


def test_parameters_from_a_file(notebook, tmp_path):
    """A file of parameters is read at each run, so its path stands in the recipe, and not what is in it."""
    (tmp_path / "given.yaml").write_text("text: " + "x" * 900)
    line = crontab_line(printed(notebook, "-f", tmp_path / "given.yaml", "--every", "5m", "--print", "cron"))
    assert f"-f {tmp_path}/given.yaml " in line
    assert "xxx" not in line


@pytest.mark.parametrize("kind", ["cron", "systemd"])
def test_secrets(notebook, kind, monkeypatch):
    """Passwords and tokens stand in no recipe; comments say which file, for the owner alone, they belong into."""
    monkeypatch.setenv("SATURN_TOKEN", "t0psecret")
    monkeypatch.setenv("DAYBOOK_STORE", "postgresql+psycopg://me:t0psecret@host/db")
    monkeypatch.setenv("SATURN_BASE_URL", "https://saturn.example")
    given = ["-p", "text", "https://me:t0psecret@host/log.zip", "-p", "count", "2"]
    text = printed(notebook, *given, "--every", "5m", "--print", kind)
    assert "t0psecret" not in text
    assert "https://saturn.example" in text
    for expected in ("DAYBOOK_STORE='VALUE'", "SATURN_TOKEN='VALUE'", "text: 'VALUE'", "install -m 600", "tiny.env"):
        assert expected in text
    assert "schedules/tiny.yaml" in text


@pytest.mark.slow
def test_secrets_arrive(notebook, tmp_path, prefect, monkeypatch, write_nb):
    """With its two files written as the comments say, the line runs, and the secrets arrive."""
    cell = "import os\nfrom helpers.masking import reveal\nassert os.environ['SATURN_TOKEN'] == \"it's a $ecret\""
    cell += "\nassert reveal(text) == 'https://me:pw@host/'"
    write_nb([cell], "text: str = ''", name="it's a $folder/tiny.ipynb")
    monkeypatch.setenv("SATURN_TOKEN", "it's a $ecret")
    text = printed(notebook, "-p", "text", "https://me:pw@host/", "--every", "5m", "--print", "cron")
    folder = tmp_path / "the home 5%/schedules"
    (folder / "tiny.env").write_text("SATURN_TOKEN='it'\\''s a $ecret'\n")
    (folder / "tiny.yaml").write_text("text: 'https://me:pw@host/'\n")
    bare = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = crontab_line(text).split(" ", 5)[5].replace("\\%", "%")
    done = subprocess.run(["/bin/sh", "-c", command], env=bare, capture_output=True, text=True)
    assert done.returncode == 0, (folder / "tiny.log").read_text()


def units(text: str, folder: Path) -> tuple[Path, Path]:
    """The service and the timer of a recipe, saved under the names that it says."""
    parts = re.split(r"(?m)^# ~/\.config/systemd/user/(\S+)\n", text)
    assert [parts[0], parts[1], parts[3]] == ["", "daybook-tiny.service", "daybook-tiny.timer"]
    folder.mkdir()
    for name, part in zip(parts[1::2], parts[2::2], strict=True):
        (folder / name).write_text(part)
    return folder / parts[1], folder / parts[3]


def verify(*paths: Path) -> subprocess.CompletedProcess:
    """What systemd says of unit files."""
    needs("systemd-analyze", "systemd")
    place = os.environ | {"XDG_RUNTIME_DIR": str(paths[0].parent)}
    return subprocess.run(["systemd-analyze", "verify", "--user", *paths], capture_output=True, text=True, env=place)


@pytest.mark.parametrize("when", [("--cron", "0 6 1,15 * 5"), ("--every", "7m"), ("--every", "90s")], ids=str)
def test_systemd_takes_the_recipe(notebook, tmp_path, when):
    """systemd-analyze verify finds no fault in the units and knows every key in them."""
    text = printed(notebook, "-p", "text", NASTY, *when, "--timeout", "10m", "--print", "systemd")
    checked = verify(*units(text, tmp_path / "units"))
    assert (checked.returncode, checked.stderr) == (0, "")


def test_systemd_refuses_a_wrong_unit(notebook, tmp_path):
    """The check of the test above does fail on a misspelt key."""
    service, _ = units(printed(notebook, "--every", "5m", "--print", "systemd"), tmp_path / "units")
    service.write_text(service.read_text().replace("KillMode", "KilMode"))
    assert "KilMode" in verify(service).stderr


def test_systemd_reads_what_was_meant(notebook, tmp_path, monkeypatch):
    """systemd's own dump of the loaded service has the command, folder and variables as they are."""
    needs("systemd", "systemd")
    if os.geteuid() != 0 or not shutil.which("runuser"):
        pytest.skip("systemd's test mode runs as another user, which needs root and runuser")
    monkeypatch.setenv("SATURN_BASE_URL", 'https://h/a b?50%#"$x\\')
    text = printed(notebook, "-p", "text", NASTY, "--every", "5m", "--timeout", "10m", "--print", "systemd")
    folder = Path("/tmp") / f"daybook-units-{os.getpid()}"  # tmp_path is for its owner alone
    try:
        units(text, folder)
        shutil.chown(folder, "nobody")
        environment = {"XDG_RUNTIME_DIR": str(folder), "SYSTEMD_UNIT_PATH": f"{folder}:", "LANG": "C.UTF-8"}
        given = [f"{name}={value}" for name, value in environment.items()]
        asked = ["/lib/systemd/systemd", "--test", "--user", "--unit=daybook-tiny.timer"]
        done = subprocess.run(["runuser", "-u", "nobody", "--", "env", *given, *asked], capture_output=True, text=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    dump = re.search(r"-> Unit daybook-tiny\.service:\n(.*?)-> Unit ", done.stdout + "-> Unit ", re.DOTALL)[1]
    quoted = re.search(r"Command Line: (.*)", dump)[1]  # for a shell
    command = subprocess.check_output(["/bin/sh", "-c", f"printf '%s\\0' {quoted}"], text=True).split("\0")[:-1]
    # The dump is from before $$ becomes $, which happens when a command is started; a single $ is a variable.
    meant = [
        "run",
        str(notebook),
        "-p",
        "text",
        NASTY,
        "--scheduled-at",
        "now",
        "--overlap",
        "skip",
        "--timeout",
        "600",
    ]
    assert command[0] == str(Path(sys.executable).parent / "daybook")
    assert command[1:] == [word.replace("$", "$$") for word in meant]
    assert re.search(r"WorkingDirectory: (.*)", dump)[1] == str(Path.cwd())
    variables = re.findall(r"\t\tEnvironment: (.*)", dump)
    assert f"DAYBOOK_HOME={os.environ['DAYBOOK_HOME']}" in variables
    assert f"SATURN_BASE_URL={os.environ['SATURN_BASE_URL']}" in variables
    assert "TimeoutStartSec: 11min" in dump


def test_systemd_policies(notebook):
    """`latest` makes up for a missed tick and `skip` does not; a tick cannot queue, so that is refused."""
    asked = [notebook, "--cron", "0 6 * * *", "--print", "systemd"]
    assert "Persistent=true" in printed(*asked)
    assert "Persistent=false" in printed(*asked, "--missed", "skip")
    with pytest.raises(ScheduleError, match="--print cron"):
        printed(*asked, "--overlap", "queue")
