//! Names, registries and the store: from outside, and against servers that lie.

mod kit;

mod documents;
mod faults;
mod hostile;
mod names;
mod real;
mod secrets;
mod tokens;
