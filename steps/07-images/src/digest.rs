//! Digests: how content is named by its hash.
