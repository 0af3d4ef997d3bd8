"""pull.py: images brought in and made ready, beside podman and skopeo with umoci; run on a host of the ring by
tests/bench/run. Registry and store are on the same machine: what is measured is verifying, unpacking and writing."""

import json
import os
import shutil
import subprocess
import sys
import time

from disk import OUT, fresh
from measure import compare_to, run, write

TURNS = int(os.environ.get("BERTH_BENCH_PULL_TURNS", "5"))
REGISTRY = "localhost:5000"
# VmHWM, in MiB.
PEAK = 64
# A file larger than this is no part of a small system with an interpreter.
LARGE = 20 << 20
MEGABYTE = 1 << 20


def registry():
    write("/srv/registry.yml", "version: 0.1\nlog: {level: error}\n"
          "storage: {filesystem: {rootdirectory: /srv/registry}, delete: {enabled: true}}\n"
          "http: {addr: '127.0.0.1:5000'}\n")  # fmt: skip
    run("systemd-run", "-q", "--unit", "bench-registry", "docker-registry", "serve", "/srv/registry.yml")
    os.makedirs("/etc/containers/registries.conf.d", exist_ok=True)
    write("/etc/containers/registries.conf.d/bench.conf", f'[[registry]]\nlocation = "{REGISTRY}"\ninsecure = true\n')
    write("/etc/containers/policy.json", json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    while subprocess.run(["curl", "-sf", f"http://{REGISTRY}/v2/"], capture_output=True).returncode != 0:
        time.sleep(0.1)


def system(number):
    """One of five layers: Debian with Python, as the ring's own tree has it."""
    parts = [
        ["usr/bin", "usr/sbin", "bin", "sbin", "lib", "lib64"],
        ["usr/lib/x86_64-linux-gnu"],
        ["usr/lib/python3", "usr/lib/python3.13"],
        ["usr/share", "etc"],
        ["var/lib/dpkg"],
    ]
    found = []
    for part in parts[number]:
        for directory, subdirectories, files in os.walk(f"/srv/debian/{part}") if not os.path.islink(f"/srv/debian/{part}") else []:
            found.append(directory)
            links = [name for name in subdirectories if os.path.islink(f"{directory}/{name}")]
            found += [f"{directory}/{name}" for name in files + links if os.lstat(f"{directory}/{name}").st_size < LARGE]
        if os.path.islink(f"/srv/debian/{part}"):
            found.append(f"/srv/debian/{part}")
    return [path.removeprefix("/srv/debian/") for path in found if os.path.lexists(path)], "/srv/debian"


def busybox(directory):
    os.makedirs(f"{directory}/bin")
    shutil.copy("/usr/bin/busybox", f"{directory}/bin/busybox")
    os.symlink("busybox", f"{directory}/bin/true")


def single(_):
    """500 MB in 500 files, of which half compress well."""
    directory = "/srv/bench/single"
    busybox(directory)
    os.makedirs(f"{directory}/data")
    for number in range(500):
        content = os.urandom(MEGABYTE) if number % 2 else (b"%d some text that comes again\n" % number * MEGABYTE)[:MEGABYTE]
        with open(f"{directory}/data/{number}", "wb") as file:
            file.write(content)
    return ["bin", "data"], directory


def small(number):
    directory = f"/srv/bench/small-{number}"
    if number == 0:
        busybox(directory)
    os.makedirs(f"{directory}/layers/{number}")
    for name in ("one", "two", "three"):
        write(f"{directory}/layers/{number}/{name}", f"{name} of layer {number}\n" * 20)
    return os.listdir(directory), directory


def make(name, layers, content):
    """An image as umoci writes it, in the registry."""
    layout = "/srv/bench/layout"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:{name}")
    for number in range(layers):
        paths, directory = content(number)
        write("/srv/bench/paths", "\0".join(paths) + "\0")
        run("tar", "-C", directory, "--null", "--no-recursion" if content is system else "--recursion", "-T",
            "/srv/bench/paths", "-cf", "/srv/bench/layer.tar")  # fmt: skip
        run("umoci", "raw", "add-layer", "--image", f"{layout}:{name}", "/srv/bench/layer.tar")
    run("skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:{name}", f"docker://{REGISTRY}/bench/{name}")
    for leftover in [layout, "/srv/bench/layer.tar", "/srv/bench/paths"]:
        shutil.rmtree(leftover) if os.path.isdir(leftover) else os.remove(leftover)


# Linux counts what the parent has at execve(2) as the child's: the parent is a small one.
WAITER = "import os, sys; _, status, used = os.wait4(os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:]), 0); print(status, used.ru_maxrss)"


def peak(command):
    """The largest resident set of a program (VmHWM), in MiB."""
    status, kilobytes = run("python3", "-SIc", WAITER, *command).split()[-2:]
    if status != "0":
        sys.exit(f"{' '.join(command)}: wait status {status}")
    return int(kilobytes) / 1024


def main():
    os.makedirs("/srv/bench", exist_ok=True)
    registry()
    missed = []
    compare = compare_to(missed, TURNS)
    images = {"python": (5, system), "single": (1, single), "sixty": (60, small)}
    for name, (layers, content) in images.items():
        make(name, layers, content)
    fresh()
    for name, (layers, _) in images.items():
        reference = f"{REGISTRY}/bench/{name}:latest"
        ours = ["berthctl", "pull", "-q", reference]
        podman = ["podman", "pull", "-q", "--tls-verify=false", reference]
        copy = f"skopeo copy -q --src-tls-verify=false docker://{reference} oci:{OUT}/copied:{name}"
        skopeo = ["sh", "-ec", f"{copy}; umoci unpack --image {OUT}/copied:{name} {OUT}/unpacked"]
        label = f"pull of {name}, {layers} layer{'s' if layers > 1 else ''}"
        compare(label, ours, "podman pull", podman, 0.5, after=fresh)
        compare(label, ours, "skopeo copy + umoci unpack", skopeo, 0.7, after=fresh)
        used = peak(ours)
        print(f"{'its peak memory, MiB':<38}{used:>8.1f}{f'≤ {PEAK}':>71}{'' if used <= PEAK else '  MISSED'}", flush=True)
        if used > PEAK:
            missed.append(f"memory of {label}")
    fresh()
    for name in ("sixty", "single"):
        run("berthctl", "pull", "-q", f"{REGISTRY}/bench/{name}:latest")
    start = lambda name: ["berthctl", "run", "--rm", f"{REGISTRY}/bench/{name}:latest", "true"]
    compare("berthctl run --rm, 60 layers", start("sixty"), "1 layer", start("single"), 1.2, 25)
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


main()
