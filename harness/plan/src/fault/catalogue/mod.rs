//! Every fault.

mod broker;
mod certificates;
mod code_certificates;
mod code_connections;
mod code_services;
mod files;
mod network;
mod shut;

use super::Fault;

/// Every fault, by the wall that it breaks, from the ground up.
pub fn catalogue() -> impl Iterator<Item = &'static Fault> {
    let parts = [
        network::FAULTS,
        certificates::FAULTS,
        code_certificates::FAULTS,
        code_connections::FAULTS,
        broker::FAULTS,
        code_services::FAULTS,
        files::FAULTS,
    ];
    parts.into_iter().flatten()
}

/// Walls in the wrong place: what is anybody's right is refused. The scenarios must notice each; the matrix is not asked.
pub fn shut() -> impl Iterator<Item = &'static Fault> {
    shut::FAULTS.iter()
}

/// The fault of that name.
///
/// # Errors
/// There is none; the names that are most like it.
pub fn find(id: &str) -> Result<&'static Fault, Vec<&'static str>> {
    let found = catalogue().find(|fault| fault.id() == id);
    found.ok_or_else(|| {
        let mut near: Vec<(usize, &'static str)> =
            catalogue().map(|fault| (distance(id, fault.id()), fault.id())).collect();
        near.sort_unstable();
        near.into_iter().take(NEAR_NAMES).map(|(_, id)| id).collect()
    })
}

const NEAR_NAMES: usize = 3;

/// How many characters must be added, removed or changed (Levenshtein), where a part of a name counts as near.
fn distance(given: &str, id: &str) -> usize {
    if !given.is_empty() && id.contains(given) {
        return 0;
    }
    let mut row: Vec<usize> = (0..=id.len()).collect();
    for (line, left) in given.bytes().enumerate() {
        let (mut diagonal, mut before) = (row[0], line + 1);
        row[0] = before;
        for (column, right) in id.bytes().enumerate() {
            let cost = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            before = cost.min(before + 1).min(diagonal + 1);
            row[column + 1] = before;
        }
    }
    row.last().copied().unwrap_or_default()
}
