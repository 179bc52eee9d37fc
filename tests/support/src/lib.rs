//! What the tests of all steps share.
