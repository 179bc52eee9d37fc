//! Step 06-net.
