//! Who owns the service.
