"""moto's server, with target health that is really probed and load balancers that are told of every change.

Usage: moto_server.py PORT SCALE ROUTES_PORT, on 127.0.0.1. Intervals between health checks are multiplied by SCALE:
Elastic Load Balancing, and so moto, takes none under 5 s. At ROUTES_PORT load balancers learn where to forward to:
see routes.py.

Stock moto calls every registered target healthy, and a deployment that waits for health would prove nothing. Here a
target starts `initial`, is probed at its target group's protocol, port, path, interval and thresholds, and turns
`healthy` or `unhealthy` with the reason codes that Elastic Load Balancing gives:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
A group that no listener and no rule forwards to is not probed at all: its targets are `unused`, `Target.NotInUse`.

What AWS refuses and stock moto allows is refused, too: see launches.py, balancing.py and scaling/, which supplies what
moto's Auto Scaling lacks. What the harness may bring about is in control.py.

This replaces private parts of moto, which is why requirements.in pins its version.
"""

import functools
import http.client
import logging
import re
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import moto.core.responses as responses
import moto.elbv2.models as elbv2
import moto.server

import balancing
import control
import launches
import scaling
from forwards import forwards, in_use
from routes import Routes

TICK_SECONDS = 0.05
# How long after it got traffic a group is probed, at most.
UNUSED_SECONDS = 0.25
INTERVAL_SCALE = float(sys.argv[2])
ROUTES_PORT = int(sys.argv[3])
PROBES_AT_ONCE = 32
INITIAL = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
HEALTHY = ("healthy", None, None)
NOT_IN_USE = ("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")


@dataclass
class Target:
    """One registered target of one group, as the prober knows it."""

    group: elbv2.FakeTargetGroup
    id: str
    port: int
    health: tuple = INITIAL
    passed: int = 0
    failed: int = 0
    next_probe: float = 0.0
    probing: bool = False

    def record(self, failure):
        """Counts one probe, and says whether the target's health is another now; the first success after registration is enough, as it is on AWS."""
        before = self.health
        if failure is None:
            self.passed, self.failed = self.passed + 1, 0
            if self.health is INITIAL or self.passed >= int(self.group.healthy_threshold_count):
                self.health = HEALTHY
        else:
            self.passed, self.failed = 0, self.failed + 1
            if self.failed >= int(self.group.unhealthy_threshold_count):
                self.health = ("unhealthy", *failure)
        return self.health is not before


def expected(group, status):
    """Whether the group's matcher ("200", "200,204", "200-299") takes this status."""
    codes = (getattr(group, "matcher", None) or {}).get("HttpCode", "200")
    for part in codes.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


def probe(group, ip, port):
    """One health check. Returns None if it passed, else (reason code, description)."""
    timeout = float(group.health_check_timeout_seconds or 2)
    if re.fullmatch(r"\d+", str(group.health_check_port or "")):
        port = int(group.health_check_port)
    try:
        if group.health_check_protocol in ("HTTP", "HTTPS"):
            connection = http.client.HTTPConnection(ip, int(port), timeout=timeout)
            try:
                connection.request("GET", group.health_check_path or "/", headers={"User-Agent": "ELB-HealthChecker/2.0"})
                status = connection.getresponse().status
            finally:
                connection.close()
            if expected(group, status):
                return None
            return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"
        socket.create_connection((ip, int(port)), timeout).close()
        return None
    except TimeoutError:
        return "Target.Timeout", "Request timed out"
    except (OSError, http.client.HTTPException):
        return "Target.FailedHealthChecks", "Health checks failed"


def address(group, target_id):
    """The address to probe: an instance's private IP, or the target itself if it was registered by IP."""
    if not target_id.startswith("i-"):
        return target_id
    instance = group.ec2_backend.get_instance_by_id(target_id)
    return instance.private_ip if instance and instance.state == "running" else None


class Prober:
    """Owns the health of every registered target. One thread schedules, a pool probes."""

    def __init__(self):
        self.lock = threading.Lock()
        self.targets = {}
        self.pool = ThreadPoolExecutor(PROBES_AT_ONCE)
        threading.Thread(target=self.run, daemon=True).start()

    def health(self, group, target_id, port):
        """The target's health now; a target that was not known until now starts `initial`."""
        with self.lock:
            target = self.targets.get((group.arn, target_id))
            if target is None:
                target = self.targets[(group.arn, target_id)] = Target(group, target_id, port)
            return target.health

    def forget(self, group, target_id):
        with self.lock:
            self.targets.pop((group.arn, target_id), None)

    def run(self):
        while True:
            now = time.monotonic()
            with self.lock:
                for key, target in list(self.targets.items()):
                    if target.id not in target.group.targets:
                        del self.targets[key]
                    elif not target.probing and target.next_probe <= now:
                        target.probing = True
                        self.pool.submit(self.check, target)
            time.sleep(TICK_SECONDS)

    def check(self, target):
        """Probes one target. A group that is not in use starts over: on AWS its checks start when it gets traffic."""
        group, failure = target.group, None
        try:
            if not in_use(group):
                target.health, target.passed, target.failed = INITIAL, 0, 0
                return
            ip = address(group, target.id)
            failure = probe(group, ip, target.port) if ip else ("Target.Timeout", "Request timed out")
            if target.record(failure):
                routes.look_soon()
        except Exception as error:  # A prober that dies silently would leave every target as it last was.
            print(f"health check of {target.id}: {error!r}", file=sys.stderr, flush=True)
        finally:
            interval = INTERVAL_SCALE * float(group.health_check_interval_seconds or 5)
            target.next_probe = time.monotonic() + (interval if in_use(group) else UNUSED_SECONDS)
            target.probing = False


def forwards_now():
    """The forward action of each listener and each rule with the addresses of its healthy targets, for load balancers."""
    seen = {}
    for regions in list(elbv2.elbv2_backends.values()):
        for backend in list(regions.values()):
            seen |= forwards(backend, lambda group: {"targets": healthy(group)})
    return seen


def healthy(group):
    if group is None:
        return []
    targets = []
    for target in list(group.targets.values()):
        is_healthy = group.health_for(target, group.ec2_backend).status == "healthy"
        ip = address(group, target["Id"]) if is_healthy else None
        if ip:
            targets.append(f"{ip}:{target['Port']}")
    return targets


prober = Prober()
stock_health_for = elbv2.FakeTargetGroup.health_for
stock_register = elbv2.FakeTargetGroup.register


def health_for(self, target, ec2_backend):
    stock = stock_health_for(self, target, ec2_backend)
    registered = self.targets.get(target["Id"])
    if registered is None or stock.status != "healthy":
        return stock
    health = prober.health(self, registered["Id"], registered["Port"]) if in_use(self) else NOT_IN_USE
    return elbv2.FakeHealthStatus(registered["Id"], registered["Port"], self.health_check_port, *health)


def register(self, targets):
    before = {target_id: target["Port"] for target_id, target in self.targets.items()}
    stock_register(self, targets)
    added = [target["Id"] for target in targets if before.get(target["Id"]) != self.targets[target["Id"]]["Port"]]
    for target_id in added:
        prober.forget(self, target_id)  # Registered again within a tick: it starts `initial` all the same.
        prober.health(self, target_id, self.targets[target_id]["Port"])


def then(tell, stock):
    """A change that the load balancers are told of."""

    def change(self, *arguments, **named):
        changed = stock(self, *arguments, **named)
        tell()
        return changed

    return change


if __name__ == "__main__":
    # The names of a class's methods, some six hundred of EC2's: for every request anew, half of what it costs.
    responses.method_names_from_class = functools.cache(responses.method_names_from_class)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # The harness polls: a line a request would bury the rest.
    elbv2.FakeTargetGroup.health_for = health_for
    for part in (launches, scaling, balancing, control):
        part.install()
    routes = Routes(ROUTES_PORT, forwards_now)
    # Weights before their caller knows of them, targets soon.
    group, backend = elbv2.FakeTargetGroup, elbv2.ELBv2Backend
    group.register = then(routes.look_soon, register)
    group.deregister = then(routes.look_soon, group.deregister)
    backend.modify_listener = then(routes.changed, backend.modify_listener)
    backend.modify_rule = then(routes.changed, backend.modify_rule)
    moto.server.main(["-H", "127.0.0.1", "-p", sys.argv[1]])
