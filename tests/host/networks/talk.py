"""Who sees whom.

serve NAME PORT…            answers by TCP and UDP, over IPv4 and IPv6, “NAME sees ADDRESS”, and says the address it is asked from
ask PATIENCE QUESTION…      asks all of them at once, each PROTOCOL[4|6]:HOST:PORT[,OWN PORT], and prints a line for every answer:
                            what was said, “refused”, “nothing” after so many seconds, or the error
"""

import ipaddress
import socket
import sys
import threading
import time

AGAIN = 0.5


def plain(address):
    address = ipaddress.ip_address(address)
    return str(getattr(address, "ipv4_mapped", None) or address)


def listener(kind, port):
    one = socket.socket(socket.AF_INET6, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    one.bind(("::", port))
    return one


def answer_streams(name, port):
    one = listener(socket.SOCK_STREAM, port)
    one.listen(1000)
    while True:
        connection, peer = one.accept()
        with connection:
            connection.sendall(f"{name} sees {plain(peer[0])}\n".encode())


def answer_datagrams(name, port):
    one = listener(socket.SOCK_DGRAM, port)
    while True:
        _, own, _, peer = one.recvmsg(100, 100)
        # From the address that was asked, by whichever interface leads back.
        own = [(level, kind, data[:16] + bytes(4)) for level, kind, data in own]
        one.sendmsg([f"{name} sees {plain(peer[0])}\n".encode()], own, 0, peer)


def serve(name, *ports):
    for port in ports:
        for answer in (answer_streams, answer_datagrams):
            threading.Thread(target=answer, args=(name, int(port))).start()


def said(question, patience):
    protocol, rest = question.split(":", 1)
    host, port = rest.rsplit(":", 1)
    port, _, own = port.partition(",")
    family = {"4": socket.AF_INET, "6": socket.AF_INET6}.get(protocol[3:], socket.AF_UNSPEC)
    kind = socket.SOCK_STREAM if protocol.startswith("TCP") else socket.SOCK_DGRAM
    end = time.monotonic() + patience
    family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, family, kind)[0]
    with socket.socket(family, kind) as one:
        if own:
            one.bind(("", int(own)))
        if kind == socket.SOCK_STREAM:
            one.settimeout(patience)
            one.connect(address)
            return one.makefile().readline().rstrip("\n")
        one.connect(address)
        one.settimeout(AGAIN)
        # A datagram may be lost.
        while time.monotonic() < end:
            one.send(b"?")
            try:
                return one.recv(100).decode().rstrip("\n")
            except TimeoutError:
                pass
        return "nothing"


def ask(patience, *questions):
    answers = [""] * len(questions)

    def one(number, question):
        try:
            answers[number] = said(question, float(patience))
        except ConnectionRefusedError:
            answers[number] = "refused"
        except TimeoutError:
            answers[number] = "nothing"
        except OSError as error:
            answers[number] = error.strerror or str(error)

    threads = [threading.Thread(target=one, args=asked) for asked in enumerate(questions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("\n".join(answers))


{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
