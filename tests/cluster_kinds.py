"""Cluster classes of a person's own, to be named with a dot."""

import distributed


class Threads(distributed.LocalCluster):
    """A local cluster in this process."""

    def __init__(self, n_workers: int = 1, **kwargs):
        super().__init__(n_workers=n_workers, processes=False, dashboard_address="127.0.0.1:0", **kwargs)


class Specified(distributed.SpecCluster):
    """Workers that are specified one by one."""

    def __init__(self, n_workers: int = 2, **kwargs):
        worker = {"cls": distributed.Worker, "options": {"nthreads": 1, "dashboard_address": "127.0.0.1:0"}}
        options = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
        super().__init__(
            workers=dict.fromkeys(range(n_workers), worker),
            scheduler={"cls": distributed.Scheduler, "options": options},
            worker=worker,
            **kwargs,
        )


class ForCoroutines(Threads):
    """A cluster that has to be awaited."""

    def __init__(self, **kwargs):
        super().__init__(asynchronous=True, **kwargs)
