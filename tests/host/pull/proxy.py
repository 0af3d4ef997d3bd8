"""proxy.py LOG: a proxy on port 6100 that connects to where it is asked to, and logs that."""

import socket, socketserver, sys, threading


def pump(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


class Handler(socketserver.StreamRequestHandler):
    rbufsize = 0

    def handle(self):
        line = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        with open(sys.argv[1], "a") as file:
            print(*line[:2], file=file)
        host, port = line[1].rsplit(":", 1)
        # No name service knows it.
        other = socket.create_connection(("localhost" if host == "beyond.test" else host, int(port)))
        self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        back = threading.Thread(target=pump, args=(other, self.connection), daemon=True)
        back.start()
        pump(self.connection, other)
        back.join()


socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("127.0.0.1", 6100), Handler).serve_forever()
