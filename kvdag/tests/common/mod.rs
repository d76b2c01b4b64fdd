//! Runs the command as a user would.
#![allow(clippy::expect_used, reason = "a test that can't go on has failed")]

#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) mod npy;
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) mod pages;
#[cfg(all(unix, feature = "serve"))]
#[allow(dead_code, unreachable_pub, reason = "not every test binary has a use for it")]
pub(crate) mod served;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The engines of this build.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) const ENGINES: &[&str] = &[
    #[cfg(feature = "lmdb")]
    "lmdb",
    "memory",
    #[cfg(feature = "redb")]
    "redb",
    #[cfg(feature = "sled")]
    "sled",
    #[cfg(feature = "sqlite")]
    "sqlite",
];

/// The engines of this build whose stores are files.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) fn disk_engines() -> impl Iterator<Item = &'static str> + Clone {
    ENGINES.iter().copied().filter(|engine| *engine != "memory")
}

/// What an engine declares.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) fn capabilities(engine: &str) -> kvdag::Capabilities {
    let registry = kvdag::registry().expect("the engines' schemes differ");
    registry.engine(engine).expect("the engine is there").descriptor().capabilities
}

/// The path of an image that the project ships.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) fn testdata(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name).display().to_string()
}

/// The file of the head MRI.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) const HEAD: &str = "mni152_t1_1mm.nii.gz";

/// The head MRI, uncompressed: a NIfTI file.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) fn head() -> Vec<u8> {
    let mut bytes = Vec::new();
    let packed = File::open(testdata(HEAD)).expect("the image is there");
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).expect("it is whole");
    bytes
}

/// What a run of the command left.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn new(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("the command wasn't killed"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output as JSON.
    #[allow(dead_code, reason = "not every test binary has a use for it")]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {:?}", self.out))
    }
}

pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvdag"));
    command.current_dir(folder).args(arguments).env_remove("RUST_BACKTRACE");
    command
}

/// Runs the command in a folder, whatever becomes of it.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Run {
    let run = Run::new(&command(folder, arguments).output().expect("the command starts"));
    assert!(run.code != 70 && !run.err.contains("panicked at"), "{arguments:?}: {}", run.err);
    run
}

/// Runs the command in a folder; it must succeed.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) fn succeed(folder: &Path, arguments: &[&str]) -> Run {
    let run = run(folder, arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {}{}", run.out, run.err);
    run
}

/// Runs the command in a folder; it must fail with this code, and say these words on standard error.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) fn fail(folder: &Path, arguments: &[&str], code: i32, words: &str) {
    let run = run(folder, arguments);
    assert_eq!(run.code, code, "{arguments:?}: {}{}", run.out, run.err);
    assert!(run.err.contains(words), "{arguments:?}: {:?} isn't in {:?}", words, run.err);
    assert_eq!(run.out, "", "{arguments:?} answers nothing");
}

/// Runs the command with bytes on standard input; it must succeed, and answers what it wrote.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) fn pipe(folder: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    feed(command(folder, arguments), input)
}

/// The same of a command that is made already.
#[allow(dead_code, reason = "not every test binary has a use for it")]
pub(crate) fn feed(mut command: Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command takes it");
    child.stdin.take().expect("the command takes it").write_all(input).expect("the command takes it");
    let output = child.wait_with_output().expect("the command takes it");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
