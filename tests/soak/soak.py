#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Many small jobs on one coordinator: memory, descriptors, threads and folders of all processes are as large at the end
as they were when everything had been used once.
  soak.py [--jobs N] [--warm N] [--state] [--every N]
Prints a line per sample, and "flat" or what has grown. Jobs up to --warm fill what has a bound: replies of clients that
are kept, the history."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

from harness import Cluster, processes_below

DRIVERS = 2
# What may differ between two samples of a process that does not grow.
SLACK_KIB = 4096
SLACK_DESCRIPTORS = 8
SLACK_FOLDER_KIB = 2048


def status(pid):
    """Of a process; of one that ends just now, nothing."""
    try:
        return measure(pid)
    except OSError:
        return {"rss_kib": 0, "threads": 0, "descriptors": 0}


def measure(pid):
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"rss_kib": int(fields["VmRSS"].split()[0]), "threads": int(fields["Threads"]),
            "descriptors": len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))}


def folder_kib(folder):
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(base, name)).st_blocks // 2
            except OSError:
                pass
    return total


class Soak:
    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="zonda-soak-"))
        self.state = self.folder / "state"
        extra = ("--state", str(self.state)) if options.state else ()
        self.cluster = Cluster("tcp", workers=2, slots=2, coordinator=("--quiet", *extra), worker=("--quiet",))
        self.samples = []
        self.failed = False
        self.done = [0] * DRIVERS
        self.changed = threading.Event()

    def drive(self, index):
        sinks = self.folder / f"out{index}"
        driver = subprocess.Popen([os.environ["SOAK_JOBS"], self.cluster.endpoint, str(self.options.jobs // DRIVERS),
                                   str(sinks)], stdout=subprocess.PIPE, text=True)
        for line in driver.stdout:
            self.done[index] = int(line)
            self.changed.set()
        self.failed |= driver.wait() != 0
        self.changed.set()

    def sample(self, jobs):
        row = {"jobs": jobs}
        for name, process in [("coordinator", self.cluster.coordinator),
                              *[(f"worker{i}", worker) for i, worker in enumerate(self.cluster.workers)]]:
            row.update({f"{name}.{key}": value for key, value in status(process.pid).items()})
        slots = [status(pid) for worker in self.cluster.workers for pid in processes_below(worker.pid)]
        for key in ("rss_kib", "threads", "descriptors"):
            row[f"slots.{key}"] = sum(slot[key] for slot in slots)
        row["scratch.folder_kib"] = folder_kib(self.cluster.folder / "tmp")
        if self.options.state:
            row["state.folder_kib"] = folder_kib(self.state)
        self.samples.append(row)
        print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)

    def grown(self):
        """What the last third of the samples after --warm has more than the first."""
        after = [row for row in self.samples if row["jobs"] >= self.options.warm]
        if len(after) < 3:
            return [f"only {len(after)} samples after {self.options.warm} jobs"]
        third = len(after) // 3
        found = []
        for key in after[0]:
            kind = key.split(".")[-1]
            if kind == "jobs":
                continue
            first = max(row[key] for row in after[:third])
            last = min(row[key] for row in after[-third:])
            # Slots are several processes.
            slack = {"rss_kib": max(SLACK_KIB, first // 10), "threads": 0, "descriptors": SLACK_DESCRIPTORS,
                     "folder_kib": max(SLACK_FOLDER_KIB, first // 10)}[kind]
            if last > first + slack:
                found.append(f"{key} has grown from {first} to {last}")
        return found

    def run(self):
        threads = [threading.Thread(target=self.drive, args=(i,)) for i in range(DRIVERS)]
        for thread in threads:
            thread.start()
        due = 0
        while any(thread.is_alive() for thread in threads):
            self.changed.wait(1)
            self.changed.clear()
            jobs = sum(self.done)
            if all(thread.is_alive() for thread in threads) and jobs >= due:
                self.sample(jobs)
                due = jobs + self.options.every
        for thread in threads:
            thread.join()
        found = self.grown() + (["a job failed"] if self.failed else [])
        statuses = self.cluster.close()
        found += [] if statuses == [0, 0, 0] else [f"exit statuses {statuses}"]
        print("; ".join(found) if found else f"flat over {self.options.jobs} jobs")
        return 1 if found else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=30000)
    parser.add_argument("--warm", type=int, default=12000)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--state", action="store_true")
    soak = Soak(parser.parse_args())
    try:
        return soak.run()
    finally:
        soak.cluster.kill()
        subprocess.run(["rm", "-rf", soak.folder], check=False)


if __name__ == "__main__":
    sys.exit(main())
