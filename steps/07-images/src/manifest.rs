//! Index, manifest and config: what an image is made of.
