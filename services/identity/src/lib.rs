//! Names, certificate profile, verifiers and subjects: what a tenant's identity is.
