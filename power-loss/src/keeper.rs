//! Who unmounts a disk when the process that serves it is killed.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for a line, and unmounts if there comes none.
const WAIT: &str = r#"read -r done || umount -l "$1" || fusermount3 -uz "$1""#;

/// A process that outlives this one for as long as it takes to unmount a disk that nobody serves any more.
#[derive(Debug)]
pub(crate) struct Keeper(Child);

impl Keeper {
    pub(crate) fn new(mount: &Path) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(WAIT).arg("sh").arg(mount).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // What ends this process from a terminal doesn't end that one.
        command.process_group(0).spawn().map(Self)
    }

    /// The disk has been unmounted.
    pub(crate) fn dismiss(mut self) {
        let told = self.0.stdin.take().map(|mut input| input.write_all(b"done\n"));
        if !matches!(told, Some(Ok(()))) {
            drop(self.0.kill());
        }
        drop(self.0.wait());
    }
}
