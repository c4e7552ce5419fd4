#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Three hosts: network namespaces with addresses of their own on one bridge, host names and scratch folders of
their own. Coordinator, workers and driver meet over these addresses, with keys; what goes over the wire is listened
to. Needs root."""
import os
import socket
import subprocess
import sys
import time
import unittest

from harness import PROGRAM, TestCase, zonda

# A shuffle with results that are large enough to be fetched from data sockets.
SHUFFLE = ["from-range", "4000", "--shards", "8", "then", "map", "{ k = r % 7, text = ('x'):rep(500) .. r }",
           "then", "group-by", "k", "--shards", "4", "--reduce", "for r in rows do emit(r) end"]
MARK = "swordfish"  # the name of the job, which travels as it is


def listen():
    """Run in the namespace of the bridge: says whether MARK went by, and how many bytes did."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        os.write(1, b"ready\n")
        wire.settimeout(0.2)
        seen, total, ended = False, 0, False
        while True:
            try:
                packet = wire.recv(1 << 17)
            except socket.timeout:
                if ended:
                    break
                ended = os.stat("stop").st_size > 0
                continue
            seen = seen or MARK.encode() in packet
            total += len(packet)
    print("seen" if seen else "not-seen", total)


class Hosts:
    """Namespaces of networks: `addresses` on a bridge in one of its own."""

    def __init__(self, count):
        self.tag = f"zn{os.getpid()}"
        self.names = [f"{self.tag}h{i}" for i in range(count)]
        self.addresses = [f"10.97.53.{i + 1}" for i in range(count)]
        self.bridge = f"{self.tag}b"
        self.made = []

    def ip(self, *words):
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    def make(self):
        for name in [self.bridge, *self.names]:
            self.ip("netns", "add", name)
            self.made.append(name)
            self.ip("-n", name, "link", "set", "lo", "up")
        self.ip("-n", self.bridge, "link", "add", "br0", "type", "bridge")
        self.ip("-n", self.bridge, "link", "set", "br0", "up")
        for i, (name, address) in enumerate(zip(self.names, self.addresses)):
            self.ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"p{i}", "netns", self.bridge)
            self.ip("-n", self.bridge, "link", "set", f"p{i}", "master", "br0", "up")
            self.ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            self.ip("-n", name, "link", "set", "eth0", "up")

    def remove(self):
        while self.made:
            subprocess.run(["ip", "netns", "del", self.made.pop()], capture_output=True, check=False)

    def words(self, index, *words):
        """A command line that runs on a host, with a scratch folder that only it sees."""
        return ["ip", "netns", "exec", self.names[index], "unshare", "--uts", "--mount", "sh", "-c",
                'hostname "$0" && mount -t tmpfs none "$TMPDIR" && exec "$@"', f"host{index}", *map(str, words)]


class ThreeHosts(TestCase):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("network namespaces need root")
        self.hosts = Hosts(3)
        self.addCleanup(self.hosts.remove)
        try:
            self.hosts.make()
        except (OSError, subprocess.CalledProcessError) as problem:
            self.skipTest(f"no network namespaces here: {getattr(problem, 'stderr', problem)}")
        (self.folder / "tmp").mkdir()
        (self.folder / "stop").touch()
        self.log = open(self.folder / "log", "w+")
        self.addCleanup(self.log.close)

    def start(self, host, *words, **options):
        process = subprocess.Popen(self.hosts.words(host, PROGRAM, *words), stderr=self.log, text=True,
                                   env={**os.environ, "TMPDIR": str(self.folder / "tmp")}, **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def call(self, host, *words):
        return subprocess.run(self.hosts.words(host, PROGRAM, *words), capture_output=True, text=True, timeout=120,
                              env={**os.environ, "TMPDIR": str(self.folder / "tmp")}, check=False)

    def start_cluster(self, coordinator, workers):
        """Returns the endpoint; the coordinator is told neither its address nor its name."""
        process = self.start(0, "coordinator", "--bind", "tcp://0.0.0.0:*", "--advertise", self.hosts.addresses[0],
                             *coordinator, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        endpoint = process.stdout.readline().split()[1]
        self.assertIn(f"tcp://{self.hosts.addresses[0]}:", endpoint)
        for host, options in workers:
            self.start(host, "worker", "--connect", endpoint, "--slots", "2", *options)
        return endpoint

    def run_job(self, endpoint, *keys):
        """Runs the job from the third host, with somebody who listens; returns what he heard."""
        quiet = zonda("run", "--quiet", *SHUFFLE)
        end = time.monotonic() + 60
        while self.call(2, "workers", "--connect", endpoint, *keys).stdout.count("\n") < 3:
            self.assertLess(time.monotonic(), end, "the workers do not come")
        with subprocess.Popen(["ip", "netns", "exec", self.hosts.bridge, sys.executable, os.path.abspath(__file__),
                               "listen"], cwd=self.folder, stdout=subprocess.PIPE, text=True) as listener:
            self.assertEqual(listener.stdout.readline(), "ready\n")
            result = self.call(2, "run", "--quiet", "--name", MARK, "--connect", endpoint, *keys, *SHUFFLE)
            (self.folder / "stop").write_text("stop")
            heard, total = listener.stdout.readline().split()
        self.expect(result, 0)
        self.assertEqual(sorted(result.stdout.splitlines()), sorted(quiet.stdout.splitlines()))
        self.assertGreater(int(total), 20000, "the hosts should have used the network")
        return heard

    def test_a_job_with_keys_over_real_addresses(self):
        keys = self.folder / "keys"
        zonda("keygen", keys)
        for name in "host1", "host2", "alice":
            zonda("keygen", keys, "--client", name)
        endpoint = self.start_cluster(["--keys", keys], [(1, ["--keys", keys / "clients/host1"]),
                                                         (2, ["--keys", keys / "clients/host2"])])
        self.assertEqual(self.run_job(endpoint, "--keys", keys / "clients/alice"), "not-seen")
        # A machine in the same network without keys gets nowhere.
        self.expect(self.call(1, "run", "--connect", endpoint, *SHUFFLE), 3, "--keys DIR")

    def test_without_keys_the_wire_tells_everything(self):
        """The other test's proof: there is something to hear."""
        endpoint = self.start_cluster(["--insecure"], [(1, ["--insecure"]), (2, ["--insecure"])])
        self.assertEqual(self.run_job(endpoint), "seen")


if __name__ == "__main__":
    if sys.argv[1:] == ["listen"]:
        listen()
    else:
        unittest.main()
