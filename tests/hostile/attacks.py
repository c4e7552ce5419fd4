# SPDX-License-Identifier: MPL-2.0
"""What hostile clients do to a socket. Each attack is a function (endpoint, random, forge, stop) that goes on until
`stop` is set; what the victim does to it (closing, refusing, not answering) is no failure of the attack."""
import contextlib
import socket
import struct
import time

from zmtp import GREETING, Peer, connect, part, ready

KINDS = ["DEALER", "REQ", "SUB"]
EXPECTED = (OSError, ConnectionError, socket.timeout, struct.error)
FRAME_MAX = 16 * 1024 * 1024


def peer(endpoint, turn, timeout=2):
    """A peer of the kind whose turn it is; sockets take some kinds and refuse others."""
    return Peer(endpoint, KINDS[turn % len(KINDS)], timeout)


def silence(endpoint, random, forge, stop):
    """Hundreds of connections that say nothing, or stop in the middle of a greeting or handshake."""
    begins = [b"", GREETING[:1], GREETING[:11], GREETING[:63], GREETING, GREETING + ready("DEALER")[:9],
              GREETING + ready("DEALER")]
    links = []
    while not stop.wait(0.05):
        with contextlib.suppress(*EXPECTED):
            for _ in range(20):
                if len(links) < 150:
                    link = connect(endpoint)
                    link.sendall(random.choice(begins))
                    links.append(link)
    for link in links:
        link.close()


def slowness(endpoint, random, forge, stop):
    """Greeting, handshake and a frame, a byte at a time."""
    frame = forge.frame("HEARTBEAT mixed")
    text = GREETING + ready("DEALER") + part(frame)
    links = []
    while not stop.wait(0.02):
        with contextlib.suppress(*EXPECTED):
            if len(links) < 50:
                links.append([connect(endpoint), 0])
        for link in links:
            with contextlib.suppress(*EXPECTED):
                link[0].sendall(text[link[1]:link[1] + 1])
                link[1] += 1
    for link, _ in links:
        link.close()


def noise(endpoint, random, forge, stop):
    """Bytes that are no greeting, and bytes behind a good greeting and handshake."""
    words = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\xff" * 64, b"\0" * 64,
             b"\x01\x00", b"SSH-2.0-x\r\n"]
    while not stop.is_set():
        for begin in (b"", GREETING, GREETING + ready("DEALER"), GREETING + ready("\0" * 40),
                      GREETING[:10] + b"\xff" + GREETING[11:]):
            with contextlib.suppress(*EXPECTED):
                link = connect(endpoint)
                link.sendall(begin + random.choice(words + [random.randbytes(random.randrange(1, 5000))]))
                link.sendall(random.randbytes(100))
                link.close()


def framing(endpoint, random, forge, stop):
    """Good handshakes, then lengths, flags and numbers of parts that nobody means."""
    turn = 0
    while not stop.is_set():
        turn += 1
        with contextlib.suppress(*EXPECTED):
            one = peer(endpoint, turn)
            attack = random.randrange(6)
            if attack == 0:
                size = random.choice([2**64 - 1, 2**63, 2**31, FRAME_MAX + 25, FRAME_MAX])
                one.link.sendall(b"\x02" + struct.pack(">Q", size) + random.randbytes(1000))
            elif attack == 1:
                one.link.sendall(bytes([random.randrange(8, 256)]) + random.randbytes(50))
            elif attack == 2:
                one.send(*[random.randbytes(20)] * random.randrange(2, 300))
            elif attack == 3:
                one.link.sendall(part(b"\x05ERROR\x03abc" if random.random() < .5 else random.randbytes(30),
                                      command=True))
            elif attack == 4:
                one.send(b"")
                one.send(b"", b"")
            else:
                frame = forge.frame("RESULT full")
                one.link.sendall(part(frame)[:random.randrange(1, len(frame))])
            one.close()


def unfinished(endpoint, random, forge, stop):
    """Messages whose last part, or last byte, never comes, on many connections. Not without end: libzmq bounds parts
    and messages, but not the parts of a message, so what it holds then is up to who may connect."""
    links = []
    piece = part(bytes(400 * 1024), more=True)
    while not stop.wait(0.01):
        with contextlib.suppress(*EXPECTED):
            if len(links) < 40:
                one = peer(endpoint, 0, timeout=0.3)
                links.append(one)
                if len(links) % 2 == 0:
                    size = 12 * 1024 * 1024
                    one.link.sendall(b"\x02" + struct.pack(">Q", size) + bytes(size - 1))
                else:
                    one.link.sendall(piece * 5)
    for one in links:
        one.close()


def bad_frames(endpoint, random, forge, stop):
    """Frames of ours with a few bytes changed, cut off, of another version, or that inflate to something else."""
    names = ["HELLO", "RESULT", "TASK", "START_STAGE", "PUT_BLOB", "FETCH", "COLLECT_RESULTS", "GET_BLOB"]
    frames = [forge.frame(f"{name} {kind}") for name in names for kind in ("mixed", "full")]
    turn = 0
    while not stop.is_set():
        turn += 1
        with contextlib.suppress(*EXPECTED):
            one = peer(endpoint, turn)
            for _ in range(20):
                frame = bytearray(random.choice(frames))
                for _ in range(random.randrange(1, 4)):
                    frame[random.randrange(min(len(frame), 60))] = random.randrange(256)
                one.send(bytes(frame[:random.choice([len(frame), random.randrange(len(frame))])]))
            one.close()


def impostors(endpoint, random, forge, stop):
    """Every message on every socket, whoever it is from by right, with numbers from nothing to the largest."""
    names = ["ENDPOINTS", "REFUSAL", "JOB_OPENED", "STATUS", "RESULTS", "WELCOME", "TASK", "RESULT", "CREDIT",
             "HEARTBEAT", "DONE", "CANCEL", "COMMIT", "COMMITTED", "REJOIN", "HOLDING", "WITHDRAW", "DRAIN", "HANDBACK",
             "GET_BLOB", "BLOB", "FETCH", "DATA", "EVENT", "GET_STATUS", "LIST_JOBS", "LIST_WORKERS", "EXPLAIN",
             "COLLECT_RESULTS", "PUT_BLOB", "START_STAGE", "CLOSE_JOB", "CANCEL_JOB", "LIST_HISTORY"]
    turn = 0
    while not stop.is_set():
        turn += 1
        with contextlib.suppress(*EXPECTED):
            one = peer(endpoint, turn)
            for _ in range(20):
                kind = random.choice(["empty", "mixed", "full"])
                one.send(forge.frame(f"{random.choice(names)} {kind} client={random.randrange(2**64)}"))
            one.close()


def flood(endpoint, random, forge, stop):
    """As many good small messages as the connection takes, and nobody reads the answers."""
    messages = [forge.frame(line) for line in ("HEARTBEAT mixed", "LIST_JOBS mixed", "FETCH mixed",
                                               "GET_BLOB mixed", "RESULT mixed")]
    while not stop.is_set():
        with contextlib.suppress(*EXPECTED):
            one = peer(endpoint, 0, timeout=0.5)
            batch = part(random.choice(messages)) * 500
            while not stop.is_set():
                one.link.sendall(batch)


def register(work, forge, client):
    """Says HELLO as a worker; returns the peer and its epoch."""
    one = Peer(work, "DEALER")
    one.send(forge.frame(f"HELLO empty role=1 client={client} request=1 slots=1"))
    while True:
        epoch = forge.number(one.receive(), "epoch")
        if epoch is not None:
            return one, epoch


def thieves(endpoint, random, forge, stop):
    """A worker of its own, which learns from its epoch what those of others are, and speaks in their names: results,
    commits, good-byes, credits, hand-backs."""
    while not stop.wait(0.02):
        with contextlib.suppress(*EXPECTED):
            one, mine = register(endpoint, forge, random.randrange(1, 2**63))
            for _ in range(50):
                epoch = mine - random.randrange(1, 20)
                one.send(forge.frame(random.choice([
                    f"RESULT mixed epoch={epoch} sequence={random.randrange(1, 50)} stage=0 first*=0 count*=1 attempt*=1",
                    f"HEARTBEAT empty epoch={epoch} sent={random.randrange(2**40)}",
                    f"DONE empty epoch={epoch} scope=2", f"DONE empty epoch={epoch} scope=1",
                    f"CREDIT empty epoch={epoch} tasks=0", f"COMMIT empty epoch={epoch} attempt=1",
                    f"HOLDING mixed epoch={epoch} sequence=1", f"HANDBACK mixed epoch={epoch} sequence=1",
                    f"DRAIN empty epoch={epoch}"])))
            one.close()


def idlers(endpoint, random, forge, stop):
    """Workers that ask for tasks and then are never heard of again, or say what cannot be true of their own tasks."""
    while not stop.wait(0.3):
        with contextlib.suppress(*EXPECTED):
            one, mine = register(endpoint, forge, random.randrange(1, 2**63))
            one.send(forge.frame(f"CREDIT empty epoch={mine} tasks={random.choice([1, 3, 65536])}"))
            for line in ("HANDBACK full", "HOLDING full", "COMMIT full", "HEARTBEAT full", "RESULT empty"):
                one.send(forge.frame(f"{line} epoch={mine} sequence=1"))
            time.sleep(0.05)
            one.close()


EVERYWHERE = [silence, slowness, noise, framing, unfinished, bad_frames, impostors, flood]
ON_WORK = [thieves, idlers]
