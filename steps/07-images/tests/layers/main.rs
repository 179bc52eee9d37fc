//! Layers as they are unpacked: hostile ones, damaged ones, and real ones beside umoci.
//!
//! The names of tests begin with the row of the attack that they try.

mod archive;
mod bench;
mod ids;
mod metadata;
mod names;
mod replacing;
mod stream;
mod tree;
mod umoci;
mod user_namespace;
mod whiteouts;
