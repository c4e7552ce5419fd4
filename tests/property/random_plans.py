#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Random plans against the model: what each gives in process, on a cluster, and with so little memory
that it goes through files, must be what tests/conformance/model.py says, byte by byte.

    random_plans.py inproc | tcp | memory | memory-tcp [--seed FIRST] [--plans N]

A plan is made from its seed alone; a failure prints the seed and the plan as a script. The suite runs
a fixed set of seeds; `--seed random` takes others, and prints where it began."""
import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

from faces import c_steps, json_text, lua_chain
from model import Fails, NotModelled, expected
from partitions import Partitions
from plans import plan_of
from run import Site
from harness import PROGRAM, Cluster

# Records that are larger than the memory of the smallest slot together, but not one by one.
LARGE = {"scale": 2500, "padding": 12000}
MEMORY_MIN = "8M"


class Folder:
    """The input files of a plan while it runs."""

    def __init__(self, files):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="zonda-plan-"))
        for name, text in files.items():
            (self.path / name).write_text(text, encoding="utf-8")

    def place(self, text):
        return text.replace("DIR", str(self.path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)


def on_site(site):
    """Runs plans through the C functions; gives lines, or the code of the error."""
    def run(plan, folder):
        answer = site.ask_runner({"steps": c_steps(plan, folder.place)})
        return answer["lines"] if answer["code"] == "OK" else answer["code"]
    return run


class LittleMemory:
    """Runs plans with a slot memory of MEMORY_MIN, in this process or on a cluster with such workers."""

    def __init__(self, on_cluster):
        flags = ["--memory", MEMORY_MIN]
        self.cluster = Cluster("tcp", workers=2, slots=1, worker=flags) if on_cluster else None
        self.flags = ["--connect", self.cluster.endpoint] if on_cluster else ["--slots", "2", *flags]
        self.spilled_plans = 0

    def __call__(self, plan, folder):
        script = folder.path / "plan.lua"
        script.write_text(folder.place(f"return {lua_chain(plan)}\n"), encoding="utf-8")
        done = subprocess.run([PROGRAM, "run", "--json", *self.flags, script], capture_output=True, timeout=300,
                              text=True, encoding="utf-8")
        for line in done.stderr.splitlines():
            if line.startswith('{"event":"done"'):
                spilled = json.loads(line)["counters"].get("spilled_bytes", {"sum": 0})
                self.spilled_plans += spilled["sum"] > 0
        return done.stdout if done.returncode == 0 else done.stderr

    def close(self):
        return self.cluster.close() if self.cluster is not None else []

    def problems(self, plans):
        """Plans that were meant to use files and did not."""
        print(f"{self.spilled_plans} plans used files")
        enough = self.spilled_plans >= plans // 4
        return [] if enough else ["too few plans used files: the memory is not small enough"]


def check(seed, run, partitions, size):
    """One plan; True if it gave what it should."""
    plan, files = plan_of(seed, **size)
    try:
        wanted = "".join(json_text(record) + "\n" for record in expected(plan, partitions, files))
    except Fails as failure:
        wanted = str(failure)
    except NotModelled:
        return True
    with Folder(files) as folder:
        try:
            got = run(plan, folder)
        except AssertionError as crash:
            got = str(crash)
    if got == wanted:
        return True
    print(f"seed {seed} {size}\nreturn {lua_chain(plan)}\n--- wanted\n{wanted[:2000]}\n--- got\n{got[:2000]}")
    return False


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("how", choices=["inproc", "tcp", "memory", "memory-tcp"])
    parser.add_argument("--seed", default="1", help="of the first plan, or random")
    parser.add_argument("--plans", type=int, default=150)
    args = parser.parse_args()
    args.seed = random.randrange(10**9) if args.seed == "random" else int(args.seed)
    return args


def run_plans(args, run, size):
    """What went wrong, in words."""
    partitions = Partitions()
    print(f"seeds {args.seed} to {args.seed + args.plans - 1}")
    failed = [seed for seed in range(args.seed, args.seed + args.plans)
              if not check(seed, run, partitions, size)]
    problems = [f"{len(failed)} plans failed, with the seeds {failed}"] if failed else []
    return problems + (["the program that knows partitions failed"] if partitions.close() != 0 else [])


def main():
    args = parse_arguments()
    if args.how.startswith("memory"):
        run = LittleMemory(on_cluster=args.how == "memory-tcp")
        try:
            problems = run_plans(args, run, LARGE) + run.problems(args.plans)
        finally:
            statuses = run.close()
        problems += [f"the cluster ended with {statuses}"] if any(statuses) else []
    else:
        site = Site(args.how, 3)
        try:
            problems = run_plans(args, on_site(site), {})
        finally:
            left = site.close()
        problems += left
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
