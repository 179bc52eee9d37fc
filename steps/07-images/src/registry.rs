//! The few requests that a registry answers.
