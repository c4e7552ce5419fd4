# SPDX-License-Identifier: MPL-2.0
"""marin-zephyr on its local backend: workers are two threads of one process."""
import collections
import contextlib

TITLE = "Zephyr"
REQUIREMENTS = ["marin-zephyr==0.2.20.dev202606180959"]
PROGRAMS = []
SKIP = {"process": "runs functions; a process would be Python's subprocess"}
TASKS = {"noop": 2_000, "calls": 1_000_000}


@contextlib.contextmanager
def cluster(job):
    from fray.local_backend import LocalClient
    from zephyr import ZephyrContext
    yield ZephyrContext(client=LocalClient(), max_workers=2, chunk_storage_prefix=job.scratch, name="bench")


def one(context, job):
    from zephyr import Dataset
    assert len(context.execute(Dataset.from_list([0])).results) == 1


def noop(context, job):
    from zephyr import Dataset
    return len(context.execute(Dataset.from_list(list(range(job.tasks)))).results)


def calls(context, job):
    from zephyr import Dataset
    batches = Dataset.from_list(list(range(job.tasks // job.batch)))
    numbers = batches.flat_map(lambda n: range(job.batch)).map(lambda n: n)
    return context.execute(numbers.count()).results[0]


def jsonl(context, job):
    from zephyr import Dataset, col
    records = Dataset.from_list(job.inputs).load_jsonl().filter(col("size") > job.minimum)
    context.execute(records.write_jsonl(job.out + "/{shard:05d}.jsonl"))


def count_words(path):
    words = collections.Counter()
    with open(path) as lines:
        for line in lines:
            words.update(line.split())
    return ({"w": w, "n": n} for w, n in words.items())


def wordcount(context, job):
    from zephyr import Dataset
    counts = Dataset.from_list(job.inputs).flat_map(count_words)
    totals = counts.group_by(lambda r: r["w"], reducer=lambda w, rows: {"w": w, "n": sum(r["n"] for r in rows)})
    context.execute(totals.write_jsonl(job.out + "/{shard:05d}.jsonl"))


def join_rows(key, rows):
    texts = [row["t"] for row in rows]
    return {"k": key, "n": len(texts), "t": "".join(texts)}


def group_by(context, job):
    from zephyr import Dataset
    rows = Dataset.from_list(job.inputs).load_jsonl()
    groups = rows.group_by(lambda r: r["k"], reducer=join_rows, sort_by=lambda r: r["n"])
    context.execute(groups.write_jsonl(job.out + "/{shard:05d}.jsonl"))
