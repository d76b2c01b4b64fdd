//! Processes of a test: its very program, started again with a variable that says what to do. They say by lines how far they are.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The variable that has what a process is to do.
pub const ROLE: &str = "DATASET_CACHE_TEST_ROLE";

/// The variable that has the cache's path.
pub const CACHE: &str = "DATASET_CACHE_TEST_FILE";

/// The program, to be started in a role. It has a test that looks at the variables.
pub fn program(program: &Path, role: &str, cache: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", "a_process_that_is_started_by_the_others", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(CACHE, cache)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Says a line to who has started this process.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n:{line}").and_then(|()| out.flush()).unwrap();
}

/// The lines that a process says.
pub fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let output = BufReader::new(child.stdout.take().unwrap());
    output.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix(':').map(str::to_owned))
}
