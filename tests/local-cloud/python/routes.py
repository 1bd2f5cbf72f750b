"""Tells load balancers where their listeners and rules forward to, at the moment that changes.

A load balancer connects to 127.0.0.1:PORT and gets one line of JSON, and another one for every change:

    {"at": SECONDS_SINCE_1970, "forwards": {ARN: [{"arn": GROUP, "weight": 100, "targets": ["127.0.10.4:8080"]}]}}

It answers each line with a line of its own. Whoever changes a listener or a rule waits for these answers, so a load balancer knows
of new weights before their caller does: how late it follows them is for it to say, and no poll adds to it.
"""

import json
import socket
import sys
import threading
import time

# A look takes a while, and most find nothing: they are as far apart as this unless somebody says that there is something to see.
TICK_SECONDS = 0.25
# A load balancer that does not answer for this long is told no more, until it connects again.
ANSWER_SECONDS = 5.0


class Routes:
    """Owns the connections and what was told last. `look` returns the forwards as they are now."""

    def __init__(self, port, look):
        self.look = look
        self.lock = threading.Lock()
        self.connections = []
        self.told, self.line = None, b""
        self.news = threading.Event()
        self.server = socket.create_server(("127.0.0.1", port))
        for work in (self.accept, self.watch):
            threading.Thread(target=self.repeat, args=[work], daemon=True).start()

    def changed(self):
        """Tells everybody what has changed; returns when everybody has answered."""
        with self.lock:
            self.tell()

    def look_soon(self):
        """Health or a registration has changed: whoever changed it does not wait for anybody's answer."""
        self.news.set()

    def tell(self):
        forwards = self.look()
        if forwards == self.told:
            return
        line = json.dumps({"at": time.time(), "forwards": forwards}) + "\n"
        self.told, self.line = forwards, line.encode()
        sent = [connection for connection in self.connections if self.send(connection)]
        self.connections = [connection for connection in sent if self.answered(connection)]

    def send(self, connection):
        try:
            connection.sendall(self.line)
            return True
        except OSError:
            connection.close()
            return False

    def answered(self, connection):
        try:
            if connection.recv(1) == b"\n":
                return True
        except OSError as error:
            print(f"a load balancer does not answer: {error!r}", file=sys.stderr, flush=True)
        connection.close()
        return False

    def repeat(self, work):
        while True:
            try:
                work()
            except Exception as error:  # moto changes what is looked at meanwhile: the next look is in a moment.
                print(f"a look at the forwards: {error!r}", file=sys.stderr, flush=True)

    def accept(self):
        connection, _ = self.server.accept()
        connection.settimeout(ANSWER_SECONDS)
        with self.lock:
            self.tell()
            if self.send(connection) and self.answered(connection):
                self.connections.append(connection)

    def watch(self):
        self.news.wait(TICK_SECONDS)
        self.news.clear()
        self.changed()
