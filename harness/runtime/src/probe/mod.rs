//! Attempts and the records of them: the probes themselves ([`bulkhead_probe`]), hostile credentials for them, and the
//! servers' own records, with which every observation is joined before anything is concluded from it.

pub mod forge;
pub mod preflight;
pub mod records;
pub mod verdict;

pub use bulkhead_probe::*;
