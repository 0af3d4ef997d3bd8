"""stumbling.py LOG: a registry on port 6300 that wants a login, has each blob sent to port 6301, and stumbles at first: the
first connection that brings a blob is cut, the second is told to come again. LOG has a line for each request: port, method,
path, whether it said who it is; and one for each blob and manifest that came: its name and the digest of what came."""

import hashlib, http.server, json, sys, threading, time

tries = {}


def log(*words):
    with open(sys.argv[1], "a") as file:
        print(*words, file=file)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def known(self):
        port, who = self.server.server_address[1], "Authorization" in self.headers
        log(port, self.command, self.path.split("?")[0], "known" if who else "unknown")
        if port == 6300 and not who:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer(401, WWW_Authenticate='Basic realm="stumbling"')
        return port == 6301 or who

    def do_GET(self):
        if self.known():
            self.answer(200)

    def do_HEAD(self):
        if self.known():
            self.answer(404)

    def do_POST(self):
        if self.known():
            self.answer(202, Location=f"http://127.0.0.1:6301/upload/{time.time_ns()}?state=a")

    def do_PUT(self):
        if not self.known():
            return
        size = int(self.headers["Content-Length"])
        if "/manifests/" in self.path:
            content = self.rfile.read(size)
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            log(self.path, self.headers["Content-Type"], digest)
            return self.answer(201, Docker_Content_Digest=digest)
        name = self.path.split("digest=")[1]
        tries[name] = tries.get(name, 0) + 1
        if tries[name] == 1:
            self.rfile.read(size // 2)
            self.close_connection = True
            return
        content = self.rfile.read(size)
        if tries[name] == 2:
            return self.answer(503, Retry_After="0")
        log("blob", name, "sha256:" + hashlib.sha256(content).hexdigest())
        self.answer(201)

    def log_message(self, *_):
        pass


for port in 6301, 6300:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever).start()
