//! `host-tools`: an image made from this machine itself.
