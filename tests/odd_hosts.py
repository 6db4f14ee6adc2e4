"""A host on this machine that answers as its paths say: well, slowly, for ever, wrongly or with a redirect."""

import socketserver
import ssl
import threading
import time
from contextlib import contextmanager

GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nSet-Cookie: a=secret\r\n"


class Odd(socketserver.ThreadingTCPServer):
    """`photo` is given at /photo; `asked` holds the heads of all requests."""

    daemon_threads, block_on_close, allow_reuse_address = True, False, True

    def __init__(self, photo: bytes, certificate=None):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.photo, self.asked = photo, []
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        """The other side hangs up on most of these answers."""


class _Answer(socketserver.StreamRequestHandler):
    def handle(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        self.server.asked.append(head.decode())
        path = head.split()[1].decode().split("?")[0].strip("/")
        kind, _, rest = path.partition("/")
        getattr(self, f"_{kind}", self._nothing)(rest)

    def _say(self, *parts):
        for part in parts:
            self.wfile.write(part)

    def _sized(self, body, length=None):
        return GOOD, b"Content-Length: %d\r\n\r\n" % (len(body) if length is None else length), body

    def _photo(self, rest):
        self._say(*self._sized(self.server.photo))

    def _page(self, rest):
        self._say(*self._sized(b"<!doctype html><p>secret words"))

    def _nothing(self, rest):
        body = b"secret words: no such photo"
        self._say(b"HTTP/1.1 404 Not Found\r\nX-Secret: yes\r\nContent-Length: %d\r\n\r\n" % len(body), body)

    def _broken(self, rest):
        self._say(b"secret words, and no HTTP\r\n\r\n")

    def _longer(self, rest):
        """Claims more than it sends."""
        self._say(*self._sized(self.server.photo, len(self.server.photo) + 10_000))

    def _boasting(self, rest):
        """Claims a terabyte, and gives the photo."""
        self._say(*self._sized(self.server.photo, 2**40))

    def _understating(self, rest):
        """Claims ten bytes, and gives the photo."""
        self._say(*self._sized(self.server.photo, 10))

    def _endless(self, rest):
        self._say(GOOD, b"\r\n")
        while True:
            self._say(b"x" * 2**16)

    def _chunks(self, rest):
        self._say(GOOD, b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            self._say(b"10000\r\n" + b"x" * 2**16 + b"\r\n")

    def _slow(self, rest):
        self._say(GOOD, b"\r\n")
        for place in range(len(self.server.photo)):
            self._say(self.server.photo[place : place + 1])
            time.sleep(0.02)

    def _silent(self, rest):
        time.sleep(20)

    def _to(self, rest):
        """`to/HOST/PATH`: a redirect there, `to/` alone to the same place."""
        place = f"http://{rest}" if rest else "/to/"
        head = b"HTTP/1.1 302 Found\r\nSet-Cookie: a=secret; Path=/\r\nContent-Length: 0\r\n"
        self._say(head, b"Location: %s\r\n\r\n" % place.encode())

    def _file(self, rest):
        self._say(b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: file:///etc/passwd\r\n\r\n")

    def _near(self, rest):
        """`near/3`: as many redirects on this host before the photo."""
        place = f"/near/{int(rest) - 1}" if int(rest) > 1 else "/photo"
        self._say(b"HTTP/1.1 307 Elsewhere\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % place.encode())

    def _zipped(self, rest):
        """16 MB in 16 kB, though they were asked for as they are."""
        import gzip

        body = gzip.compress(bytes(2**24), 6)
        head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._say(GOOD, head, body)


@contextmanager
def odd_host(photo, certificate=None):
    """A host that runs in a thread."""
    with Odd(photo, certificate) as host:
        thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield host
        finally:
            host.shutdown()
            thread.join()
