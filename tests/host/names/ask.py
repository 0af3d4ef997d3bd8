"""ask.py [--tcp] [--port N] [--edns BYTES] [--every SECONDS] [--source ADDRESS] [--pause SECONDS] SERVER NAME[/TYPE]…: asks as a resolver does, again and again
for ten seconds, and prints one line a name: the code (and TC), then the answers, sorted."""

import argparse
import ipaddress
import random
import socket
import struct
import time

TYPES = {"A": 1, "NS": 2, "PTR": 12, "MX": 15, "AAAA": 28}
CODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]


def encode(name):
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(number, name, kind, edns):
    packet = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 1 if edns else 0)
    packet += encode(name) + struct.pack(">HH", TYPES[kind], 1)
    return packet + (struct.pack(">BHHIH", 0, 41, edns, 0, 0) if edns else b"")


def name_at(packet, at):
    labels, end = [], None
    while packet[at]:
        if packet[at] >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from(">H", packet, at)[0] & 0x3FFF
            continue
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels), end or at + 1


def read(packet, asked):
    _, flags, questions, answers, _, _ = struct.unpack_from(">HHHHHH", packet)
    at, found = 12, []
    for _ in range(questions):
        name, at = name_at(packet, at)
        assert name.lower() == asked.lower().rstrip("."), f"{name} is not {asked}"
        at += 4
    for _ in range(answers):
        _, at = name_at(packet, at)
        kind, _, _, length = struct.unpack_from(">HHIH", packet, at)
        at += 10
        data = packet[at : at + length]
        found.append(str(ipaddress.ip_address(data)) if kind in (1, 28) else name_at(packet, at)[0])
        at += length
    code = CODES[flags & 15] + (" TC" if flags & 0x0200 else "")
    return " ".join([code, *sorted(found)])


def by_udp(server, port, packet, every, source):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    end = time.monotonic() + 10
    # Connected: only an answer from the address that was asked is taken.
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        if source:
            asker.bind((source, 0))
        asker.connect((server, port))
        asker.settimeout(every)
        while time.monotonic() < end:
            asker.send(packet)
            try:
                answer = asker.recv(65535)
            except TimeoutError:
                continue
            if answer[:2] == packet[:2]:
                return answer
    raise SystemExit("no answer")


def exactly(stream, count):
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            raise SystemExit("closed")
        data += more
    return data


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--tcp", action="store_true")
    options.add_argument("--port", type=int, default=53)
    options.add_argument("--edns", type=int)
    options.add_argument("--every", type=float, default=0.5)
    options.add_argument("--source")
    options.add_argument("--pause", type=float, default=0)
    options.add_argument("server")
    options.add_argument("names", nargs="+")
    given = options.parse_args()
    stream = socket.create_connection((given.server, given.port), 10) if given.tcp else None
    for word in given.names:
        name, _, kind = word.partition("/")
        packet = question(random.randrange(65536), name, kind or "A", given.edns)
        if stream:
            stream.sendall(struct.pack(">H", len(packet)) + packet)
            answer = exactly(stream, struct.unpack(">H", exactly(stream, 2))[0])
        else:
            answer = by_udp(given.server, given.port, packet, given.every, given.source)
        assert answer[:2] == packet[:2]
        print(read(answer, name), flush=True)
        time.sleep(given.pause)


if __name__ == "__main__":
    main()
