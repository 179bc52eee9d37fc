//! Step 07-images.
