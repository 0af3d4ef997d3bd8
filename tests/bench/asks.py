"""asks.py SERVER NAME SECONDS: how many queries for an address a name server answers in a second, 64 at a time."""

import select
import socket
import struct
import sys
import time

server, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
asker.connect((server, 53))


def ask(number):
    asker.send(struct.pack(">6H", number & 0xFFFF, 0x100, 1, 0, 0, 0) + question)


answered, sent = 0, 0
begun = time.perf_counter()
for sent in range(64):
    ask(sent)
while time.perf_counter() - begun < seconds:
    if not select.select([asker], [], [], 1)[0]:
        # Some got lost.
        for _ in range(64):
            sent += 1
            ask(sent)
        continue
    answer = asker.recv(1500)
    if struct.unpack(">H", answer[6:8])[0] < 1:
        sys.exit(f"{server} has no answer for {name}: {answer.hex()}")
    answered += 1
    sent += 1
    ask(sent)
print(answered / (time.perf_counter() - begun))
