"""boot.py: whole systems beside systemd-nspawn's, run on a host of the ring by tests/bench/run. Each boots a copy of the
same Debian tree until its own systemd says that it is running."""

import os
import statistics
import subprocess
import sys
import time

from measure import compare_to, run, write

TURNS = int(os.environ.get("BERTH_BENCH_BOOT_TURNS", "9"))
TREE = "/srv/debian"
TREES = "/srv/boots"
MANY = 10

# A system is up when its own manager has nothing left to do. Asked again and again, of both alike: with --wait systemctl
# misses the end of a boot that it has come to early.
RUNNING = ["systemctl", "is-system-running", "-M"]
PAUSE = 0.02


def prepare():
    """Once for a host: the trees are what takes longest."""
    if os.path.exists(TREES):
        return
    os.makedirs(TREES)
    os.makedirs("/etc/berth/containers", exist_ok=True)
    for number in range(MANY):
        for kind in "bn":
            run("cp", "-a", TREE, f"{TREES}/{kind}{number}")
        # nspawn's own template boots with a network of its own and users of its own, too.
        write(f"/etc/berth/containers/b{number}.toml", f'rootfs = "{TREES}/b{number}"\nboot = true\n[network]\nmode = "private"\n')
        os.makedirs("/etc/systemd/nspawn", exist_ok=True)
        write(f"/etc/systemd/nspawn/n{number}.nspawn", "[Network]\nPrivate=yes\nVirtualEthernet=no\n")
        os.symlink(f"{TREES}/n{number}", f"/var/lib/machines/n{number}")
    run("systemctl", "daemon-reload")


def until_running(machine):
    deadline = time.monotonic() + 60
    while True:
        said = subprocess.run([*RUNNING, machine], capture_output=True, text=True)
        if said.stdout.strip() == "running":
            return
        # Its bus is not there yet.
        if time.monotonic() > deadline:
            sys.exit(f"{machine}: {said.stdout}{said.stderr}")
        time.sleep(PAUSE)


def boot(unit, machines):
    """Milliseconds from the start of all to the last that is running."""
    began = time.perf_counter()
    run("systemctl", "start", "--no-block", *[unit.format(machine) for machine in machines])
    for machine in machines:
        until_running(machine)
    return (time.perf_counter() - began) * 1000


def stop(unit, machines):
    run("systemctl", "stop", *[unit.format(machine) for machine in machines])


OURS, THEIRS = "container@{}.service", "systemd-nspawn@{}.service"


def boots(missed, label, count, turns, budget):
    """Medians of both in turns, after one warm-up each: a tree's first boot writes down what later ones read."""
    times = ([], [])
    for turn in range(turns + 1):
        for taken, unit, kind in zip(times, (OURS, THEIRS), "bn"):
            machines = [f"{kind}{number}" for number in range(count)]
            one = boot(unit, machines)
            stop(unit, machines)
            if turn > 0:
                taken.append(one)
    ours, theirs = (statistics.median(taken) for taken in times)
    ratio = ours / theirs
    verdict = "" if ratio <= budget else "  MISSED"
    if verdict:
        missed.append(label)
    print(f"{label:<30}{ours:>8.0f}   {'systemd-nspawn -b':<38}{theirs:>8.0f}{ratio:>8.2f}{f'≤ {budget:.2f}':>9}{verdict}", flush=True)


def shells(compare):
    """A command in a system that runs, by each one's own way in; machinectl's goes through the system's bus and PAM."""
    boot(OURS, ["b0"])
    compare("shell NAME true", ["berthctl", "shell", "b0", "true"], "machinectl shell", ["machinectl", "-q", "shell", "b0", "/bin/true"], 0.5)
    stop(OURS, ["b0"])


def main():
    prepare()
    missed = []
    boots(missed, "boot to running", 1, TURNS, 1.05)
    boots(missed, f"{MANY} at once", MANY, max(TURNS // 3, 1), 1.05)
    shells(compare_to(missed, TURNS))
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


main()
