//! The small program that stays with a container: see `step07_images::monitor`.

use std::process::ExitCode;

fn main() -> ExitCode {
    step07_images::monitor::main()
}
