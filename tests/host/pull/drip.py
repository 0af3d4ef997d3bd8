"""drip.py: a registry on port 6200 with two images of one large layer each: that of `drip` comes in small drops, and of
that of `stuck` nothing comes after the first ones. `paged` has tags on three pages, and those of `circle` never end."""

import gzip, hashlib, http.server, io, json, os, tarfile, time

DROP, PAUSE, DROPS = 150_000, 0.25, 36


def layer():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add("/usr/bin/busybox", "bin/busybox")
        large = tarfile.TarInfo("large")
        large.size = DROP * DROPS
        archive.addfile(large, io.BytesIO(os.urandom(large.size)))
    return out.getvalue()


blobs = {}


def descriptor(content, kind):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    blobs[digest] = content
    return {"mediaType": kind, "digest": digest, "size": len(content)}


OCI = "application/vnd.oci.image."


def image():
    plain = layer()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/busybox", "echo", "dripped"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
    }
    return json.dumps({
        "schemaVersion": 2,
        "mediaType": OCI + "manifest.v1+json",
        "config": descriptor(json.dumps(config).encode(), OCI + "config.v1+json"),
        "layers": [descriptor(gzip.compress(plain, 0), OCI + "layer.v1.tar+gzip")],
    }).encode()


manifests = {name: image() for name in ("drip", "stuck")}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = self.path.split("/")
        if "manifests" in parts:
            self.begin(manifests[parts[2]], OCI + "manifest.v1+json")
            self.wfile.write(manifests[parts[2]])
        elif "tags" in parts:
            self.tags(parts[2], int(self.path.rpartition("page=")[2]) if "page=" in self.path else 0)
        elif "blobs" in parts:
            self.blob(parts[-1], parts[2] == "stuck")
        else:
            self.begin(b"", "text/plain")

    def begin(self, content, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()

    def tags(self, name, page):
        content = json.dumps({"name": name, "tags": [f"t{page}-b", f"t{page}-a"] if page < 3 else None}).encode()
        self.send_response(200)
        if name == "circle":
            self.send_header("Link", '</v2/circle/tags/list?page=0>; rel="next"')
        elif page < 3:
            self.send_header("Link", f'<list?page={page + 1}>; rel="next"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def blob(self, digest, stuck):
        content = blobs[digest]
        self.begin(content, "application/octet-stream")
        for number, start in enumerate(range(0, len(content), DROP)):
            if stuck and number == 8:
                time.sleep(1000)
            self.wfile.write(content[start:start + DROP])
            time.sleep(PAUSE if len(content) > DROP else 0)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", 6200), Handler).serve_forever()
