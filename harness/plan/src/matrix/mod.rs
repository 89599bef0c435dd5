//! The access matrix: the complete table of who can do what to whom from where.
//!
//! [`Plan::of`] lists the cells and what the oracle expects in each; a run fills a second table; [`Table`] compares them.
//! An incomplete table is a failure, and so is a cell that could not be judged: *could not check* is never *denied*.

mod catalogue;
mod cell;
mod kept;
mod picture;
mod plan;
mod table;

pub use catalogue::forgeries;
pub use cell::{Cell, Layer};
pub use kept::{Copied, Kept};
pub use picture::{Column, Field, Picture};
pub use plan::{Part, Plan, PlannedCell, Unasked};
pub use table::{Entry, Measured, Table};
