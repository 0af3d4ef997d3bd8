"""resolver.py ADDRESS [silent | failing | STATE]: a resolver of the host's, at port 53 by UDP and TCP. It knows every name
of example.org as 192.0.2.7, many.example.org as more than a packet holds, and counts in the file STATE what it is asked."""

import socket
import struct
import sys
import threading

ADDRESS, MODE = sys.argv[1], (sys.argv[2:] or [""])[0]
FAMILY = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET


def answer(packet, by_stream):
    end = 12
    while packet[end]:
        end += 1 + packet[end]
    name, question = packet[12:end].lower(), packet[12 : end + 5]
    if MODE not in ("", "silent", "failing"):
        with open(MODE, "a", encoding="utf-8") as state:
            state.write(f"{'tcp' if by_stream else 'udp'} {name[1:].decode(errors='replace')!r}\n")
    head = lambda flags, count: packet[:2] + struct.pack(">HHHHH", flags, 1, count, 0, 0) + question
    if MODE == "failing":
        return head(0x8182, 0)
    if not name.endswith(b"\7example\3org"):
        return head(0x8183, 0)
    count = 200 if name.startswith(b"\4many") else 1
    if count > 1 and not by_stream:
        return head(0x8380, 0)
    record = lambda number: struct.pack(">HHHIH4B", 0xC00C, 1, 1, 60, 4, 192, 0, 2, number)
    return head(0x8180, count) + b"".join(record(7 + number) for number in range(count))


def streams():
    with socket.create_server((ADDRESS, 53), family=FAMILY, backlog=64) as listener:
        while True:
            stream, _ = listener.accept()
            with stream:
                length = struct.unpack(">H", stream.recv(2))[0]
                reply = answer(stream.recv(length), True)
                stream.sendall(struct.pack(">H", len(reply)) + reply)


with socket.socket(FAMILY, socket.SOCK_DGRAM) as datagrams:
    datagrams.bind((ADDRESS, 53))
    threading.Thread(target=streams, daemon=True).start()
    print("ready", flush=True)
    while True:
        received, asker = datagrams.recvfrom(4096)
        if MODE != "silent":
            datagrams.sendto(answer(received, False), asker)
