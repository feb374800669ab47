"""Make a package importable from its sources, which came with a message instead of being installed.

This module itself travels by value to where `helpers` is absent, so it needs nothing but Python and what Dask needs.
"""

import hashlib
import importlib.abc
import importlib.util
import linecache
import pickle
import sys
import zlib
from pathlib import Path

import psutil

DIGEST = "__sources_digest__"  # set on a package that is loaded: the digest of what it was loaded from
CARRIED = (".py", ".yml", ".json")
OURS = ("exceptions.py", b"class DaybookError")  # no other package called helpers has it


class SentPackage(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Finds and loads the modules of one package from memory.

    Parameters
    ----------
    package : str
        The package's name.
    files : dict of str to bytes
        Its files by their paths within the package, such as `tickets.py`; with its data, for `pkgutil.get_data`.
    digest : str
        Of these files, as `digest_of` says.
    folder : str
        Where they are at the sender: its tracebacks, which may be read there, name them so.
    """

    def __init__(self, package: str, files: dict[str, bytes], digest: str, folder: str):
        self.package, self.files, self.digest, self.folder = package, files, digest, Path(folder)

    def __getstate__(self) -> dict:
        # A quarter of the bytes, for each of the workers.
        return self.__dict__ | {"files": zlib.compress(pickle.dumps(self.files))}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state | {"files": pickle.loads(zlib.decompress(state["files"]))})

    def find_spec(self, fullname: str, path=None, target=None):
        """The spec of a module of the package, None for all others."""
        try:
            filename = Path(self.get_filename(fullname))
        except ImportError:
            return None
        inner = [str(filename.parent)] if filename.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(fullname, filename, loader=self, submodule_search_locations=inner)

    def get_filename(self, fullname: str) -> str:
        """Where the module's source is at the sender."""
        package, *parts = fullname.split(".")
        if package == self.package:
            for name in ("/".join([*parts, "__init__.py"]), "/".join(parts) + ".py"):
                if name in self.files:
                    return str(self.folder / name)
        raise ImportError(f"no module {fullname!r} was sent", name=fullname)

    def get_data(self, path: str) -> bytes:
        """The content of a file of the package."""
        try:
            return self.files[Path(path).relative_to(self.folder).as_posix()]
        except (KeyError, ValueError):
            raise FileNotFoundError(2, "was not sent", str(path)) from None

    def exec_module(self, module) -> None:
        """Run the module, and let tracebacks show its lines."""
        super().exec_module(module)
        source = self.get_source(module.__name__)
        # No time of change: no file of this name, if there is one here, is to be looked at.
        linecache.cache[module.__file__] = (len(source), None, source.splitlines(keepends=True), module.__file__)


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a package that are worth sending, by their paths in its folder."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.suffix in CARRIED}
    return {
        name.as_posix(): path.read_bytes()
        for name, path in found.items()
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in name.parts)
    }


def digest_of(files: dict[str, bytes]) -> str:
    """A digest of the files' names and contents."""
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


def install(sent: SentPackage) -> bool:
    """Have this process import the package as it was sent, instead of an older copy of it.

    Parameters
    ----------
    sent : SentPackage
        Where the same is here already, installed or sent, all is left as it is. What is loaded of another copy is
        dropped from `sys.modules`, and imported anew when it is next asked for.

    Returns
    -------
    bool
        Whether it is imported from memory now.

    Raises
    ------
    ImportError
        When somebody else's package of this name is here.
    """
    loaded = sys.modules.get(sent.package)
    spec = getattr(loaded, "__spec__", None) or importlib.util.find_spec(sent.package)
    if spec is not None and _digest_here(spec, loaded, sent) == sent.digest:
        setattr(importlib.import_module(sent.package), DIGEST, sent.digest)
        return is_sent(spec.loader)
    _replace(sent)
    setattr(importlib.import_module(sent.package), DIGEST, sent.digest)
    return True


def supply(sent: SentPackage) -> bool:
    """Have this process import somebody else's package as it was sent, if it is not installed here.

    Returns
    -------
    bool
        Whether it is imported from memory now.
    """
    spec = getattr(sys.modules.get(sent.package), "__spec__", None) or importlib.util.find_spec(sent.package)
    if spec is not None and not is_sent(spec.loader):
        return False
    if spec is None or spec.loader.digest != sent.digest:
        _replace(sent)
    return True


def _replace(sent: SentPackage) -> None:
    """Put it in front of all finders, and drop what is loaded of another copy."""
    rest = [finder for finder in sys.meta_path if not (is_sent(finder) and finder.package == sent.package)]
    sys.meta_path[:] = [sent, *rest]
    for name in [name for name in sys.modules if name.partition(".")[0] == sent.package]:
        del sys.modules[name]


def is_sent(loader: object) -> bool:
    """Whether it is a `SentPackage`; each time that the class travels by value, it arrives as another class."""
    return type(loader).__name__ == SentPackage.__name__


def _digest_here(spec, loaded, sent: SentPackage) -> str | None:
    """The digest of what is here and may be loaded already; None when nobody can say."""
    if is_sent(spec.loader):
        return spec.loader.digest
    folder = Path(next(iter(spec.submodule_search_locations or ()), spec.origin or ""))
    name, content = OURS
    if not (folder / name).is_file() or content not in (folder / name).read_bytes():
        if spec.origin is None and not any(folder.rglob("*.py")):
            return None  # any folder of this name in the working directory
        raise ImportError(f"another package called {sent.package} is there, in {folder}; take it off the Python path")
    if hasattr(loaded, DIGEST):
        return getattr(loaded, DIGEST)
    process = psutil.Process()
    # A worker may be forked from a process that has imported the package long before.
    began = min(p.create_time() for p in (process, process.parent()) if p)
    if loaded and any((folder / name).stat().st_mtime > began for name in files_of(folder)):
        return None  # edited since: what is loaded may be older than what is in the files
    return digest_of(files_of(folder))
