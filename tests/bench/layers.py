"""layers.py FILE: write an image of five layers as `docker save` does, for every engine of the benchmark alike.

The first layer is busybox with its applets, each of the others brings a hundred small files and changes some of the
layer below, so that the layers really are stacked."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile


def layer(entries):
    """An uncompressed layer of (path, kind, content) entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, kind, content in entries:
            info = tarfile.TarInfo(path)
            info.type = kind
            info.mode = 0o755
            if kind == tarfile.SYMTYPE:
                info.linkname = content
                archive.addfile(info)
            elif kind == tarfile.DIRTYPE:
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def base():
    busybox = open("/usr/bin/busybox", "rb").read()
    yield from ((path, tarfile.DIRTYPE, None) for path in ("bin", "etc", "tmp", "proc", "sys", "dev", "run", "root"))
    yield "bin/busybox", tarfile.REGTYPE, busybox
    applets = subprocess.run(["busybox", "--list"], capture_output=True, check=True, text=True).stdout.split()
    yield from (("bin/" + applet, tarfile.SYMTYPE, "busybox") for applet in applets if applet != "busybox")
    yield "etc/passwd", tarfile.REGTYPE, b"root:x:0:0:root:/root:/bin/sh\n"
    yield "etc/group", tarfile.REGTYPE, b"root:x:0:\n"


def upper(number):
    yield f"srv/{number}", tarfile.DIRTYPE, None
    for file in range(100):
        yield f"srv/{number}/{file}", tarfile.REGTYPE, b"%d in %d\n" % (file, number)
    yield "etc/release", tarfile.REGTYPE, b"layer %d\n" % number


def add(archive, path, content):
    info = tarfile.TarInfo(path)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def main(target):
    layers = [layer(base())] + [layer(upper(number)) for number in range(1, 5)]
    digests = [hashlib.sha256(content).hexdigest() for content in layers]
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip()]
    config = json.dumps({
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["true"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest for digest in digests]},
        "history": [{"created_by": "berth's benchmark"} for _ in layers],
    }).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    with tarfile.open(target, "w") as archive:
        add(archive, name, config)
        for digest, content in zip(digests, layers):
            add(archive, digest + "/layer.tar", content)
        manifest = [{"Config": name, "RepoTags": ["localhost/five:latest"], "Layers": [digest + "/layer.tar" for digest in digests]}]
        add(archive, "manifest.json", json.dumps(manifest).encode())


main(sys.argv[1])
