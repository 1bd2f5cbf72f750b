//! A service that gives private applications a public path through a WebSocket tunnel.
