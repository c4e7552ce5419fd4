# SPDX-License-Identifier: MPL-2.0
"""Processes of a peer: started, watched, and ended with all that they started. This process adopts what they leave behind (Linux:
it is their subreaper), so its descendants are all of them, daemons too."""
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

PR_SET_CHILD_SUBREAPER = 36
FAST_SECONDS, FAST_INTERVAL, INTERVAL = 2, 0.05, 0.25


def adopt():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants():
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = pathlib.Path(entry.path, "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [os.getpid()]
    while queue:
        queue += parents.get(queue[0], [])
        found += parents.get(queue.pop(0), [])
    return found


def resident_bytes(pid):
    """The part of memory that is this process's: pages that n processes share count 1/n."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def end_all():
    """Ends all descendants: asks first, then does not ask."""
    for number, patience in ((signal.SIGTERM, 2), (signal.SIGKILL, 5)):
        until = time.monotonic() + patience
        for pid in descendants():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        while time.monotonic() < until:
            reap()
            if not descendants():
                return
            time.sleep(0.02)


def seconds(command, timeout):
    """From the start of a command to its end."""
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout)
    return time.monotonic() - start


class Watch:
    """One run of peer.py: its report, and the largest memory of all its processes together between its first result and its end."""

    def __init__(self, command, timeout, folder):
        self.problem, self.peak_bytes, self.timed_out = None, 0, False
        self.log = pathlib.Path(folder, "log")
        with open(self.log, "w") as log:
            self.start = time.monotonic()
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                                            text=True, cwd=folder, start_new_session=True)
        self.timer = threading.Timer(timeout, self.expire)
        self.timer.start()
        self.timeout, self.done = timeout, threading.Event()

    def expire(self):
        self.timed_out = True
        self.process.kill()
        for pid in descendants():  # whoever holds its output keeps us waiting
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def sample(self):
        start = time.monotonic()
        while not self.done.is_set():
            self.peak_bytes = max(self.peak_bytes, sum(map(resident_bytes, descendants())))
            self.done.wait(FAST_INTERVAL if time.monotonic() - start < FAST_SECONDS else INTERVAL)

    def events(self):
        """The lines of the report, each with "after", the seconds since the start."""
        sampler = threading.Thread(target=self.sample)
        event = {"event": None}
        try:
            for line in self.process.stdout:
                event = {"after": time.monotonic() - self.start, **json.loads(line)}
                if event["event"] == "first":
                    sampler.start()
                if event["event"] == "end":
                    break
                yield event
        finally:
            self.timer.cancel()
            self.done.set()
            if sampler.ident is not None:
                sampler.join()
            end_all()
            self.process.stdout.close()
        if self.timed_out:
            self.problem = f"takes more than {self.timeout:g} s"
        elif event["event"] != "end":
            self.problem = "failed: " + (self.log.read_text().strip().splitlines() or ["no reason given"])[-1][:200]
