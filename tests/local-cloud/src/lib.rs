//! The local cloud: emulators, a host for server processes and a load balancer.
