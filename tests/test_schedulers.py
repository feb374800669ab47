"""Schedulers by address: real processes, with and without TLS, that fit or do not, with workers or none."""

import time

import distributed
import pytest
from cluster_processes import WITHOUT_BOKEH, Authority, a_cluster, a_worker, dask_arguments
from conftest import free_port

from helpers import clusters, schedulers
from helpers.exceptions import ClusterError


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    """The authority that the TLS cluster's certificates are from."""
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="module")
def tls(authority, tmp_path_factory) -> str:
    """The address of a scheduler and a worker that speak TLS."""
    options = dask_arguments(authority.issue("cluster"))
    with a_cluster(tmp_path_factory.mktemp("tls"), options=options) as address:
        yield address


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> str:
    """The address of a scheduler without TLS, without Bokeh and without workers."""
    with a_cluster(tmp_path_factory.mktemp("plain"), n_workers=0, start=("-c", WITHOUT_BOKEH)) as address:
        yield address


def refusal(address: str, **options) -> str:
    """The one line with which an address is refused, within 20 s."""
    began = time.monotonic()
    with pytest.raises(ClusterError) as error:
        clusters.connect(address, options).close()
    assert time.monotonic() - began < 20
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.slow
def test_a_scheduler_with_tls_is_used_by_clients_and_flows(tls, authority):
    """With certificates of its authority the scheduler computes, for a client and for Prefect's task runner."""
    options = authority.issue("person") | {"require_encryption": True}
    with clusters.connect(tls, options) as compute:
        assert tls.startswith("tls://")
        assert compute.client.submit(sum, [1, 2]).result(30) == 3
        # Its duplicate is what a flow uses; no client is current here, so it connects by itself.
        with compute.task_runner.duplicate() as runner:
            assert runner.client.submit(sum, [1, 3]).result(30) == 4


@pytest.mark.slow
def test_certificates_that_do_not_match_are_one_line(tls, authority, tmp_path, monkeypatch):
    """Another authority, another's key and a missing file are each told by what is wrong with them."""
    monkeypatch.setattr(schedulers, "CONNECT_SECONDS", 3.0)
    right, other = authority.issue("another"), Authority(tmp_path, "theirs").issue("person")
    assert "is not signed by tls_ca_file" in refusal(tls, **other)
    assert "refuses tls_client_cert: tlsv1 alert unknown ca" in refusal(tls, **other | {"tls_ca_file": authority.file})
    said = refusal(tls, **right | {"tls_client_key": other["tls_client_key"]})
    assert "tls_client_key is the key of another certificate" in said
    missing = str(tmp_path / "nothing.pem")
    for name in right:
        assert f"{name} '{missing}' is not a file that can be read" in refusal(tls, **right | {name: missing})
    (junk := tmp_path / "junk.pem").write_text("no certificate")
    assert "cannot be used" in refusal(tls, **right | {"tls_client_cert": str(junk)})


@pytest.mark.slow
def test_tls_where_there_is_none_and_the_other_way_round(tls, plain, authority, monkeypatch):
    """A TLS scheduler reached as tcp, a plain one as tls, and TLS without its files are told as that."""
    monkeypatch.setattr(schedulers, "CONNECT_SECONDS", 3.0)
    issued = authority.issue("third")
    assert "it speaks TLS: give tls://" in refusal(tls.replace("tls:", "tcp:"))
    assert "it does not speak TLS: give tcp://" in refusal(plain.replace("tcp:", "tls:"), **issued)
    assert "needs tls_ca_file in cluster_options" in refusal(tls)
    assert "needs tls_client_cert" in refusal(tls, tls_ca_file=authority.file)
    assert "is not encrypted; give tls://" in refusal(plain, **issued)
    assert "did you mean 'tls_ca_file'" in refusal(tls, tls_cafile=authority.file)
    assert "adapt is for a cluster that is made here" in refusal(plain, adapt={"maximum": 2})


@pytest.mark.slow
def test_an_address_with_nothing_there_is_one_line(monkeypatch):
    """An address where nothing answers is one line, without its password; so are wrong options."""
    monkeypatch.setattr(schedulers, "CONNECT_SECONDS", 1.0)
    said = refusal(f"tcp://me:s3cret@127.0.0.1:{free_port()}")
    assert "no Dask scheduler answers at tcp://me:" in said
    assert "s3cret" not in said
    assert "distributed.Security" in refusal("tcp://127.0.0.1:1", n_workers=2)


def test_the_time_limits_are_short():
    """Nobody waits for an address longer than 20 s, nor for a worker at an address longer than 30 s."""
    assert schedulers.CONNECT_SECONDS + 2 * schedulers.PROBE_SECONDS < 20
    assert schedulers.WAIT_SECONDS == 30
    assert clusters.QUEUE_SECONDS == 600


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "version", "said"),
    [
        ("distributed", "2024.1.0", "distributed 2024.1.0 there and "),
        ("dask", "2026.7.1", "dask 2026.7.1 there and "),
        ("python", "3.9.1.final.0", "python 3.9 there and 3."),
        ("cloudpickle", "1.6.0", "cloudpickle 1 there and 3 here"),
        ("msgpack", "0.6.2", "msgpack 0 there and 1 here"),
        ("tornado", "5.0", None),
    ],
)
def test_a_scheduler_of_another_version_is_refused(plain, package, version, said):
    """What has to be equal on both sides is told with both versions, before anything is waited for or sent."""

    def report(version):
        """Let this scheduler's own report name a version, or the true one again; runs there."""
        import distributed.versions

        module = distributed.versions
        module.true_info = true = getattr(module, "true_info", module.get_package_info)
        module.get_package_info = lambda names: true(names) | ({package: version} if version else {})

    with distributed.Client(plain, set_as_default=False) as client:
        client.run_on_scheduler(report, version)
        try:
            expected = said or "no worker"
            line = refusal(plain, wait_seconds=0)
            assert expected in line
            assert ("install the same on both sides" in line) == bool(said)
        finally:
            client.run_on_scheduler(report, None)


@pytest.mark.slow
def test_a_cluster_without_workers_is_said_and_then_refused(plain, monkeypatch, capsys):
    """While nobody comes it is said on stderr, less and less often; then one line says what to do."""
    monkeypatch.setattr(schedulers, "FIRST_WORD_SECONDS", 0.2)
    said = refusal(plain, wait_seconds=1.0)
    assert f"no worker of cluster '{plain}' came within 1 s; start one with: dask worker {plain}" in said
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" … ")[0] for line in lines] == [f"waiting for a worker of cluster '{plain}'"] * 3
    with distributed.Client(plain, set_as_default=False) as client:  # the task that asked for a worker is withdrawn
        deadline = time.monotonic() + 5
        while n := client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)):
            assert time.monotonic() < deadline, f"{n} tasks are left"


@pytest.mark.slow
def test_a_scheduler_without_bokeh_runs_without_its_report(plain, tmp_path, monkeypatch, capsys):
    """The worker comes while it is waited for; the missing report fails nothing, and a line says so."""
    monkeypatch.setenv("DAYBOOK_RUN_FOLDER", str(tmp_path))
    with a_worker(plain, tmp_path), clusters.connect(plain) as compute, compute.recorded():
        assert compute.client.submit(sum, [1, 2]).result(30) == 3
    assert "daybook: no Dask performance report of this run: " in capsys.readouterr().err
    assert not (tmp_path / "dask-report.html").exists()
