//! The `kvdag` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    kvdag::cli::main()
}
