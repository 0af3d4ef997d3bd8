"""measure.py IMAGE: berth beside its neighbours, run on a host of the ring by tests/bench/run.

Each pair is measured in turns, so that whatever else the machine does falls on both alike. A budget is a ratio of
medians; the program fails when one is missed."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time

from disk import fresh

TURNS = int(os.environ.get("BERTH_BENCH_TURNS", "25"))
ROOT = "/srv/bench/root"
# Neighbours on a bridge are network.py's.
ALONE = '[network]\nmode = "none"\n'
BUNDLE = "/srv/bench/bundle"


def run(*command, **settings):
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} exits with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


def milliseconds(command):
    began = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    taken = (time.perf_counter() - began) * 1000
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} exits with {done.returncode}: {done.stderr.decode()}")
    return taken


def beside(ours, theirs, turns=TURNS, after=lambda: None):
    """Medians of both, measured in turns after one warm-up each; `after` each one something is cleared away."""
    times = ([], [])
    for turn in range(turns + 1):
        for taken, command in zip(times, (ours, theirs)):
            one = milliseconds(command)
            after()
            if turn > 0:
                taken.append(one)
    return [statistics.median(taken) for taken in times]


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def prepare(image):
    run("berthctl", "image", "import", image, "five")
    # The ring has no controller to limit processes with, which podman does unless told otherwise.
    os.makedirs("/etc/containers/containers.conf.d", exist_ok=True)
    write("/etc/containers/containers.conf.d/bench.conf", "[containers]\npids_limit = 0\n")
    run("podman", "load", "-q", "-i", image)
    os.makedirs(ROOT + "/bin")
    for path in ("etc", "tmp", "proc", "sys", "dev", "run"):
        os.makedirs(f"{ROOT}/{path}")
    shutil.copy("/usr/bin/busybox", ROOT + "/bin/busybox")
    for applet in ("true", "sleep", "sh", "cat"):
        os.symlink("busybox", f"{ROOT}/bin/{applet}")
    write(ROOT + "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    write(ROOT + "/etc/group", "root:x:0:\n")
    profile = json.load(open("/usr/share/containers/seccomp.json"))
    write("/srv/bench/bare.toml", f'rootfs = "{ROOT}"\ncommand = ["/bin/true"]\n{ALONE}')
    for name, command in (("bundle", ["/bin/true"]), ("idle", ["/bin/sleep", "100000"])):
        os.makedirs("/srv/bench/" + name)
        write(f"/srv/bench/{name}/config.json", json.dumps(bundle(command, profile)))
    os.makedirs("/etc/berth/containers", exist_ok=True)
    write("/etc/berth/containers/idle.toml", f'rootfs = "{ROOT}"\ncommand = ["/bin/sleep", "100000"]\n{ALONE}')


# What berth gives an application container, in the terms of the runtime specification.
CAPABILITIES = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",
    "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
]  # fmt: skip
MASKED = [
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kallsyms", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/sysrq-trigger", "/proc/timer_list",
    "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware", "/sys/fs/selinux", "/sys/kernel/debug",
    "/sys/kernel/security",
]  # fmt: skip


def bundle(command, profile):
    """The bundle crun runs: the same tree, the same namespaces, mounts and masks, a filter of podman's own profile."""
    bounding = {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")}
    names, architecture = compiled(profile)
    mount = lambda target, kind, *options: {"destination": target, "type": kind, "source": kind, "options": list(options)}
    return {
        "ociVersion": "1.0.2",
        "root": {"path": ROOT},
        "hostname": "bench",
        "process": {
            "args": command,
            "cwd": "/",
            "env": ["PATH=/bin"],
            "user": {"uid": 0, "gid": 0},
            "capabilities": bounding,
            "noNewPrivileges": True,
        },
        "mounts": [
            mount("/proc", "proc", "nosuid", "noexec", "nodev"),
            mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
            mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
            mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            mount("/sys/fs/cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network", "user", "cgroup")],
            "uidMappings": [{"containerID": 0, "hostID": 1000000000, "size": 65536}],
            "gidMappings": [{"containerID": 0, "hostID": 1000000000, "size": 65536}],
            "maskedPaths": MASKED,
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"],
            "seccomp": {
                "defaultAction": "SCMP_ACT_ERRNO",
                "architectures": architecture,
                "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}],
            },
        },
    }


MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def compiled(profile):
    """The system calls podman's profile allows without conditions, and the machine's architectures."""
    names = set()
    for rule in profile["syscalls"]:
        only = rule.get("includes", {})
        elsewhere = "arches" in only and MACHINES[os.uname().machine] not in only["arches"]
        if rule["action"] == "SCMP_ACT_ALLOW" and not (elsewhere or only.get("caps") or rule.get("args")):
            names.update(rule["names"])
    native = {"x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "aarch64": ["SCMP_ARCH_AARCH64"]}
    return sorted(names), native[os.uname().machine]


def resident():
    """Bytes held by berth's processes, which is to be none while a container idles."""
    total = 0
    for entry in os.listdir("/proc"):
        try:
            comm = open(f"/proc/{entry}/comm").read().strip()
            pages = int(open(f"/proc/{entry}/statm").read().split()[1])
        except (OSError, ValueError):
            continue
        if comm.startswith("berth"):
            total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


# How many start at once, how many files a generator reads, and how many run while they are listed.
CROWD = 50
FILES = 1000
RUNNING = 200
# How many do nothing while their memory is measured.
IDLE = int(os.environ.get("BERTH_BENCH_IDLE", "500"))
# A turn of a crowd takes seconds.
CROWD_TURNS = max(1, TURNS // 5)


def at_once(command):
    """The same command for every number of a crowd, each in a process of its own."""
    each = f"for n in {{1..{CROWD}}}; do {command} & all+=($!); done"
    return ["bash", "-c", f"{each}; for one in ${{all[@]}}; do wait $one || exit 1; done"]


def disperse():
    """Ends every crowd, however it was started."""
    units = "'berth-run-crowd*' 'crowd-*'"
    run(
        "bash",
        "-c",
        f"systemctl kill -s KILL {units} 2>/dev/null; podman rm --force --all --time 0 >/dev/null 2>&1; "
        f"for n in {{1..600}}; do systemctl list-units --all --no-legend {units} | grep -q . || exit 0; "
        f"systemctl reset-failed {units} 2>/dev/null; sleep 0.05; done; exit 1",
    )


def crowds(compare):
    of_berth = at_once(f"berthctl run -d --network none --name crowd$n --rootfs {ROOT} -- sleep 100000 >/dev/null")
    of_systemd = at_once("systemd-run -q --collect --unit crowd-$n sleep 100000")
    of_podman = at_once("podman run -d --rm --network=none --name crowd$n localhost/five:latest sleep 100000 >/dev/null")
    label = f"{CROWD} × berthctl run -d at once"
    compare(label, of_berth, f"{CROWD} × systemd-run at once", of_systemd, 1.5, CROWD_TURNS, disperse)
    compare(label, of_berth, f"{CROWD} × podman run -d at once", of_podman, 0.4, CROWD_TURNS, disperse)


OF_BERTH = """description = "Number {0}"
image = "localhost/five:latest"
command = ["sleep", "100000"]
environment = {{ NUMBER = "{0}", TZ = "UTC" }}
[unit]
After = ["network-online.target"]
[service]
Restart = "on-failure"
[resources]
MemoryMax = "512M"
[install]
WantedBy = ["multi-user.target"]
"""

OF_QUADLET = """[Unit]
Description=Number {0}
After=network-online.target
[Container]
Image=localhost/five:latest
Exec=sleep 100000
Environment=NUMBER={0} TZ=UTC
[Service]
Restart=on-failure
MemoryMax=512M
[Install]
WantedBy=multi-user.target
"""


def generators(compare):
    """The same thousand containers, described to both generators."""
    os.makedirs("/etc/containers/systemd", exist_ok=True)
    directories = [f"/srv/bench/generated/{directory}" for directory in ("normal", "early", "late")]
    for directory in directories:
        os.makedirs(directory)
    for number in range(FILES):
        write(f"/etc/berth/containers/many{number}.toml", OF_BERTH.format(number))
        write(f"/etc/containers/systemd/many{number}.container", OF_QUADLET.format(number))

    def counted():
        """Neither is fast by doing nothing."""
        made = sum(len(files) for _, _, files in os.walk("/srv/bench/generated"))
        if made < FILES:
            sys.exit(f"a generator made {made} files of {FILES}")
        shutil.rmtree("/srv/bench/generated")
        for directory in directories:
            os.makedirs(directory)

    generator = "/usr/lib/systemd/system-generators/"
    of_berth = [generator + "berth-generator", *directories]
    of_podman = [generator + "podman-system-generator", *directories]
    label = f"berth-generator, {FILES} TOML files"
    compare(label, of_berth, f"Quadlet, {FILES} .container files", of_podman, 1.0, CROWD_TURNS, counted)
    for number in range(FILES):
        os.remove(f"/etc/berth/containers/many{number}.toml")
        os.remove(f"/etc/containers/systemd/many{number}.container")


def memory():
    """Bytes that cannot be had: what runs, and what the kernel keeps of it. Caches do not count."""
    with open("/proc/meminfo") as file:
        lines = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}
    return lines["MemTotal"] - lines["MemAvailable"]


def proportional(*programs):
    """The memory of these programs' processes, each shared page by its share (proc_pid_smaps(5), Pss), and how many."""
    held, processes = 0, 0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if open(f"/proc/{entry}/comm").read().strip() not in programs:
                continue
            rollup = open(f"/proc/{entry}/smaps_rollup").read().splitlines()
        except OSError:
            continue
        held += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) * 1024
        processes += 1
    return held, processes


def idlers(count):
    """That many declared containers that do nothing."""
    for number in range(count):
        toml = f'rootfs = "{ROOT}"\ncommand = ["/bin/sleep", "100000"]\n{ALONE}'
        write(f"/etc/berth/containers/crowd{number}.toml", toml)
    run("systemctl", "daemon-reload")
    return [f"container@crowd{number}" for number in range(count)]


def listing(compare):
    """With many running: how long to list them."""
    units = idlers(RUNNING)
    run("systemctl", "start", *units)
    running = run("berthctl", "list").count("crowd")
    if running < RUNNING:
        sys.exit(f"berthctl list knows {running} of {RUNNING}")
    of_systemd = ["systemctl", "list-units", "--no-pager"]
    compare(f"berthctl list, {RUNNING} running", ["berthctl", "list"], "systemctl list-units", of_systemd, 2.0)
    run("systemctl", "kill", "-s", "KILL", *units)
    until_none()


def until_none():
    """Until no declared container is loaded any more."""
    run(
        "bash",
        "-c",
        "for n in {1..1200}; do systemctl list-units --no-legend 'container@crowd*' | grep -q . || exit 0; "
        "systemctl reset-failed 'container@crowd*' 2>/dev/null; sleep 0.1; done; exit 1",
    )


def idle():
    """What each of many idle containers costs, beside as many of podman's: all the memory that is gone, and of it
    what processes that are not the payload hold."""
    time.sleep(2)
    before = memory()
    units = idlers(IDLE)
    for first in range(0, IDLE, 50):
        run("systemctl", "start", *units[first : first + 50])
    time.sleep(2)
    payloads = proportional("sleep")[1]
    if payloads < IDLE:
        sys.exit(f"{payloads} of {IDLE} payloads run")
    ours, (beside, others) = memory() - before, proportional("berthctl", "berth-executor", "berth-init")
    run("systemctl", "kill", "-s", "KILL", *units)
    until_none()
    for number in range(IDLE):
        os.remove(f"/etc/berth/containers/crowd{number}.toml")
    run("systemctl", "daemon-reload")
    time.sleep(2)
    before = memory()
    for first in range(0, IDLE, 25):
        command = "podman run -d --rm --network=none localhost/five:latest sleep 100000 >/dev/null"
        each = f"for n in {{1..25}}; do {command} & all+=($!); done; for one in ${{all[@]}}; do wait $one || exit 1; done"
        run("bash", "-c", each)
    time.sleep(2)
    theirs, (beside_theirs, monitors) = memory() - before, proportional("conmon")
    disperse()
    rows = [
        (f"each of {IDLE} idle containers, KiB", ours, "podman's, KiB", theirs),
        ("of it beside the payload, KiB", beside, f"conmon's, {monitors} of them, KiB", beside_theirs),
    ]
    for label, one, other, two in rows:
        one, two = one / IDLE / 1024, two / IDLE / 1024
        print(f"{label:<38}{one:>8.0f}   {other:<38}{two:>8.0f}{one / two:>8.2f}", flush=True)
    return others


def stopping():
    """A payload that catches its stop signal stops within a second: milliseconds, of one that waits in a shell."""
    patient = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"
    write("/etc/berth/containers/patient.toml", f'rootfs = "{ROOT}"\ncommand = ["/bin/sh", "-c", "{patient}"]\n')
    run("systemctl", "daemon-reload")
    taken = []
    for _ in range(TURNS):
        run("systemctl", "start", "container@patient")
        # Until it has its handler; before, PID 1 ignores the signal.
        run("bash", "-c", "until berthctl exec patient -- cat /proc/1/status | grep -q 'SigCgt:.*[4-7c-f][0-9a-f][0-9a-f][0-9a-f]$'; do :; done")
        taken.append(milliseconds(["systemctl", "stop", "container@patient"]))
    return statistics.median(taken)


def compare_to(missed, usual):
    """A function that measures a pair and prints its line; what misses its budget is noted."""
    print(f"{usual} turns each, medians in ms\n")
    print(f"{'berth':<38}{'ms':>8}   {'beside':<38}{'ms':>8}{'ratio':>8}{'budget':>9}")

    def compare(label, ours, other, theirs, budget, turns=usual, after=lambda: None):
        one, two = beside(ours, theirs, turns, after)
        ratio = one / two
        verdict = "" if budget is None or ratio <= budget else "  MISSED"
        if verdict:
            missed.append(label)
        limit = "" if budget is None else f"≤ {budget:.1f}"
        print(f"{label:<38}{one:>8.1f}   {other:<38}{two:>8.1f}{ratio:>8.2f}{limit:>9}{verdict}", flush=True)

    return compare


def main(image):
    fresh()
    prepare(image)
    missed = []
    compare = compare_to(missed, TURNS)
    of_berth = ["berthctl", "run", "--rm", "--network", "none", "five", "true"]
    run_of_berth = "berthctl run --rm, five layers"
    compare(run_of_berth, of_berth, "systemd-run --wait true", ["systemd-run", "-q", "--wait", "true"], 1.3)
    of_podman = ["podman", "run", "--rm", "--network=none", "localhost/five:latest", "true"]
    compare(run_of_berth, of_berth, "podman run --rm --network=none", of_podman, 0.5)
    bare = ["/usr/lib/berth/berth-executor", "bare", "/srv/bench/bare.toml"]
    of_crun = ["run", "--bundle", "/srv/bench/bundle", "bench"]
    compare("berth-executor bare", bare, "crun run", ["crun", *of_crun], 1.0)
    # For comparison, without what the bare executor need not do: its cgroup is systemd's, and there before. crun in
    # turn needs no writable layer: it writes to the tree itself.
    without = ["crun", "--cgroup-manager=disabled", *of_crun]
    compare("berth-executor bare", bare, "crun run without a cgroup", without, None)
    run("systemctl", "start", "container@idle")
    crun = subprocess.Popen(["crun", "run", "--bundle", "/srv/bench/idle", "idle"], stdin=subprocess.DEVNULL)
    time.sleep(1)
    exec_of_berth = ["berthctl", "exec", "idle", "--", "/bin/true"]
    compare("berthctl exec", exec_of_berth, "crun exec", ["crun", "exec", "idle", "/bin/true"], 1.5)
    held = resident()
    print(f"{'resident beside an idle container':<38}{held:>8}   bytes{'= 0':>60}{'' if held == 0 else '  MISSED'}")
    if held:
        missed.append("resident")
    crun.kill()
    subprocess.run(["crun", "delete", "--force", "idle"], capture_output=True)
    run("systemctl", "kill", "-s", "KILL", "container@idle")
    stopped = stopping()
    print(f"{'stop of a payload that catches it':<38}{stopped:>8.1f}   {'':<54}{'< 1000':>9}{'' if stopped < 1000 else '  MISSED'}")
    if stopped >= 1000:
        missed.append("stop")
    crowds(compare)
    generators(compare)
    listing(compare)
    if idle():
        missed.append("processes beside idle containers")
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main(sys.argv[1])
