//! Step 02-uts.
