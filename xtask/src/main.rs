//! The list of commands behind `cargo xtask`.

fn main() {}
