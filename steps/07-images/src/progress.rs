//! Progress: a line or a bar for each layer.
