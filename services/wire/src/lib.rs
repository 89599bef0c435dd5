//! The gRPC contract, wire-compatible with ServiceRadar's monitoring package.
