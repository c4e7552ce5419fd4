# SPDX-License-Identifier: MPL-2.0
"""Recorded conversations: proxies in front of the ipc sockets of a coordinator, which keep what workers and drivers
say, and an attack that says it again, to the same socket and to others."""
import contextlib
import os
import socket
import threading

from attacks import EXPECTED
from zmtp import connect

RECORDED_MAX = 256 * 1024


class Recorder:
    """Takes the place of a socket file; what is behind it goes on under another name."""

    def __init__(self, path):
        self.path = path
        os.rename(path, path + ".behind")
        self.conversations = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(200)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                front, _ = self.listener.accept()
                back = connect(f"ipc://{self.path}.behind", None)
            except OSError:
                return
            record = bytearray()
            self.conversations.append(record)
            for pair in ((front, back, record), (back, front, None)):
                threading.Thread(target=self.forward, args=pair, daemon=True).start()

    @staticmethod
    def forward(source, target, record):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if record is not None and len(record) < RECORDED_MAX:
                    record += data
                target.sendall(data)
        for link in (source, target):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()


def begin_again(endpoint, words):
    """Sends greeting and handshake of a conversation and waits for the answers, as libzmq does not take what comes
    before them; returns the connection and the rest of the words."""
    shaken = 66 + words[65]
    link = connect(endpoint)
    link.settimeout(1)
    link.sendall(words[:shaken])
    heard = b""
    while len(heard) < 66:
        more = link.recv(4096)
        if not more:
            raise ConnectionError("closed")
        heard += more
    return link, words[shaken:]


def replay_of(conversations, pause_s):
    """An attack that says one of them again every `pause_s` seconds, whole or cut off, once or twice."""
    def replays(endpoint, random, forge, stop):
        while not stop.wait(pause_s):
            with contextlib.suppress(*EXPECTED):
                link, words = begin_again(endpoint, bytes(random.choice(conversations)))
                if random.random() < .3:
                    words = words[:random.randrange(len(words) + 1)]
                link.sendall(words)
                if random.random() < .3:
                    link.sendall(words)
                stop.wait(random.choice([0, 0.05, 0.2]))
                link.close()
    return replays
