"""network.py: bridges, published ports and names beside podman's netavark and aardvark-dns; run on a host of the ring by
tests/bench/run. What comes from outside comes from a network namespace behind a link of its own."""

import json
import os
import statistics
import subprocess
import sys
import time

from measure import compare_to, milliseconds, run, write

TURNS = int(os.environ.get("BERTH_BENCH_TURNS", "15"))
TREE = "/srv/debian"
HOST, OUTSIDE = "192.0.2.1", "192.0.2.2"
SECONDS = 3
MANY = 1000

OUT = ["ip", "netns", "exec", "out"]
# The ring has no controller to limit processes with, which podman does unless told otherwise.
PODMAN = ["podman", "run", "--pids-limit=0"]


def prepare():
    for command in (
        "ip netns add out",
        "ip link add out0 type veth peer name eth0 netns out",
        f"ip address add {HOST}/24 dev out0",
        "ip link set out0 up",
        f"ip -n out address add {OUTSIDE}/24 dev eth0",
        "ip -n out link set eth0 up",
        "podman network create named",
    ):
        run(*command.split())
    os.makedirs("/etc/berth/networks", exist_ok=True)
    write("/etc/berth/networks/named.toml", "")
    os.makedirs("/srv/bench", exist_ok=True)
    write("/srv/registry.yml", "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
          "storage: {inmemory: {}}\nhttp: {addr: '0.0.0.0:5000'}\n")  # fmt: skip


def of_berth(name, publish, *command):
    return ["berthctl", "run", "-d", "--name", name, "-v", "/srv/registry.yml:/etc/registry.yml:ro", "-p", publish,
            "--rootfs", TREE, "--", *command]  # fmt: skip


def of_podman(name, publish, *command):
    return [*PODMAN, "-d", "-q", "--rm", "--name", name, "-v", "/srv/registry.yml:/etc/registry.yml:ro", "-p", publish,
            "--rootfs", f"{TREE}:O", *command]  # fmt: skip


def until(command):
    deadline = time.monotonic() + 30
    while (done := subprocess.run(command, capture_output=True, text=True)).returncode != 0:
        if time.monotonic() > deadline:
            sys.exit(f"{' '.join(command)}: {done.stderr}{done.stdout}")
        time.sleep(0.1)


def rate(command, read):
    """The median of what three alternating runs read, of berth's and podman's."""
    both = ([], [])
    for _ in range(3):
        for port, found in zip((7001, 7002), both):
            found.append(read(run(*(word.replace("PORT", str(port)) for word in command))))
    return [statistics.median(found) for found in both]


class Table:
    def __init__(self, missed):
        self.missed = missed

    def more(self, label, unit, ours, other, theirs, budget):
        """More is better: at least `budget` times theirs."""
        ratio = ours / theirs
        verdict = "" if budget is None or ratio >= budget else "  MISSED"
        if verdict:
            self.missed.append(label)
        limit = "" if budget is None else f"≥ {budget:.1f}"
        print(f"{f'{label}, {unit}':<38}{ours:>8.0f}   {other:<38}{theirs:>8.0f}{ratio:>8.2f}{limit:>9}{verdict}", flush=True)


def throughput(table):
    """What comes from outside goes through a published port."""
    serve = ["iperf3", "-s"]
    run(*of_berth("throughput", "7001:5201", *serve))
    run(*of_podman("throughput", "7002:5201", *serve))
    ask = [*OUT, "iperf3", "-c", HOST, "-p", "PORT", "-t", str(SECONDS), "-J"]
    for port in ("7001", "7002"):
        until([word.replace("PORT", port).replace(f"{SECONDS}", "1") if word == "PORT" else word for word in ask])
    bits = lambda text: json.loads(text)["end"]["sum_received"]["bits_per_second"] / 1e6
    table.more("through a published port", "Mbit/s", *interleave(rate(ask, bits), "podman's"), 0.9)
    run("berthctl", "stop", "throughput")
    run("podman", "rm", "-f", "-t", "0", "throughput")


def requests(table):
    serve = ["docker-registry", "serve", "/etc/registry.yml"]
    run(*of_berth("requests", "7001:5000", *serve))
    run(*of_podman("requests", "7002:5000", *serve))
    for port in (7001, 7002):
        until([*OUT, "curl", "-sf", f"http://{HOST}:{port}/v2/"])
    ask = [*OUT, "wrk", "-t1", "-c16", f"-d{SECONDS}s", f"http://{HOST}:PORT/v2/"]
    each = lambda text: next(float(line.split()[1]) for line in text.splitlines() if line.startswith("Requests/sec"))
    table.more("requests through a published port", "1/s", *interleave(rate(ask, each), "podman's"), 0.9)
    run("berthctl", "stop", "requests")
    run("podman", "rm", "-f", "-t", "0", "requests")


def names(table):
    """A container asks for another one of its network."""
    sleep = ["sleep", "1000"]
    asks = ["-v", "/root/asks.py:/root/asks.py:ro"]
    for name in ("asked", "asking"):
        run("berthctl", "run", "-d", "--name", name, "--network", "named", *asks, "--rootfs", TREE, "--", *sleep)
        run(*PODMAN, "-d", "-q", "--rm", "--name", name, "--network", "named", *asks, "--rootfs", f"{TREE}:O", *sleep)
    both = ([], [])
    for _ in range(3):
        for tool, found in zip(("berthctl", "podman"), both):
            script = f"python3 /root/asks.py $(sed -n 's/^nameserver //p' /etc/resolv.conf | head -1) asked {SECONDS}"
            separator = ["--"] if tool == "berthctl" else []
            found.append(float(run(tool, "exec", "asking", *separator, "sh", "-c", script)))
    table.more("names looked up", "1/s", *interleave([statistics.median(found) for found in both], "aardvark-dns"), None)
    for name in ("asked", "asking"):
        run("berthctl", "stop", name)
        run("podman", "rm", "-f", "-t", "0", name)


def many():
    """As many ports are one look-up in one map, and no process."""
    publish = f"20000-{20000 + MANY - 1}:20000-{20000 + MANY - 1}"
    taken = milliseconds(of_berth("many", publish, "sleep", "1000"))
    before = len(run("nft", "list", "table", "inet", "berth").splitlines())
    processes = run("systemd-cgls", "--no-pager", "/machine.slice").count("many")
    print(f"start with {MANY} published ports: {taken:.0f} ms; its unit in the tree of processes: {processes} line; the table: {before} lines")
    run("berthctl", "stop", "many")


def interleave(both, other):
    ours, theirs = both
    return ours, other, theirs


def main():
    prepare()
    missed = []
    compare = compare_to(missed, TURNS)
    run(*PODMAN, "--rm", "--rootfs", f"{TREE}:O", "true")
    ours = ["berthctl", "run", "--rm", "-p", "7001:80", "--rootfs", TREE, "--", "true"]
    theirs = [*PODMAN, "--rm", "-p", "7002:80", "--rootfs", f"{TREE}:O", "true"]
    compare("run on the bridge with a port", ours, "podman run", theirs, 0.4)
    compare("run on the bridge", [*ours[:3], *ours[5:]], "private, of our own", [*ours[:3], "--network", "private", *ours[5:]], None)
    table = Table(missed)
    throughput(table)
    requests(table)
    names(table)
    many()
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


main()
