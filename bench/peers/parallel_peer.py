# SPDX-License-Identifier: MPL-2.0
"""GNU Parallel with two jobs at a time. A task is a process, so records are the business of programs (steps.py)."""
import contextlib
import os
import pathlib
import subprocess
import sys

TITLE = "GNU Parallel"
REQUIREMENTS = []
PROGRAMS = ["parallel"]
SKIP = {"calls": "a task is a process: see process", "noop": "a task is a process: see process"}
TASKS = {"process": 1_000}
STEPS = [sys.executable, "-S", str(pathlib.Path(__file__).with_name("steps.py"))]
PARTS = 8


@contextlib.contextmanager
def cluster(job):
    yield None


def start(job):
    """The command whose time from start to result is the start row."""
    return ["parallel", "--will-cite", "-j2", "true", "{}", ":::", "0"]


def parallel(command, items):
    """Runs a command for each item."""
    subprocess.run(["parallel", "--will-cite", "-j2", "--halt", "now,fail=1", *map(str, command)], check=True,
                   input="\n".join(map(str, items)) + "\n", text=True, stdout=sys.stderr)


def one(nobody, job):
    parallel(["true", "{}"], [0])


def process(nobody, job):
    parallel(["/bin/true", "{}"], range(job.tasks))  # it fails if one of them fails
    return job.tasks


def jsonl(nobody, job):
    parallel([*STEPS, "filter", job.minimum, "{}", job.out + "/{/}"], job.inputs)


def wordcount(nobody, job):
    folder = job.scratch + "/counts"
    os.makedirs(folder, exist_ok=True)
    parallel([*STEPS, "count", "{}", folder + "/{/}"], job.inputs)
    subprocess.run([*STEPS, "total", job.out + "/0.jsonl", *map(str, pathlib.Path(folder).iterdir())], check=True)


def group_by(nobody, job):
    folder = job.scratch + "/parts"
    parallel([*STEPS, "partition", PARTS, "{}", folder], job.inputs)
    parallel([*STEPS, "group", folder + "/{}", job.out + "/{}.jsonl"], range(PARTS))
