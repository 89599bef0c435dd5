//! Attempts on the broker by those whom it lets in.

use bulkhead_plan::matrix::Cell;

use crate::site::Site;

/// Attempts them.
pub(crate) async fn attempt(site: &Site, cells: &[Cell]) {
    for cell in cells {
        site.file_unjudged(cell, "not attempted yet");
    }
}
