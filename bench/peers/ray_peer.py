# SPDX-License-Identifier: MPL-2.0
"""Ray: remote functions for tasks, Ray Data for records; two CPUs."""
import contextlib
import os

TITLE = "Ray"
REQUIREMENTS = ["ray[data]==2.60.0"]
PROGRAMS = []
SKIP = {"process": "runs functions; a process would be Python's subprocess"}
TASKS = {"noop": 8_000, "calls": 2_000_000}


@contextlib.contextmanager
def cluster(job):
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=job.scratch,
             object_store_memory=1 << 30)
    ray.data.DataContext.get_current().enable_progress_bars = False

    @ray.remote
    def nothing():
        pass

    @ray.remote
    def nothing_many(count):
        for _ in range(count):
            same(0)
        return count

    yield {"ray": ray, "nothing": nothing, "nothing_many": nothing_many}
    ray.shutdown()


def same(number):
    return number


def one(context, job):
    context["ray"].get(context["nothing"].remote())


def noop(context, job):
    return len(context["ray"].get([context["nothing"].remote() for _ in range(job.tasks)]))


def calls(context, job):
    batches = [context["nothing_many"].remote(job.batch) for _ in range(job.tasks // job.batch)]
    return sum(context["ray"].get(batches))


def jsonl(context, job):
    from ray.data.expressions import col
    context["ray"].data.read_json(job.inputs).filter(expr=col("size") > job.minimum).write_json(job.out)


def count_words(batch):
    import collections
    words = collections.Counter()
    for line in batch["text"]:
        words.update(line.split())
    return {"w": list(words), "n": list(words.values())}


def wordcount(context, job):
    counts = context["ray"].data.read_text(job.inputs).map_batches(count_words, batch_size=None)
    counts.groupby("w").sum("n").rename_columns({"sum(n)": "n"}).write_json(job.out)


def join_rows(frame):
    frame = frame.sort_values("n")
    return {"k": [frame["k"].iloc[0]], "n": [len(frame)], "t": ["".join(frame["t"])]}


def group_by(context, job):
    rows = context["ray"].data.read_json(job.inputs)
    rows.groupby("k").map_groups(join_rows, batch_format="pandas").write_json(job.out)
