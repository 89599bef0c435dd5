//! What an environment is, computed without I/O, clock or engine: topology, PKI, rendered files, expected access.
