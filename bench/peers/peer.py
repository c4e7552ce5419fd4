# SPDX-License-Identifier: MPL-2.0
"""What the file of a peer has, and the process that runs one piece of work of it.

A peer is a module NAME_peer.py with

    TITLE           name for people
    REQUIREMENTS    what pip installs, pinned; nothing: it needs no environment
    PROGRAMS        programs that must be on the machine
    SKIP            {work: why this peer does not have it}
    TASKS           {work: how many tasks take some seconds}; a quarter of it with --quick
    cluster(job)    a context manager: two workers (or slots) that are ready, as the peer's documentation starts them

and a function for each work that is not in SKIP:

    one(cluster, job)           runs one task that does nothing and returns when its result is here
    noop(cluster, job)          runs job.tasks tasks that do nothing; returns how many results came back
    calls(cluster, job)         the same as calls of a function, many in a task, as documentations recommend
    process(cluster, job)       runs /bin/true job.tasks times; returns how many ended well
    jsonl(cluster, job)         job.inputs (JSON lines) → files in the folder job.out: records with size > job.minimum
    wordcount(cluster, job)     lines of words → {"w": word, "n": how often}
    group_by(cluster, job)      rows {"k", "n", "t"} of 1 KiB → {"k", "n": rows of the key, "t": their t in the order of n}

Imports of the peer's own library stand inside functions, so that bench/peers/run can read the module where it
is not installed. One process runs one work, several times: the cluster is warm then, and what another work left in memory
is not counted. It is `python peer.py NAME WORK JOB`, inside the peer's environment; it prints JSON lines."""
import importlib
import json
import os
import pathlib
import shutil
import sys
import time
import types

FOLDER_WORKS = ("jsonl", "wordcount", "group_by")


def say(**words):
    print(json.dumps(words), file=REPORT, flush=True)


def timed(module, cluster, work, job):
    if work in FOLDER_WORKS:
        shutil.rmtree(job.out, ignore_errors=True)
        pathlib.Path(job.out).mkdir(parents=True)
    start = time.monotonic()
    result = getattr(module, work)(cluster, job)
    return time.monotonic() - start, result


def main():
    name, work, job = sys.argv[1], sys.argv[2], types.SimpleNamespace(**json.loads(sys.argv[3]))
    module = importlib.import_module(name + "_peer")
    with module.cluster(job) as cluster:
        module.one(cluster, job)
        say(event="first")
        if work == "one":
            for _ in range(3):  # the first ones fill caches
                module.one(cluster, job)
        for _ in range(job.repeat):
            seconds, result = timed(module, cluster, work, job)
            say(event="run", seconds=seconds, result=result if isinstance(result, int) else None)
        say(event="end")


if __name__ == "__main__":
    # What peers print, in C too, goes to standard error; the report has the output to itself.
    REPORT = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    main()
