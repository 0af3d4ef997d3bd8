"""disk.py: the file system that stores are on while they are measured, made anew as often as wanted: ext4 passes over
inodes that were freed in the last minutes, one by one, and what is measured would depend on what was removed before."""

import os
import shutil
import stat
import subprocess

IMAGE, FRESH, OUT = "/srv/disk", "/srv/fresh", "/srv/out"
STORES = ["/var/lib/berth", "/var/lib/containers", OUT]
SIZE = 4 << 30


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def device():
    """A file with loop devices for it: a host of the ring has none."""
    with open(IMAGE, "wb") as image:
        os.posix_fallocate(image.fileno(), 0, SIZE)
    nodes = {"loop-control": (stat.S_IFCHR, 10, 237)} | {f"loop{number}": (stat.S_IFBLK, 7, number) for number in range(16)}
    for name, (kind, major, minor) in nodes.items():
        if not os.path.exists(f"/dev/{name}"):
            os.mknod(f"/dev/{name}", kind | 0o600, os.makedev(major, minor))


def fresh():
    """All stores empty, on a new file system."""
    if not os.path.exists(IMAGE):
        device()
    for directory in [*STORES, FRESH]:
        subprocess.run(["umount", directory], capture_output=True)
    for leftover in ("/run/containers", "/run/libpod"):
        shutil.rmtree(leftover, ignore_errors=True)
    run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", IMAGE)
    os.makedirs(FRESH, exist_ok=True)
    # What is written is written once, without a page cache of the device's own.
    loop = run("losetup", "--find", "--show", "--direct-io=on", IMAGE).strip()
    run("mount", loop, FRESH)
    run("losetup", "--detach", loop)
    for directory in STORES:
        os.makedirs(directory, exist_ok=True)
        os.makedirs(FRESH + directory)
        run("mount", "--bind", FRESH + directory, directory)
    os.sync()
