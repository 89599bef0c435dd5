//! What a run of the access matrix found, in forms that a third party can read, check and keep.
//!
//! A [`Report`] is made of the compared table; everything that people and programs read is rendered from it and from
//! nothing else: `report.json` ([`Report::to_json`]), `report.html` ([`html::render`]), `junit.xml` ([`junit::render`]).
//! A [`bundle`] has them together with what they rest on, hashed and signed, in one archive. [`verify`] takes such an
//! archive from anybody and believes nothing in it: hashes, signature, and the verdict itself are computed again.
//!
//! Nothing in here starts or asks anything. Only [`bundle::write`], [`Material::read`](bundle::Material::read) and
//! [`verify::verify`] touch the file system.

pub mod bundle;
pub mod html;
pub mod junit;
pub mod report;
pub mod sign;
mod text;
pub mod verify;

pub use report::Report;
