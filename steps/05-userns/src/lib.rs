//! Step 05-userns.
