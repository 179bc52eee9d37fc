//! Passwords from Docker's own file.
