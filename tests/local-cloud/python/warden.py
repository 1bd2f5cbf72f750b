"""Ends every process of one local cloud when the process that started it is gone.

Usage: warden.py MARK, with a pipe as standard input that the starter holds open and never writes to.

Every process of a local cloud has MARK in its environment as EBBTIDE_LOCAL_CLOUD, and so have the processes that it
starts, such as the emulator's Lambdas. The kernel closes the pipe when the starter ends, however it ends; SIGKILL
leaves nobody else to tidy up. Finding processes by mark instead of by a list of ids cannot kill a stranger that got a
reused id, and misses nobody. Linux only (/proc), as are the loopback addresses that the servers listen on.
"""

import os
import signal
import sys
import time

ROUNDS = 50  # More than one: a process may be starting another at the very moment it is looked for.


def marked(mark):
    """Ids of the processes with this mark, except this one and the dead that nobody has reaped."""
    wanted = b"EBBTIDE_LOCAL_CLOUD=" + os.fsencode(mark)
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as environ:
                if wanted in environ.read().split(b"\0"):
                    yield int(entry)
        except OSError:
            pass  # It ended, or it is somebody else's.


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    for _ in range(ROUNDS):
        left = list(marked(sys.argv[1]))
        if not left:
            return
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)


if __name__ == "__main__":
    main()
