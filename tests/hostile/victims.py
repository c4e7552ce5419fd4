# SPDX-License-Identifier: MPL-2.0
"""A cluster under attack: where its processes listen, how much memory they take, and the job that has to finish."""
import os
import pathlib
import random
import threading

from harness import DATA, MANIFEST, Cluster
from zmtp import Forge, Peer


def sockets_of(pid):
    """Inodes of the sockets that a process has open."""
    found = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def listening(pid):
    """The endpoints at which a process listens, read from the system."""
    inodes = sockets_of(pid)
    found = []
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            found.append(f"tcp://127.0.0.1:{int(fields[1].split(':')[1], 16)}")
    for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        listens = int(fields[3], 16) & 0x10000
        if listens and fields[6] in inodes and len(fields) > 7:
            found.append(f"ipc://{fields[7]}")
    return sorted(set(found))


def memory(pid, field="VmHWM"):
    """KiB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {field}")


def job(folder):
    """Map, shuffle, sort and a sink over real data."""
    return ["read", f"{DATA}/packages-*.jsonl.zst", "then", "map", "{ s = r.section, p = r.package, n = r.installed_size }",
            "then", "group-by", "s", "--shards", "6", "--reduce",
            "local n, c = 0, 0 for r in rows do n = n + (r.n or 0) c = c + 1 end emit { s = key, n = n, c = c }",
            "then", "sort", "s", "--shards", "3", "then", "write", f"{folder}/{{shard}}.jsonl"]


def outputs(folder):
    return {p.name: p.read_bytes() for p in sorted(pathlib.Path(folder).iterdir()) if not p.name.endswith(MANIFEST)}


class Siege:
    """Attackers in threads, around a piece of work."""

    def __init__(self, attacks, seed):
        """`attacks`: pairs of an attack and the endpoint that it is for."""
        self.stop = threading.Event()
        self.failures = []
        self.forges = []
        self.threads = [threading.Thread(target=self.attack, args=(*pair, seed + i)) for i, pair in enumerate(attacks)]

    def attack(self, attack, endpoint, seed):
        forge = Forge()
        self.forges.append(forge)
        try:
            attack(endpoint, random.Random(seed), forge, self.stop)
        except Exception as failure:  # pylint: disable=broad-except
            self.failures.append((attack.__name__, endpoint, repr(failure)))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        for forge in self.forges:
            forge.close()


def answers(endpoint, forge):
    """Whether the control socket still answers."""
    one = Peer(endpoint, "REQ", timeout=20)
    one.send(forge.frame("LIST_JOBS empty client=77 request=1"))
    text = forge.text(one.receive())
    one.close()
    return text.startswith("JOBS")


__all__ = ["Cluster", "Siege", "answers", "sockets_of", "job", "listening", "memory", "outputs"]
