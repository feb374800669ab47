"""Where everything that daybook writes is kept: `DAYBOOK_HOME`, by default `runs/` in the repository."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def home() -> Path:
    """The folder that holds the run folders, the trial store, the cache and Prefect's data, made if absent."""
    folder = Path(os.environ.get("DAYBOOK_HOME") or REPOSITORY / "runs").expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def subfolder(name: str) -> Path:
    """A folder of this name in `home()`, made if absent."""
    folder = home() / name
    folder.mkdir(exist_ok=True)
    return folder


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader sees it whole or not at all, and a crash leaves the old one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        # Of a full disk a write names no file.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
