//! Step 04-mount.
