//! Names of images: the reference grammar.
