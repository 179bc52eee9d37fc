//! Beside umoci.
