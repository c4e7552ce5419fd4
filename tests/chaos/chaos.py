#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A cluster of real processes to which bad things happen while jobs run: workers, slots, coordinator and driver are
killed or stopped, links are cut, disks are filled. Every job has to end, with the bytes of the quiet run and without
temporary files beside them.
  chaos.py [--rounds N] [--seed N] [--endless] [--seconds N] [--only FAULT,…] [--keep]
A round's seed decides what happens to it and when; --seed N --rounds 1 does one round again."""
import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import hosts
from harness import DATA, MANIFEST, PROGRAM, processes_below

HERE = pathlib.Path(__file__).resolve().parent
WORKERS = 3
JOB_SECONDS_MAX = 90


def outputs(folder):
    return {p.name: p.read_bytes() for p in sorted(pathlib.Path(folder).iterdir()) if not p.name.endswith(MANIFEST)}


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass


class Cluster:
    def __init__(self, steps, durable):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="zonda-chaos-"))
        self.log = open(self.folder / "log", "w+")
        self.quiet_s = 1.0  # what a job takes when nothing happens
        self.alone = hosts.can_have_hosts()
        self.steps = str(steps)
        self.bind = f"tcp://{hosts.COORDINATOR}:7070" if self.alone else "tcp://127.0.0.1:*"
        self.options = ["--insecure"] if self.alone else []
        if durable:
            self.options += ["--state", str(self.folder / "state")]
            if self.alone:
                hosts.small_disk(self.folder / "state")
        self.next_worker = 0
        self.workers = []
        self.start_coordinator()
        for _ in range(WORKERS):
            self.add_worker()

    def start_coordinator(self):
        self.coordinator = subprocess.Popen([PROGRAM, "coordinator", "--bind", self.bind, *self.options], text=True,
                                            stdout=subprocess.PIPE, stderr=self.log)
        said = self.coordinator.stdout.readline().split()
        if said[:1] != ["listening"]:
            raise RuntimeError("the coordinator does not start")
        self.endpoint = said[1]  # the same after each start, because its state knows it

    def add_worker(self):
        words = ["worker", "--connect", self.endpoint, "--slots", "2"] + (["--insecure"] if self.alone else [])
        kind = hosts.Host if self.alone else hosts.Plain
        self.workers.append(kind(PROGRAM, self.next_worker, words, self.log))
        self.next_worker += 1

    def start_driver(self, out, name):
        return subprocess.Popen([PROGRAM, "run", "--quiet", "--connect", self.endpoint, "--name", name,
                                 str(HERE / "job.lua"), str(DATA), str(out), self.steps],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def close(self):
        for worker in self.workers:
            worker.remove()
        self.coordinator.kill()
        self.coordinator.wait()
        self.coordinator.stdout.close()
        self.log.close()


class Round:
    """One job and what happens to it. Steps are (time, what, …); what begins also ends."""

    def __init__(self, cluster, seed, faults):
        self.cluster = cluster
        self.random = random.Random(seed)
        self.seed = seed
        self.steps = []
        self.said = []
        self.out = cluster.folder / f"out-{seed}"
        self.driver = cluster.start_driver(self.out, f"chaos-{seed}")
        for _ in range(self.random.randrange(1, 4)):
            fault = self.random.choice(faults)
            at = self.random.uniform(0, cluster.quiet_s)
            self.said.append(f"{fault}@{at:.2f}")
            getattr(self, fault)(at)

    def at(self, time_s, step, *arguments):
        self.steps.append((time_s, len(self.steps), step, arguments))
        self.steps.sort()

    def any_worker(self):
        return self.random.choice(self.cluster.workers)

    # ---- faults ----

    def kill_worker(self, at):
        worker = self.any_worker()
        self.at(at, self.lose, worker, False)
        self.at(at + self.random.uniform(0, 1), self.cluster.add_worker)

    def lose_host(self, at):
        """The host goes with its worker: whoever asks it gets no answer at all."""
        self.at(at, self.lose, self.any_worker(), True)
        self.at(at + self.random.uniform(0, 1), self.cluster.add_worker)

    def lose(self, worker, vanish):
        if worker in self.cluster.workers:
            self.cluster.workers.remove(worker)
            worker.remove(vanish)

    def stop_worker(self, at):
        """The worker freezes with its slots, or alone, for less or more than it takes to be given up."""
        worker = self.any_worker()
        whole = self.random.random() < .5
        pids = [worker.process.pid] + (processes_below(worker.process.pid) if whole else [])
        self.at(at, signal_all, pids, signal.SIGSTOP)
        self.at(at + self.random.choice([0.3, 1, 4]), signal_all, pids, signal.SIGCONT)

    def kill_slot(self, at):
        worker = self.any_worker()
        self.at(at, lambda: signal_all(processes_below(worker.process.pid)[:1], signal.SIGKILL))

    def stop_slot(self, at):
        slots = processes_below(self.any_worker().process.pid)[:1]
        self.at(at, signal_all, slots, signal.SIGSTOP)
        self.at(at + self.random.uniform(0.2, 1), signal_all, slots, signal.SIGCONT)

    def cut_link(self, at):
        worker = self.any_worker()
        self.at(at, worker.cut, False)
        self.at(at + self.random.choice([0.3, 1, 4]), worker.cut, True)

    def mute_link(self, at):
        worker = self.any_worker()
        self.at(at, worker.mute, False)
        self.at(at + self.random.choice([0.3, 1, 4]), worker.mute, True)

    def fill_state(self, at):
        path = self.cluster.folder / "state" / "fill"
        self.at(at, hosts.fill, path, True)
        self.at(at + self.random.uniform(0.5, 2), hosts.fill, path, False)

    def fill_disk(self, at):
        worker = self.any_worker()
        self.at(at, worker.fill_disk, True)
        self.at(at + self.random.uniform(0.5, 2), worker.fill_disk, False)

    def drain_worker(self, at):
        worker = self.any_worker()
        self.at(at, signal_all, [worker.process.pid], signal.SIGTERM)
        self.at(at, self.cluster.add_worker)

    def stop_coordinator(self, at):
        pids = [self.cluster.coordinator.pid]
        self.at(at, signal_all, pids, signal.SIGSTOP)
        self.at(at + self.random.choice([0.3, 1, 4]), signal_all, pids, signal.SIGCONT)

    def kill_coordinator(self, at):
        self.at(at, self.restart_coordinator)

    def restart_coordinator(self):
        self.cluster.coordinator.kill()
        self.cluster.coordinator.wait()
        self.cluster.coordinator.stdout.close()
        self.cluster.start_coordinator()

    def kill_driver(self, at):
        self.at(at, self.restart_driver)

    def restart_driver(self):
        if self.driver.poll() is None:
            self.driver.kill()
            self.driver.communicate()
            self.driver = self.cluster.start_driver(self.out, f"chaos-{self.seed}")

    # ---- running ----

    def run(self):
        """Returns what is wrong, or None."""
        begin = time.monotonic()
        while self.steps or self.driver.poll() is None:
            now = time.monotonic() - begin
            if now > JOB_SECONDS_MAX:
                return f"not done in {JOB_SECONDS_MAX} s"
            if self.steps and self.steps[0][0] <= now:
                _, _, step, arguments = self.steps.pop(0)
                step(*arguments)
            else:
                time.sleep(0.01)
        words = self.driver.communicate()[1]
        return None if self.driver.returncode == 0 else f"exit status {self.driver.returncode}: {words.strip()}"

    def tidy(self):
        """Ends what was begun, and replaces workers that have left."""
        for _, _, step, arguments in self.steps:
            step(*arguments)
        if self.driver.poll() is None:
            self.driver.kill()
            self.driver.communicate()
        for worker in list(self.cluster.workers):
            if worker.process.poll() is not None:
                self.cluster.workers.remove(worker)
                worker.remove()
        while len(self.cluster.workers) < WORKERS:
            self.cluster.add_worker()


def check(round_, expected):
    wrong = round_.run()
    found = outputs(round_.out) if wrong is None else {}
    if wrong is None and found != expected:
        differing = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        wrong = f"output differs from the quiet run in {differing}"
    if round_.cluster.coordinator.poll() is not None:
        wrong = f"{wrong or ''} the coordinator has ended"
    round_.tidy()
    return wrong


def faults_for(cluster, options, durable):
    faults = ["kill_worker", "stop_worker", "kill_slot", "stop_slot", "drain_worker", "stop_coordinator", "kill_driver"]
    if cluster.alone:
        faults += ["cut_link", "mute_link", "fill_disk", "lose_host"] + (["fill_state"] if durable else [])
    else:
        print("SKIP: no cut links and full disks: that takes the rights of root and namespaces")
    if durable:
        faults.append("kill_coordinator")
    else:
        print("SKIP: the coordinator is not killed: it keeps no state")
    chosen = options.only.split(",") if options.only else faults
    return [fault for fault in faults if fault in chosen]


def rounds(cluster, options, durable):
    faults = faults_for(cluster, options, durable)
    begin = time.monotonic()
    quiet = cluster.start_driver(cluster.folder / "quiet", "quiet")
    words = quiet.communicate(timeout=JOB_SECONDS_MAX)[1]
    cluster.quiet_s = time.monotonic() - begin
    if quiet.returncode != 0:
        raise RuntimeError(f"the quiet run failed: {words}")
    expected = outputs(cluster.folder / "quiet")
    print(f"the quiet run took {cluster.quiet_s:.1f} s")
    seed = options.seed
    begin = time.monotonic()
    done = 0
    while options.endless or done < options.rounds:
        if options.seconds and time.monotonic() - begin > options.seconds:
            print(f"{done} of {options.rounds} rounds: the time of {options.seconds} s is over")
            return 1
        round_ = Round(cluster, seed, faults)
        started = time.monotonic()
        wrong = check(round_, expected)
        print(f"seed {seed}: {' '.join(round_.said)}: {time.monotonic() - started:.1f} s {wrong or 'ok'}", flush=True)
        if wrong:
            print(f"again: chaos.py --seed {seed} --rounds 1; log: {cluster.folder}/log")
            return 1
        subprocess.run(["rm", "-rf", round_.out], check=True)
        seed += 1
        done += 1
    print(f"{done} rounds in {time.monotonic() - begin:.0f} s, output the same in all")
    return 0


def alone():
    """Runs this program again in networks and mounts of its own, if the system lets us."""
    probe = ["unshare", "--net", "--mount", "--uts", "sh", "-c", "ip link set lo up && ip link add probe type bridge"]
    if os.environ.get("ZONDA_CHAOS_ALONE") or os.geteuid() != 0 or \
            subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return
    os.environ["ZONDA_CHAOS_ALONE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--endless", action="store_true")
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    alone()
    durable = "--state" in subprocess.run([PROGRAM, "coordinator", "--help"], capture_output=True, text=True,
                                          check=True).stdout
    cluster = Cluster(options.steps, durable)
    status = 1
    try:
        status = rounds(cluster, options, durable)
    finally:
        cluster.close()
        if cluster.alone and durable:
            subprocess.run(["umount", cluster.folder / "state"], check=False)
        if status == 0 and not options.keep:
            subprocess.run(["rm", "-rf", cluster.folder], check=False)
    return status


if __name__ == "__main__":
    sys.exit(main())
