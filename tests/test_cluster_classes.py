"""Dotted names of cluster classes, found and refused."""

import importlib.util

import distributed
import pytest

from helpers import cluster_classes, clusters
from helpers.exceptions import ClusterError


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ("lokal", "cluster 'lokal' is not known; did you mean 'local'; give|did you mean 'local'.*give 'none'"),
        ("", "cluster '' is not known; give 'none', 'local'"),
        ("os.system('x').y", "is not known"),
        ("no.such.Cluster", r"cannot be imported \(No module named 'no'\); install or correct it"),
        ("distributed.NoSuch", "distributed has no NoSuch; correct it"),
        ("distributed.LocalClutser", "has no LocalClutser; did you mean 'LocalCluster'"),
        ("distributed.SSHClustr", "did you mean 'SSHCluster'"),
        ("pathlib.Path", "is not a Dask cluster class"),
        ("os.system", "is not a Dask cluster class"),
        ("shutil.rmtree", "is not a Dask cluster class"),
        ("distributed.get_client", "is not a Dask cluster class"),
        ("distributed.Client", "is not a Dask cluster class"),
        ("helpers.clusters", "helpers has no clusters|is not a Dask cluster class"),
        ("distributed.SpecCluster", "only what other cluster classes are made from"),
        ("distributed.deploy.Cluster", "only what other cluster classes are made from"),
    ],
)
def test_what_is_no_cluster_is_one_line(cluster, said):
    """A name that is no cluster is refused in one line, with the nearest that is."""
    with pytest.raises(ClusterError, match=said) as error:
        clusters.connect(cluster)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("cluster", "package"),
    [
        ("dask_jobqueue.SLURMCluster", "dask-jobqueue"),
        ("dask_kubernetes.operator.KubeCluster", "dask-kubernetes"),
        ("dask_cloudprovider.aws.FargateCluster", "dask-cloudprovider"),
    ],
)
def test_a_known_package_that_is_missing_is_named(cluster, package):
    """The command that installs it is told, whose name is not the module's."""
    if importlib.util.find_spec(cluster.partition(".")[0]):
        pytest.skip(f"{package} is installed here")
    with pytest.raises(ClusterError, match=f"; pip install {package}$"):
        clusters.connect(cluster)


def test_a_module_that_fails_is_one_line(tmp_path, monkeypatch):
    """Whatever a module raises when it is imported is told in one line."""
    (tmp_path / "broken_module.py").write_text("raise ValueError('it is\\nbroken')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ClusterError, match=r"cannot be imported \(ValueError: it is\)"):
        clusters.connect("broken_module.Cluster")


def test_classes_and_functions_that_make_clusters_are_found():
    """SSHCluster is a function that says what it returns."""
    assert cluster_classes.cluster_class("distributed.LocalCluster") is distributed.LocalCluster
    assert cluster_classes.cluster_class("distributed.SSHCluster") is distributed.SSHCluster


def test_a_queue_is_known_by_the_classes_that_it_is_made_from():
    """A person's own subclass of a SLURMCluster waits in the same queue."""
    slurm = type("SLURMCluster", (distributed.SpecCluster,), {"__module__": "dask_jobqueue.slurm"})
    assert cluster_classes.is_queued(type("Mine", (slurm,), {"__module__": "mine"}))
    assert not cluster_classes.is_queued(distributed.LocalCluster)
    assert not cluster_classes.is_queued(distributed.SSHCluster)


@pytest.mark.slow
def test_an_ssh_cluster_without_its_package_says_which():
    """What distributed's own classes import only when they start is named too."""
    if importlib.util.find_spec("asyncssh"):
        pytest.skip("asyncssh is installed here")
    with pytest.raises(ClusterError, match=r"did not start: .*; pip install asyncssh"):
        clusters.connect("distributed.SSHCluster", {"hosts": ["127.0.0.1", "127.0.0.1"]})
