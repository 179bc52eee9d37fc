//! Pull: from a reference to layers on disk.
