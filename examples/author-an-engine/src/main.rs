//! The whole `kvdag` command, with this engine in it.

// An engine registers itself only when its crate is linked, and it is linked only when it is named.
extern crate author_an_engine as _;

fn main() -> std::process::ExitCode {
    kvdag::cli::main()
}
