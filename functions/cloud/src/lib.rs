//! The AWS edge: listener, instances, Auto Scaling groups and the service's record.
