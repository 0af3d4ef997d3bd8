"""slow.py LOG DELAY: a registry on port 6200 behind a slow line. Repository NAME/N is an image of N layers, the first
half of which every repository named shared… has as well; short/NAME/N is the same with half of each blob. Each blob comes in
ten pieces, with the seconds that file DELAY has between them; while there is a file DELAY.never, a repository never/… does
not send the end of its last layer, or if that file says “trickle”, byte by byte. Each GET of a blob is a line of LOG."""

import gzip, hashlib, http.server, io, json, os, random, sys, tarfile, threading, time

LOG, DELAY = sys.argv[1:]
OCI = "application/vnd.oci.image."
SEEN, LOCK = {}, threading.Lock()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer(seed):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        numbers = random.Random(seed)
        for number in range(20):
            entry = tarfile.TarInfo(f"{seed}/{number}")
            entry.size = numbers.randrange(20_000)
            archive.addfile(entry, io.BytesIO(numbers.randbytes(entry.size)))
    return out.getvalue()


def build(name, layers):
    seeds = [f"shared-{n}" if name.startswith("shared") and n < layers // 2 else f"{name.replace('/', '-')}-{n}" for n in range(layers)]
    contents = [layer(seed) for seed in seeds]
    packed = [gzip.compress(content, 1, mtime=0) for content in contents]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": [f"NAME={name}"]},
                         "rootfs": {"type": "layers", "diff_ids": [digest(content) for content in contents]}}).encode()
    describe = lambda kind, content: {"mediaType": OCI + kind, "digest": digest(content), "size": len(content)}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": describe("config.v1+json", config),
                           "layers": [describe("layer.v1.tar+gzip", one) for one in packed]}).encode()
    return manifest, {digest(one): one for one in [config, *packed]}, digest(packed[-1])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path == "/v2/":
            return self.send(b"")
        asked, kind, reference = self.path[4:].rsplit("/", 2)
        name = asked.removeprefix("short/")
        with LOCK:
            if name not in SEEN:
                SEEN[name] = build(name, int(name.rsplit("/", 1)[1]))
        manifest, blobs, last = SEEN[name]
        if kind == "manifests":
            return self.send(manifest, Content_Type=OCI + "manifest.v1+json", Docker_Content_Digest=digest(manifest))
        content = blobs[reference]
        if name != asked:
            content = content[: len(content) // 2]
        with LOCK, open(LOG, "a") as log:
            print(name, reference, file=log)
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        headers = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self.send(content[start:], 206 if start else 200, float(open(DELAY).read()), name.startswith("never/") and reference == last, **headers)

    def send(self, content, status=200, delay=0.0, never=False, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "HEAD":
            return
        step = len(content) // 10 + 1
        for number, start in enumerate(range(0, len(content), step)):
            if never and number == 5 and os.path.exists(f"{DELAY}.never"):
                if open(f"{DELAY}.never").read() == "trickle":
                    for byte in content[start:]:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(0.2)
                    return
                time.sleep(3600)
            self.wfile.write(content[start : start + step])
            self.wfile.flush()
            time.sleep(delay)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", 6200), Handler).serve_forever()
