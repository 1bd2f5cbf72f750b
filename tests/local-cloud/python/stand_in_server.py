"""A server that is not the tunnel server: what the host starts where a scenario wants one that misbehaves.

Usage: stand_in_server.py --listen IP:PORT --sessions IP:PORT [--health STATUS] [--report TEXT] [--once TEXT]

The public port answers every request with STATUS. The sessions port answers every request with 200 and TEXT,
whatever it was asked; the very first one with the TEXT of --once, if there is one.
"""

import argparse
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def handler(status, text, once=None):
    """A request handler class that always gives this answer, or another one the first time."""
    first = [once] if once is not None else []

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = (first.pop() if first else text).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *_):
            pass

    return Answer


def serve(address, answer):
    ip, _, port = address.rpartition(":")
    ThreadingHTTPServer((ip, int(port)), answer).serve_forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--sessions", required=True)
    parser.add_argument("--health", type=int, default=200)
    parser.add_argument("--report", default="this is no report")
    parser.add_argument("--once")
    options = parser.parse_args()
    sessions = handler(200, options.report, options.once)
    threading.Thread(target=serve, args=(options.sessions, sessions), daemon=True).start()
    serve(options.listen, handler(options.health, "{}"))


if __name__ == "__main__":
    main()
