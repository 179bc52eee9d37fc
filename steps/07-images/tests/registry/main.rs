//! Names, registries and the store: from outside, and against servers that lie.

mod kit;

mod archives;
mod command;
mod documents;
mod faults;
mod hostile;
mod interrupted;
mod login;
mod logins;
mod names;
mod proxies;
mod real;
mod removal;
mod resume;
mod secrets;
mod store;
mod tokens;
mod trust;
