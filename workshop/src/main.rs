//! `cargo workshop`.
fn main() {}
