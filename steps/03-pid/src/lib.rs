//! Step 03-pid.
