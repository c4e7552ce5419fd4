# SPDX-License-Identifier: MPL-2.0
"""HyperQueue: its server and a worker with two cores, started by its Python interface. A task is a process, so records are the
business of programs (steps.py). Its interface looks once a second whether a job is done; here the last task, which depends on the
others, writes to a FIFO, so that it is not charged with that second."""
import contextlib
import os
import pathlib
import sys

TITLE = "HyperQueue"
REQUIREMENTS = ["hyperqueue==0.27.0"]
PROGRAMS = []
SKIP = {"calls": "a task is a process: see process", "noop": "a task is a process: see process"}
TASKS = {"process": 2_000}
STEPS = str(pathlib.Path(__file__).with_name("steps.py"))
PARTS = 8


@contextlib.contextmanager
def cluster(job):
    from hyperqueue import LocalCluster
    from hyperqueue.cluster import WorkerConfig
    with LocalCluster(job.scratch + "/hq", WorkerConfig(cores=2)) as local:
        yield local.client()


class Work:
    """A job under construction."""

    def __init__(self, job):
        from hyperqueue import Job
        self.job = Job(default_workdir=job.scratch)
        self.fifo = os.path.join(job.scratch, "done")

    def program(self, *args, deps=()):
        return self.job.program([str(a) for a in args], deps=deps, stdout=None, stderr=None)

    def step(self, *args, deps=()):
        return self.program(sys.executable, "-S", STEPS, *args, deps=deps)

    def run(self, client, last):
        """Returns when all of `last` are done."""
        if not os.path.exists(self.fifo):
            os.mkfifo(self.fifo)
        self.program("/bin/sh", "-c", f"echo done > '{self.fifo}'", deps=last)
        client.submit(self.job)
        with open(self.fifo) as fifo:
            assert fifo.read() == "done\n"


def one(client, job):
    Work(job).run(client, ())


def process(client, job):
    work = Work(job)
    tasks = [work.program("/bin/true") for _ in range(job.tasks)]
    work.run(client, tasks)  # a task that fails ends the job, and its last one never comes
    return len(tasks)


def outputs(job, folder):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    return [(path, f"{folder}/{index}.jsonl") for index, path in enumerate(job.inputs)]


def jsonl(client, job):
    work = Work(job)
    work.run(client, [work.step("filter", job.minimum, *pair) for pair in outputs(job, job.out)])


def wordcount(client, job):
    work = Work(job)
    pairs = outputs(job, job.scratch + "/counts")
    counts = [work.step("count", *pair) for pair in pairs]
    work.run(client, [work.step("total", job.out + "/0.jsonl", *(out for _, out in pairs), deps=counts)])


def group_by(client, job):
    work = Work(job)
    folder = job.scratch + "/parts"
    parts = [work.step("partition", PARTS, path, folder) for path in job.inputs]
    work.run(client, [work.step("group", f"{folder}/{part}", f"{job.out}/{part}.jsonl", deps=parts)
                      for part in range(PARTS)])
