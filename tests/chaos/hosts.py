# SPDX-License-Identifier: MPL-2.0
"""Where workers of the chaos runner live. With the rights of root each has a host of its own: a name, a network link that
can be cut, and a small disk that can be filled. Otherwise they are plain processes, and links and disks stay whole."""
import os
import pathlib
import subprocess
import tempfile

BRIDGE = "zonda0"
COORDINATOR = "10.77.0.1"
EMPTY_HOSTS = []  # networks of hosts whose workers were killed: open descriptors keep them
EMPTY_HOSTS_MAX = 8
DISK_BYTES = 48 * 1024 * 1024
# Waits until its network is there, then becomes the program.
ENTER = ('hostname "$0" && mount -t tmpfs -o size=%d none "$TMPDIR" && read -r go && exec "$@"' % DISK_BYTES)


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def small_disk(folder):
    """A disk of its own for a folder."""
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder))


def can_have_hosts():
    """Whether this process, which should be in a network of its own, can make hosts in it."""
    if os.geteuid() != 0 or os.environ.get("ZONDA_CHAOS_ALONE") != "1":
        return False
    try:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{COORDINATOR}/16", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        run("ip", "link", "set", "lo", "up")
        run("unshare", "--net", "--uts", "--mount", "true")
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def fill(path, full):
    """Makes a file as large as the disk lets it be, or removes it."""
    try:
        if not full:
            path.unlink()
            return
        with open(path, "wb", buffering=0) as file:
            while file.write(bytes(256 * 1024)):
                pass
    except OSError:
        pass  # full, which was wanted; or the host is gone


class Plain:
    """A worker as a plain process."""

    def __init__(self, program, number, words, log):
        self.number = number
        self.scratch = tempfile.mkdtemp(prefix="zonda-chaos-scratch-")
        self.process = subprocess.Popen([program, *words], stdin=subprocess.DEVNULL, stderr=log,
                                        env={**os.environ, "TMPDIR": self.scratch})

    def remove(self, vanish=False):  # pylint: disable=unused-argument
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        subprocess.run(["rm", "-rf", self.scratch], check=False)


class Host(Plain):
    """A worker on a host of its own."""

    def __init__(self, program, number, words, log):  # pylint: disable=super-init-not-called
        self.number = number
        self.scratch = tempfile.mkdtemp(prefix="zonda-chaos-scratch-")
        self.link = f"zc{number}"
        self.process = subprocess.Popen(
            ["unshare", "--net", "--uts", "--mount", "sh", "-c", ENTER, f"chaos{number}", program, *words],
            stdin=subprocess.PIPE, stderr=log, env={**os.environ, "TMPDIR": self.scratch})
        self.wait_for_namespace()
        self.network = os.open(f"/proc/{self.process.pid}/ns/net", os.O_RDONLY)
        pid = str(self.process.pid)
        inside = ["nsenter", "-t", pid, "-n"]
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", pid)
        run("ip", "link", "set", self.link, "master", BRIDGE, "up")
        run(*inside, "ip", "addr", "add", f"10.77.{number // 250 + 1}.{number % 250 + 1}/16", "dev", "eth0")
        run(*inside, "ip", "link", "set", "eth0", "up")
        run(*inside, "ip", "link", "set", "lo", "up")
        self.process.stdin.write(b"go\n")
        self.process.stdin.close()

    def wait_for_namespace(self):
        ours = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.process.pid}/ns/net") == ours:
            if self.process.poll() is not None:
                raise RuntimeError("a host could not be made")

    def remove(self, vanish=False):
        """The worker is killed; its host stays, and says that nobody listens there, unless it goes as well."""
        if vanish:
            self.cut(False)
        super().remove()
        EMPTY_HOSTS.append(self.network)
        while len(EMPTY_HOSTS) > (0 if vanish else EMPTY_HOSTS_MAX):
            os.close(EMPTY_HOSTS.pop(0))

    def mute(self, whole):
        """What the host sends to the coordinator is lost; what it is sent arrives."""
        subprocess.run(["nsenter", "-t", str(self.process.pid), "-n", "ip", "route", "del" if whole else "add", "blackhole",
                        COORDINATOR], check=False, stderr=subprocess.DEVNULL)

    def cut(self, whole):
        subprocess.run(["ip", "link", "set", self.link, "up" if whole else "down"], check=False,
                       stderr=subprocess.DEVNULL)

    def fill_disk(self, full):
        fill(pathlib.Path(f"/proc/{self.process.pid}/root{self.scratch}/fill"), full)
