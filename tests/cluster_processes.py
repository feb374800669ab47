"""Real schedulers and workers, each a process of its own on loopback, and certificates for them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SCHEDULER = ("-m", "distributed.cli.dask_scheduler")
WORKER = ("-m", "distributed.cli.dask_worker")
# A scheduler that has no Bokeh; `python -c` gives it the arguments of `dask scheduler`.
WITHOUT_BOKEH = "import sys; sys.modules['bokeh'] = None\nfrom distributed.cli.dask_scheduler import main\nmain()"


@contextlib.contextmanager
def a_cluster(folder: Path, n_workers: int = 1, options: tuple[str, ...] = (), start: tuple[str, ...] | None = None):
    """A scheduler and workers: gives the scheduler's address.

    Parameters
    ----------
    folder : Path
        For what they write.
    n_workers : int, default 1
    options : tuple of str
        Added to the arguments of each.
    start : tuple of str, optional
        Python's arguments that start the scheduler instead of `dask scheduler`.
    """
    file = folder / "scheduler.json"
    scheduler = ["--port", "0", "--no-dashboard", "--scheduler-file", str(file), *options]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(_started(folder, *(start or SCHEDULER), *scheduler))
        deadline = time.monotonic() + 60
        while not (file.exists() and file.read_text().endswith("}")):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        for _ in range(n_workers):
            stack.enter_context(a_worker(address, folder, options))
        yield address


@contextlib.contextmanager
def a_worker(address: str, folder: Path, options: tuple[str, ...] = ()):
    """A worker of one thread without a nanny, which joins the scheduler at this address: gives its process."""
    arguments = [address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
    with _started(folder, *WORKER, *arguments, "--death-timeout", "30", *options) as process:
        yield process


@contextlib.contextmanager
def _started(folder: Path, *arguments: str):
    # Even without a dashboard they have a web server, by itself on every interface.
    loopback = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
    with (folder / "log").open("ab") as log:
        command = [sys.executable, *arguments, *loopback]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=folder)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Authority:
    """A certificate authority, whose file is `folder / (name + ".pem")`.

    Parameters
    ----------
    folder : Path
    name : str
    """

    def __init__(self, folder: Path, name: str):
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.file = self._written(name, self._certificate(self._key, name, is_authority=True))

    def issue(self, name: str) -> dict[str, str]:
        """Make a certificate with its key, as the options that a client gives."""
        key = ec.generate_private_key(ec.SECP256R1())
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "tls_ca_file": self.file,
            "tls_client_cert": self._written(f"{self.name}-{name}", self._certificate(key, name)),
            "tls_client_key": self._written(f"{self.name}-{name}-key", text),
        }

    def _certificate(self, key, name: str, is_authority: bool = False) -> bytes:
        began = datetime.now(UTC) - timedelta(hours=1)
        builder = x509.CertificateBuilder().issuer_name(self._issuer).public_key(key.public_key())
        builder = builder.subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(began).not_valid_after(began + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        # Python 3.13 verifies strictly: an authority's key has to be named.
        own, above = key.public_key(), self._key.public_key()
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
        if is_authority:
            usage = dict.fromkeys(("digital_signature", "key_cert_sign", "crl_sign"), True)
            names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
            others = dict.fromkeys((*names, "encipher_only", "decipher_only"), False)
            builder = builder.add_extension(x509.KeyUsage(**usage, **others), critical=True)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _written(self, name: str, text: bytes) -> str:
        (self.folder / f"{name}.pem").write_bytes(text)
        return str(self.folder / f"{name}.pem")


def dask_arguments(issued: dict[str, str]) -> tuple[str, ...]:
    """The arguments of `dask scheduler` and `dask worker` for a certificate."""
    files = (issued["tls_ca_file"], issued["tls_client_cert"], issued["tls_client_key"])
    pairs = zip(("--tls-ca-file", "--tls-cert", "--tls-key"), files, strict=True)
    return ("--protocol", "tls", *(part for pair in pairs for part in pair))
