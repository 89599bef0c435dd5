//! The isolation scenarios: Cucumber steps over real probes.
