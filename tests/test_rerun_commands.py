"""Commands that run a notebook again, read back by the shell's rules and by the option parser of `daybook run`."""

import shlex

import pytest

from helpers import command_line, masking, parameters
from helpers.rerun_commands import rerun_command

CELL = """
text: str = ""
count: int = 1
share: float = 0.5
is_on: bool = False
options: dict = {}
names: list = []
"""


def read_back(command: str, write_nb) -> tuple[str, dict]:
    """The notebook's path, and the parameters as a run would check them."""
    program, verb, *words = shlex.split(command)
    assert (program, verb) == ("daybook", "run")
    with command_line.run.make_context("run", words) as context:
        given = parameters.of_options(context.params["file"], list(context.params["pairs"]))
    return str(context.params["notebook"]), parameters.checked(write_nb([], CELL), given)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"text": "sample", "count": 0, "share": 0.25, "is_on": True},
        {"text": 'it\'s $HOME `id` "a" \\ ; rm -rf / & | > *\n\ttwo lines', "names": ["it's", "$(id)"]},
        {"text": "-p", "count": -3, "share": -1e-07},
        {"text": "", "is_on": False, "options": {}, "names": []},
        {"text": "true", "names": ["true", "null", "1", "2016-02-29", "yes", None, True, 1, 1.5]},
        # What JSON writes and YAML 1.1 reads as another value.
        {"options": {"small": 1e-07, "deep": {"n_workers": 2, "large": 1e22}}},
        {"text": "käse 🧀 \u2028", "names": ["käse 🧀", "\x7f", "\x85", "\ud800"], "options": {"a: b": "c # d"}},
    ],
)
def test_a_command_gives_the_same_parameters(values, write_nb):
    """Whatever a run was given, the words that the shell makes of the command are checked to the same values."""
    command = rerun_command({"path": "notebooks/a b.ipynb", "parameters": values})
    assert read_back(command, write_nb) == ("notebooks/a b.ipynb", values)


@pytest.mark.parametrize("path", ["-p.ipynb", "/home/me/it's.ipynb", "$(id).ipynb", "a\nb.ipynb"])
def test_a_path_is_a_path(path, write_nb):
    """A notebook whose name looks like an option or like code is named as the file that it is."""
    found, _ = read_back(rerun_command({"path": path, "parameters": {"count": 2}}), write_nb)
    assert found.removeprefix("./") == path


def test_a_password_stays_masked():
    """The command has what the run recorded, from which nobody learns the password."""
    recorded = masking.mask_values({"store": "postgresql+psycopg://me:s3cret@host/db"}, {})
    command = rerun_command({"path": "n.ipynb", "parameters": recorded})
    assert masking.MASK in command
    assert "s3cret" not in command


@pytest.mark.parametrize(
    "facts", [{}, {"path": None}, {"path": ""}, {"path": 1}, {"path": "n.ipynb", "parameters": [1]}]
)
def test_a_run_that_did_not_record_it_has_no_command(facts):
    """An old run without a path, or one whose run.json holds something else, gives None."""
    assert rerun_command(facts) is None
    assert rerun_command({"path": "n.ipynb", "parameters": None}) == "daybook run n.ipynb"
