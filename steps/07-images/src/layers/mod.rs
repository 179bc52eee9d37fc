//! Layers: archives of changes, placed one upon the other.
