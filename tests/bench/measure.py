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

TURNS = int(os.environ.get("BERTH_BENCH_TURNS", "25"))
ROOT = "/srv/bench/root"
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


def beside(ours, theirs):
    """Medians of both, measured in turns after one warm-up each."""
    times = ([], [])
    for turn in range(TURNS + 1):
        for taken, command in zip(times, (ours, theirs)):
            one = milliseconds(command)
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
    write("/srv/bench/bare.toml", f'rootfs = "{ROOT}"\ncommand = ["/bin/true"]\n')
    for name, command in (("bundle", ["/bin/true"]), ("idle", ["/bin/sleep", "100000"])):
        os.makedirs("/srv/bench/" + name)
        write(f"/srv/bench/{name}/config.json", json.dumps(bundle(command, profile)))
    os.makedirs("/etc/berth/containers", exist_ok=True)
    write("/etc/berth/containers/idle.toml", f'rootfs = "{ROOT}"\ncommand = ["/bin/sleep", "100000"]\n')


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


def main(image):
    prepare(image)
    missed = []
    print(f"{TURNS} turns each, medians in ms\n")
    print(f"{'berth':<38}{'ms':>8}   {'beside':<38}{'ms':>8}{'ratio':>8}{'budget':>9}")

    def compare(label, ours, other, theirs, budget):
        one, two = beside(ours, theirs)
        ratio = one / two
        verdict = "" if ratio <= budget else "  MISSED"
        if verdict:
            missed.append(label)
        print(f"{label:<38}{one:>8.1f}   {other:<38}{two:>8.1f}{ratio:>8.2f}{'≤ %.1f' % budget:>9}{verdict}", flush=True)

    of_berth = ["berthctl", "run", "--rm", "five", "true"]
    run_of_berth = "berthctl run --rm, five layers"
    compare(run_of_berth, of_berth, "systemd-run --wait true", ["systemd-run", "-q", "--wait", "true"], 1.3)
    of_podman = ["podman", "run", "--rm", "--network=none", "localhost/five:latest", "true"]
    compare(run_of_berth, of_berth, "podman run --rm --network=none", of_podman, 0.5)
    of_crun = ["crun", "run", "--bundle", "/srv/bench/bundle", "bench"]
    compare("berth-executor bare", ["/usr/lib/berth/berth-executor", "bare", "/srv/bench/bare.toml"], "crun run", of_crun, 1.0)
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
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


main(sys.argv[1])
