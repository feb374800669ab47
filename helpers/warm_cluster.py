"""A local Dask cluster that outlives the runs that use it: `python -m helpers.warm_cluster OPTIONS`.

It says its address on stdout as JSON, and closes when stdin ends.
"""

import json
import signal
import subprocess
import sys
from typing import Self

from helpers.exceptions import ClusterError

START_SECONDS = 60.0
STOP_SECONDS = 10.0
VARIABLE = "DAYBOOK_WARM_CLUSTER"  # tells a run's kernel which cluster is there, and made with which options


class WarmCluster:
    """The cluster's process.

    Parameters
    ----------
    options : dict
        As the `cluster_options` of the runs that are to use it.

    Attributes
    ----------
    address, dashboard_link : str

    Raises
    ------
    ClusterError
        When it does not start.
    """

    def __init__(self, options: dict):
        self.options = options
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "helpers.warm_cluster", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        said = json.loads(self._process.stdout.readline() or "{}")
        if "address" not in said:
            self.close()
            raise ClusterError(said.get("error", "the warm cluster did not start"))
        self.address, self.dashboard_link = said["address"], said["dashboard_link"]

    @property
    def environment(self) -> dict[str, str]:
        """What tells a run of it."""
        return {VARIABLE: json.dumps({"address": self.address, "options": self.options})}

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_up(self) -> bool:
        """Whether its process lives."""
        return self._process.poll() is None

    def close(self) -> None:
        """Close the cluster, if need be by force."""
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error) -> None:
        self.close()


def main() -> None:
    """Make the cluster, say where it is, and keep it until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it closes it
    from helpers import clusters

    try:
        compute = clusters.connect("local", json.loads(sys.argv[1]))
    except ClusterError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        sys.exit(1)
    with compute:
        print(
            json.dumps({"address": compute.cluster.scheduler_address, "dashboard_link": compute.dashboard_link}),
            flush=True,
        )
        sys.stdin.read()


if __name__ == "__main__":
    main()
