"""What can drift apart: the dependencies in three files, and what the README shows."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [Requirement(r) for r in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]]
LOCK = (REPOSITORY / "requirements.lock").read_text()
README = (REPOSITORY / "README.md").read_text()


def locked() -> dict[str, list[str]]:
    """The versions of each package in the lock: one, or one for each Python."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"(?m)^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", LOCK):
        versions.setdefault(name, []).append(version)
    return versions


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda r: r.name)
def test_lock_holds_what_the_project_asks_for(requirement):
    """Every direct dependency is locked, in a version within its range."""
    versions = locked()[requirement.name]
    assert all(requirement.specifier.contains(Version(version)) for version in versions)


def test_lock_is_whole_and_names_no_index():
    """Every entry has hashes, and no address of a package index is in the file."""
    entries = [entry for entry in re.split(r"(?m)^(?=[\w])", LOCK) if "==" in entry.split("\n")[0]]
    assert len(entries) > 150
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in LOCK
    assert "index-url" not in LOCK


def test_environment_asks_for_the_same():
    """environment.yml names each direct dependency with the range of pyproject.toml, and nothing else."""
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    asked = {r.name: r.specifier for r in map(Requirement, environment["dependencies"])}
    assert asked.pop("python") == Requirement(f"python{PROJECT['requires-python']}").specifier
    asked.pop("pip")
    assert asked == {requirement.name: requirement.specifier for requirement in REQUIREMENTS}


def test_every_module_is_imported_by_its_name_alone():
    """Importing a helper does no work: none starts a process, writes a file or pulls in Prefect or a cluster."""
    modules = [p.stem for p in (REPOSITORY / "helpers").glob("*.py") if p.stem != "__init__"]
    code = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module('helpers.' + m)\n"
    code += "print(sorted({'prefect', 'distributed', 'sklearn.metrics'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def commands() -> list[list[str]]:
    """The commands that the README shows, as words."""
    blocks = re.findall(r"```(?:bash|console|sh)\n(.*?)```", README, re.DOTALL)
    lines = [line.removeprefix("$ ").split(" #")[0] for block in blocks for line in block.splitlines()]
    return [line.split() for line in lines if line.startswith(("make ", "daybook ", ".venv/bin/daybook "))]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_readme_shows_commands_that_exist(words):
    """Each make target and each daybook command and option that the README shows is there."""
    if words[0] == "make":
        targets = re.findall(r"(?m)^([a-z]+):", (REPOSITORY / "Makefile").read_text())
        assert set(words[1:]) <= set(targets)
        return
    from click.testing import CliRunner

    from helpers.command_line import app

    verbs = [word for word in words[1:3] if re.fullmatch(r"[a-z]+", word)]
    verbs = verbs if verbs[0] in ("server", "tickets") else verbs[:1]
    shown = CliRunner().invoke(app, [*verbs, "--help"])
    assert shown.exit_code == 0, shown.output
    for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", " ".join(words)):
        assert option in shown.output


@pytest.mark.parametrize(
    "path",
    sorted(
        set(re.findall(r"\]\(([^)#:]+)\)", README))
        | set(re.findall(r"`((?:notebooks|helpers|tests)/[\w./-]*)`", README))
    ),
)
def test_readme_names_paths_that_exist(path):
    """Each file that the README links or names is in the repository."""
    assert (REPOSITORY / path).exists()


def test_readme_is_short():
    """The README is read in one go."""
    assert len(README.splitlines()) <= 200
