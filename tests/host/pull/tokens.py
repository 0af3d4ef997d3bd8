"""tokens.py CERTIFICATE KEY LOG: a token server on localhost:5003 over TLS. It signs for Debian's docker-registry; user
`ann` with password `right` may pull everything, nobody only what is below `open/`."""

import base64, http.server, json, ssl, subprocess, sys, time
from urllib.parse import parse_qs, urlparse

certificate, key, log = sys.argv[1:]


def encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def token(user, scopes):
    der = ssl.PEM_cert_to_DER_cert(open(certificate).read())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    access = []
    for scope in scopes:
        kind, name, actions = scope.split(":")
        if user == "ann" or name.startswith("open/"):
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
    now = int(time.time())
    claims = {"iss": "tests", "sub": user, "aud": "the-registry", "exp": now + 300, "nbf": now - 10, "iat": now,
              "jti": str(time.time_ns()), "access": access}
    text = encoded(json.dumps(header).encode()) + "." + encoded(json.dumps(claims).encode())
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), capture_output=True)
    return text + "." + encoded(signed.stdout)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = parse_qs(urlparse(self.path).query)
        given = self.headers.get("Authorization", "")
        user = ""
        if given:
            user, password = base64.b64decode(given.removeprefix("Basic ")).decode().split(":")
            if (user, password) != ("ann", "right"):
                self.send_response(401)
                self.end_headers()
                return
        with open(log, "a") as file:
            print(user or "nobody", *query.get("scope", ["-"]), query.get("service"), file=file)
        content = json.dumps({"token": token(user, query.get("scope", [])), "expires_in": 300}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("localhost", 5003), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
