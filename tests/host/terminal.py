"""A real pseudo-terminal with a program on it, for the tests of terminals."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time


class Terminal:
    """`seen` is what was written and not yet waited for, `all` everything."""

    def __init__(self, *words, rows=24, columns=80):
        self.seen = self.all = b""
        sized, size = os.pipe()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.read(sized, 1)
            # Of a terminal that can do nothing, programs ask nothing.
            os.environ["TERM"] = "dumb"
            os.execvp(words[0], words)
        self.words = words
        self.resize(rows, columns)
        os.write(size, b"x")
        os.close(sized)
        os.close(size)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def more(self, patience):
        if not select.select([self.master], [], [], patience)[0]:
            return False
        try:
            read = os.read(self.master, 65536)
        except OSError:
            read = b""
        self.seen += read
        self.all += read
        return bool(read)

    def until(self, wanted, patience=60):
        wanted = wanted.encode()
        end = time.monotonic() + patience
        looked = 0
        while (place := self.seen.find(wanted, looked)) < 0:
            looked = max(0, len(self.seen) - len(wanted))
            if not self.more(max(0, end - time.monotonic())):
                sys.exit(f"{self.words}: no {wanted[:200]} in {self.seen[-1000:]}")
        before, self.seen = self.seen[:place], self.seen[place + len(wanted) :]
        return before.decode()

    def ask(self, line, answer):
        """Types a line, and waits for its echo and for the answer."""
        self.type(line + "\n")
        self.until(line + "\r\n")
        return self.until(answer)

    def leave(self):
        self.type("\x1d\x1d\x1d")
        return self.end()

    def end(self):
        """The exit status, once everything was read."""
        while self.more(20):
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.master)
        return status

    def drop(self):
        """As a window that is closed, or a line that is cut."""
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def expect(found, wanted):
    if found != wanted:
        same = len(os.path.commonprefix([found, wanted])) if isinstance(found, (str, bytes)) else 0
        part = lambda of: repr(of[same:same + 200] if same else of)[:1000]
        sys.exit(f"line {sys._getframe(1).f_lineno}: after {same} that are right found {part(found)}, wanted {part(wanted)}")
