//! Whole deployments on the local cloud, read as Given, When, Then.
