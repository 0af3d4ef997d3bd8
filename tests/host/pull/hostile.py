"""hostile.py LOG: a registry on port 6000 whose repositories each do one thing wrong; what is asked, and what was sent
along, goes to LOG. Port 6001 is another host, to which it redirects."""

import gzip, hashlib, http.server, io, json, os, sys, tarfile, threading, time, zlib

LOG = sys.argv[1]
OCI = "application/vnd.oci.image."
SEEN = {}
LOCK = threading.Lock()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def tar(*names):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            content = hashlib.sha256(name.encode()).digest() * 100_000
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def members(*entries, end=bytes(1024)):
    """An archive of (name, type, link, pax headers), as no honest archiver writes it."""
    out = b""
    for name, kind, link, pax in entries:
        if pax:
            records = b""
            for key, value in pax.items():
                body = key.encode() + b"=" + value + b"\n"
                length = len(body) + 2
                while len(str(length)) + 1 + len(body) != length:
                    length += 1
                records += str(length).encode() + b" " + body
            header = tarfile.TarInfo("PaxHeaders/x")
            header.type, header.size = tarfile.XHDTYPE, len(records)
            out += header.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, link
        out += entry.tobuf(tarfile.USTAR_FORMAT)
    return out + end


FILE, LINK, SYMBOLIC, DIRECTORY = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE
ARCHIVES = {
    "absolute": lambda: members(("/etc/passwd", FILE, "", {})),
    "link-out": lambda: members(("a", LINK, "../../../etc/passwd", {})),
    "link-to-host": lambda: members(("a", LINK, "/etc/passwd", {})),
    "link-through": lambda: members(("s", SYMBOLIC, "/", {}), ("a", LINK, "s/etc/passwd", {})),
    "link-loop": lambda: members(("a", SYMBOLIC, "b", {}), ("b", SYMBOLIC, "a", {}), ("a/x", FILE, "", {})),
    "through-file": lambda: members(("x", FILE, "", {}), ("x/y", FILE, "", {})),
    "whiteout-parent": lambda: members(("a/.wh...", FILE, "", {})),
    "whiteout-itself": lambda: members((".wh..", FILE, "", {})),
    "whiteout-on-the-way": lambda: members((".wh.a/b", FILE, "", {})),
    "owner-large": lambda: members(("a", FILE, "", {"uid": b"4294967295"})),
    "overlay-attribute": lambda: members(("a", FILE, "", {"SCHILY.xattr.trusted.overlay.opaque": b"y"})),
    "nul-in-name": lambda: members(("a", FILE, "", {"path": b"a\0b"})),
    "deep-name": lambda: members(("a", DIRECTORY, "", {"path": b"d/" * 3000})),
    "deep-directories": lambda: members(*((f"l{level}", SYMBOLIC, "x", {"linkpath": f"l{level - 1}/".encode() + b"d/" * 1000})
        if odd else ("x", DIRECTORY, "", {"path": f"l{level - 1}/".encode() + b"d/" * 1000}) for level in range(1, 5) for odd in (0, 1))),
    "odd-type": lambda: members(("a", b"Z", "", {})),
    "wrong-sum": lambda: members(("a", FILE, "", {})).replace(b"ustar", b"uster"),
    "cut-header": lambda: members(("a", FILE, "", {}), end=b"x" * 100),
    "sparse-lies": lambda: members(("a", FILE, "", {"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0", "GNU.sparse.realsize": b"9"})),
    # Names that mean nothing: it is the archive that is large, not what comes of it.
    "million-entries": lambda: members((".wh..wh.x", FILE, "", {}), end=b"") * 1_000_001 + bytes(1024),
}


def bomb(size):
    """A file of zeros, packed, and the digest of its archive; never all of it in memory."""
    entry = tarfile.TarInfo("zeros")
    entry.size = size
    packer, hasher, packed, piece = zlib.compressobj(1, zlib.DEFLATED, 31), hashlib.sha256(), [], bytes(1 << 20)
    for content in (entry.tobuf(tarfile.GNU_FORMAT), *(piece for _ in range(size >> 20)), bytes(1024)):
        hasher.update(content)
        packed.append(packer.compress(content))
    return b"".join(packed) + packer.flush(), "sha256:" + hasher.hexdigest()


class Image:
    """A good one; its parts can be exchanged before it is put together."""

    def __init__(self, case):
        self.case = case
        self.layer = tar(case)
        self.packed = self.layer
        self.diff_ids = [digest(self.layer)]
        self.config_type = OCI + "config.v1+json"
        self.layer_change, self.config_change = {}, {}
        self.blobs, self.manifests = {}, {}

    def done(self):
        config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": self.diff_ids}}
        self.config = json.dumps(config).encode()
        layer = {"mediaType": OCI + "layer.v1.tar", "digest": digest(self.packed), "size": len(self.packed), **self.layer_change}
        configured = {"mediaType": self.config_type, "digest": digest(self.config), "size": len(self.config), **self.config_change}
        manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": configured, "layers": [layer]}
        self.blobs = {layer["digest"]: self.packed, configured["digest"]: self.config, **self.blobs}
        self.put(json.dumps(manifest).encode(), "1")
        return self

    def put(self, content, *references):
        for reference in (*references, digest(content)):
            self.manifests[reference] = content

    def top(self):
        return self.manifests["1"]

    def index(self, *entries):
        self.put(json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": entries}).encode(), "1")
        return self

    def entry(self, **changes):
        platform = {"os": "linux", "architecture": "amd64"}
        content = self.top()
        return {"mediaType": OCI + "manifest.v1+json", "digest": digest(content), "size": len(content), "platform": platform, **changes}


def changed(case, **changes):
    image = Image(case)
    for key, value in changes.items():
        setattr(image, key, value)
    return image.done()


def build(case):
    good = Image(case).done()
    other = Image(case + "-other").done()
    raw = lambda content: good.put(content, "1") or good
    if case in ARCHIVES:
        layer = ARCHIVES[case]()
        return changed(case, packed=gzip.compress(layer, 1), diff_ids=[digest(layer)])
    if case == "bomb":
        packed, diff_id = bomb(1100 << 20)
        return changed(case, packed=packed, diff_ids=[diff_id])
    if case == "wrong-blob":
        good.blobs[digest(good.packed)] = good.packed[:2000] + b"x" + good.packed[2001:]
    elif case == "short-blob":
        good.blobs[digest(good.packed)] = good.packed[:100_000]
    elif case == "empty-blob":
        good.blobs[digest(good.packed)] = b""
    elif case == "long-blob":
        good.blobs[digest(good.packed)] = good.packed + b"x"
    elif case == "no-blob":
        del good.blobs[digest(good.packed)]
    elif case == "no-config":
        del good.blobs[digest(good.config)]
    elif case == "layer-size-small":
        return changed(case, layer_change={"size": 5000})
    elif case == "layer-size-large":
        return changed(case, layer_change={"size": len(good.packed) + 1})
    elif case == "layer-size-negative":
        return changed(case, layer_change={"size": -1})
    elif case == "corrupt-gzip":
        packed = gzip.compress(good.layer, 1)
        packed = packed[:300] + bytes(100) + packed[400:]
        return changed(case, packed=packed)
    elif case == "cut-gzip":
        return changed(case, packed=gzip.compress(good.layer, 1)[:-20])
    elif case == "not-a-tar":
        return changed(case, packed=b"no archive" * 1000, diff_ids=[digest(b"no archive" * 1000)])
    elif case == "dots":
        layer = tar("../escaped")
        return changed(case, packed=layer, diff_ids=[digest(layer)])
    elif case == "wrong-diff-id":
        return changed(case, diff_ids=[digest(b"")])
    elif case == "few-diff-ids":
        return changed(case, diff_ids=[])
    elif case == "odd-diff-id":
        return changed(case, diff_ids=["sha256:../../../../etc/passwd"])
    elif case == "layer-sha512":
        return changed(case, layer_change={"digest": "sha512:" + 128 * "0"})
    elif case == "layer-digest-path":
        return changed(case, layer_change={"digest": "sha256:../../../etc/passwd"})
    elif case == "config-size":
        return changed(case, config_change={"size": 5})
    elif case == "config-large":
        return changed(case, config_change={"size": 5 << 20})
    elif case == "config-wrong":
        good.blobs[digest(good.config)] = good.config.replace(b"amd64", b"arm64")
    elif case == "config-text":
        return changed(case, config_change={"digest": digest(b"text"), "size": 4}, blobs={digest(b"text"): b"text"})
    elif case == "artifact":
        return changed(case, config_type="application/vnd.cncf.helm.config.v1+json")
    elif case == "manifest-text":
        raw(b"<html>portal</html>")
    elif case == "manifest-empty":
        raw(b"")
    elif case == "manifest-large":
        raw(good.top() + b" " * (5 << 20))
    elif case == "manifest-both":
        raw(json.dumps({**json.loads(good.top()), "manifests": []}).encode())
    elif case == "manifest-neither":
        raw(b'{"schemaVersion": 2}')
    elif case == "manifest-deep":
        raw(b"[" * 100_000)
    elif case == "manifest-utf8":
        raw(good.top().replace(b"layer.v1", b"layer\xff\xfe"))
    elif case == "config-utf8":
        config = good.config.replace(b"linux", b"\xc3\x28")
        return changed(case, config_change={"digest": digest(config), "size": len(config)}, blobs={digest(config): config})
    elif case == "layers-text":
        raw(json.dumps({**json.loads(good.top()), "layers": "none"}).encode())
    elif case == "index-loop":
        entry = good.entry(mediaType=OCI + "index.v1+json")
        good.index(entry)
        good.manifests[entry["digest"]] = good.top()
    elif case == "schema-1":
        raw(b'{"schemaVersion": 1, "name": "x", "tag": "1", "fsLayers": [], "history": []}')
    elif case == "same-index":
        good.index(good.entry())
    elif case == "index-empty":
        good.index()
    elif case == "index-other-platform":
        good.index(good.entry(platform={"os": "linux", "architecture": "riscv64"}))
    elif case == "index-missing":
        good.index(good.entry(digest=digest(b"")))
    elif case == "index-size":
        good.index(good.entry(size=3))
    elif case == "index-swapped":
        wanted = good.entry()
        good.index(wanted)
        good.manifests[wanted["digest"]] = other.top()
    elif case == "index-lies":
        good.index(good.entry(mediaType=OCI + "index.v1+json"))
    elif case == "index-deep":
        for _ in range(6):
            kind = "index" if b'"manifests"' in good.top() else "manifest"
            good.index(good.entry(mediaType=f"{OCI}{kind}.v1+json"))
    return good


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, content=b"", said=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if said is None else said))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        if said is not None:
            self.wfile.flush()
            self.close_connection = True

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        with LOCK, open(LOG, "a") as file:
            print(self.server.server_port, self.path, self.headers.get("Range", "-"),
                  self.headers.get("Authorization", "nobody").split()[0], self.command, file=file)
        parts = self.path.split("?")[0].split("/")
        if self.path == "/v2/":
            return self.answer(200)
        if parts[1] == "token":
            return self.answer(200, b'{"token": "t0k3n"}') if parts[2] == "good" else self.answer(200, b'{"tok')
        case, kind, reference = parts[2], parts[3], parts[4]
        with LOCK:
            image = SEEN.setdefault(case, None) or build(case)
            count = SEEN[case, kind] = SEEN.get((case, kind), 0) + 1
            SEEN[case] = image
        getattr(self, kind)(case, image, reference, count)

    def manifests(self, case, image, reference, count):
        host = self.headers["Host"]
        if case == "always-500":
            return self.answer(500, b'{"errors": [{"code": "UNKNOWN", "message": "it\\u001b[31m burns"}]}')
        if case == "silent":
            time.sleep(3600)
        if case == "denied":
            return self.answer(403, b'{"errors": [{"code": "DENIED", "message": "not you"}]}')
        if case == "teapot":
            return self.answer(418)
        if case == "once-500" and count == 1:
            return self.answer(503)
        if case == "once-429" and count == 1:
            return self.answer(429, Retry_After="1")
        if case == "wants-basic":
            return self.answer(401, WWW_Authenticate='Basic realm="x"')
        if case == "wants-nothing":
            return self.answer(401)
        if case == "token-never-right":
            return self.answer(401, WWW_Authenticate=f'Bearer realm="http://{host}/token/good",service="s"')
        if case == "token-broken":
            return self.answer(401, WWW_Authenticate=f'Bearer realm="http://{host}/token/bad",service="s"')
        if case == "token-nowhere":
            return self.answer(401, WWW_Authenticate='Bearer realm="file:///etc/passwd",service="s"')
        if case == "elsewhere" and "Authorization" not in self.headers:
            return self.answer(401, WWW_Authenticate=f'Bearer realm="http://{host}/token/good",service="s"')
        if case == "redirect-loop":
            return self.answer(307, Location=self.path)
        if case == "redirect-file":
            return self.answer(307, Location="file:///etc/passwd")
        if case == "closes":
            self.close_connection = True
            return
        if case == "garbage":
            self.wfile.write(b"\x16\x03\x01 nothing of the kind\r\n\r\n")
            self.close_connection = True
            return
        content = image.manifests.get(reference)
        if content is None:
            return self.answer(404)
        said = b"" if case == "header-lies" else content
        kind = json.loads(content.decode(errors="replace")).get("mediaType", "x/y") if content[:1] == b"{" else "text/html"
        self.answer(200, content, Content_Type=kind, Docker_Content_Digest=digest(said))

    def blobs(self, case, image, reference, count):
        content = image.blobs.get(reference)
        if content is None:
            return self.answer(404)
        if len(content) < 10_000:
            return self.answer(200, content)
        if case == "elsewhere" and self.server.server_port == 6000:
            return self.answer(307, Location=f"http://127.0.0.1:6001{self.path}")
        half = len(content) // 2
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if case == "asks-elsewhere":
            if self.server.server_port == 6000:
                return self.answer(307, Location=f"http://127.0.0.1:6001{self.path}")
            return self.answer(401, WWW_Authenticate='Bearer realm="http://127.0.0.1:6001/token/phished",service="s"')
        if case.startswith("hangs"):
            self.answer(200, content[:half], said=len(content) + 0)
            time.sleep(3600)
        if case == "cut-once" and count == 2:
            return self.answer(200, content[:half], said=len(content))
        if case == "cut-no-ranges":
            return self.answer(200, content[:half] if count == 2 else content, said=len(content))
        if case == "cut-always":
            return self.answer(206 if start else 200, content[start:start + 1000], said=len(content) - start,
                               Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}")
        if case == "cut-other-range":
            headers = {"Content_Range": f"bytes 7-{len(content) - 1}/{len(content)}"} if start else {}
            return self.answer(206 if start else 200, content[:half] if not start else content[7:], said=len(content) - 7 * (start > 0), **headers)
        if start:
            return self.answer(206, content[start:], Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.answer(200, content)

    def log_message(self, *_):
        pass


threading.Thread(target=http.server.ThreadingHTTPServer(("127.0.0.1", 6001), Handler).serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", 6000), Handler).serve_forever()
