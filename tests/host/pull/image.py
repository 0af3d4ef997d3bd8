"""image.py DIRECTORY NAME [LAYERS [ARCHITECTURE,… [BYTES]]]: an image as an OCI layout, an index where there are several
architectures. Its first layer is busybox alone; each later one has a file /layer-N that tells NAME, architecture and N. With BYTES each has so many more that do not
compress, the same ones every time."""

import gzip, hashlib, io, json, os, random, sys, tarfile


def blob(directory, content):
    digest = hashlib.sha256(content).hexdigest()
    with open(f"{directory}/blobs/sha256/{digest}", "wb") as file:
        file.write(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def layer(number, text, padding):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        if number == 0:
            archive.add("/usr/bin/busybox", "bin/busybox")
            for applet in ["sh", "cat", "echo", "ls"]:
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
        name = tarfile.TarInfo(f"layer-{number}")
        name.size = len(text)
        archive.addfile(name, io.BytesIO(text))
        if padding:
            more = tarfile.TarInfo(f"padding-{number}")
            more.size = padding
            archive.addfile(more, io.BytesIO(random.Random(text).randbytes(padding)))
    return out.getvalue()


def image(directory, name, layers, architecture, padding):
    contents = [layer(number, f"{name} {architecture} {number}\n".encode(), padding) for number in range(layers)]
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["cat", f"/layer-{layers - 1}"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(it).hexdigest() for it in contents]},
    }
    media_type = "application/vnd.oci.image.layer.v1.tar+gzip"
    packed = [blob(directory, gzip.compress(content, 1, mtime=0)) for content in contents]
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(directory, json.dumps(config).encode())},
        "layers": [{"mediaType": media_type, **one} for one in packed],
    }
    return {"mediaType": manifest["mediaType"], **blob(directory, json.dumps(manifest).encode())}


def main(directory, name, layers="1", architectures="amd64", padding="0"):
    os.makedirs(f"{directory}/blobs/sha256")
    architectures = architectures.split(",")
    manifests = [
        {**image(directory, name, int(layers), it, int(padding)), "platform": {"os": "linux", "architecture": it}}
        for it in architectures
    ]
    top = manifests[0]
    if len(manifests) > 1:
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
        top = {"mediaType": index["mediaType"], **blob(directory, json.dumps(index).encode())}
    top["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    with open(f"{directory}/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [top]}, file)
    with open(f"{directory}/oci-layout", "w") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)


main(*sys.argv[1:])
