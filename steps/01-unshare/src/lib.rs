//! Step 01-unshare.
