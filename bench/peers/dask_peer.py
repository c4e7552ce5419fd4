# SPDX-License-Identifier: MPL-2.0
"""Dask distributed: two worker processes with one thread each; bags for lines, data frames for rows."""
import contextlib
import json

TITLE = "Dask"
REQUIREMENTS = ["dask[dataframe,distributed]==2026.8.0"]
PROGRAMS = []
SKIP = {"process": "runs functions; a process would be Python's subprocess"}
TASKS = {"noop": 4_000, "calls": 800_000}


@contextlib.contextmanager
def cluster(job):
    from distributed import Client, LocalCluster
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
                      local_directory=job.scratch) as local, Client(local) as client:
        yield client


def nothing(number=0):
    return number


def one(client, job):
    client.submit(nothing, pure=False).result()


def noop(client, job):
    return len(client.gather(client.map(nothing, range(job.tasks), pure=False)))


def calls(client, job):
    import dask.bag
    return dask.bag.range(job.tasks, npartitions=job.tasks // job.batch).map(nothing).count().compute()


def jsonl(client, job):
    import dask.bag
    records = dask.bag.read_text(job.inputs).map(json.loads)
    records.filter(lambda r: r["size"] > job.minimum).map(json.dumps).to_textfiles(job.out + "/*.jsonl")


def wordcount(client, job):
    import dask.bag
    counts = dask.bag.read_text(job.inputs).map(str.split).flatten().frequencies()
    counts.map(lambda pair: json.dumps({"w": pair[0], "n": pair[1]})).to_textfiles(job.out + "/*.jsonl")


def join_rows(frame):
    """Groups of a partition that has all rows of its keys."""
    groups = frame.sort_values(["k", "n"]).groupby("k")
    return groups.agg(n=("n", "size"), t=("t", "".join)).reset_index()


def group_by(client, job):
    import dask.dataframe
    rows = dask.dataframe.read_json(job.inputs, lines=True, orient="records")
    groups = rows.shuffle("k").map_partitions(join_rows, meta={"k": str, "n": int, "t": str})
    groups.to_json(job.out + "/*.jsonl", orient="records", lines=True)
