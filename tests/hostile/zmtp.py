# SPDX-License-Identifier: MPL-2.0
"""ZMTP 3.0 over a plain socket (https://rfc.zeromq.org/spec/23/), so that a client may do what no library lets it do;
and frames of ours, made and read by the program forge."""
import os
import re
import socket
import struct
import subprocess
import threading

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)


def connect(endpoint, timeout=5):
    """A connected socket; endpoint as "tcp://HOST:PORT" or "ipc://PATH"."""
    transport, address = endpoint.split("://", 1)
    if transport == "tcp":
        host, port = address.rsplit(":", 1)
        link = socket.create_connection((host, int(port)), timeout)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(timeout)
    link.connect(address)
    return link


def part(body, more=False, command=False):
    flags = (1 if more else 0) | (4 if command else 0)
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body


def ready(kind):
    name, value = b"Socket-Type", kind.encode()
    return part(b"\x05READY" + bytes([len(name)]) + name + struct.pack(">I", len(value)) + value, command=True)


class Peer:
    """A client that has shaken hands, as a DEALER, REQ or SUB would."""

    def __init__(self, endpoint, kind, timeout=5):
        self.link = connect(endpoint, timeout)
        self.kind = kind
        self.link.sendall(GREETING + ready(kind))
        self.read(64)
        self.read_part()

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.link.recv(size - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data

    def read_part(self):
        flags = self.read(1)[0]
        size = struct.unpack(">Q", self.read(8))[0] if flags & 2 else self.read(1)[0]
        return flags, self.read(size)

    def send(self, *parts):
        """One message; a REQ has an empty part before it."""
        parts = ([b""] if self.kind == "REQ" else []) + list(parts)
        self.link.sendall(b"".join(part(one, more=i + 1 < len(parts)) for i, one in enumerate(parts)))

    def receive(self):
        """The last part of the next message."""
        while True:
            flags, body = self.read_part()
            if flags & 5 == 0:
                return body

    def close(self):
        self.link.close()


class Forge:
    """Frames by description: forge.frame("HELLO mixed role=1")."""

    def __init__(self):
        program = os.environ["FORGE_PROGRAM"]
        self.maker = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.printer = subprocess.Popen([program, "--print"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock = threading.Lock()

    def frame(self, line):
        with self.lock:
            self.maker.stdin.write(line.encode() + b"\n")
            self.maker.stdin.flush()
            size = struct.unpack("<I", self.maker.stdout.read(4))[0]
            return self.maker.stdout.read(size)

    def text(self, frame):
        with self.lock:
            self.printer.stdin.write(struct.pack("<I", len(frame)) + frame)
            self.printer.stdin.flush()
            return self.printer.stdout.readline().decode()

    def number(self, frame, field):
        """The value of a field of a message, or None."""
        found = re.search(rf"\b{field}=(\d+)", self.text(frame))
        return int(found.group(1)) if found else None

    def close(self):
        for process in (self.maker, self.printer):
            process.stdin.close()
            process.wait()
            process.stdout.close()
