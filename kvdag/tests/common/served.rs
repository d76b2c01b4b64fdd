//! Servers that are the command.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use super::command;

/// A server in a process of its own.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Served {
    /// `kvdag serve`.
    pub(crate) fn serve(folder: &Path, arguments: &[&str]) -> Self {
        Self::start(folder, &[&["serve"], arguments].concat())
    }

    /// A command that serves.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let arguments = [arguments, &["--addr", "127.0.0.1:0"]].concat();
        let mut child = command(folder, &arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().rsplit_once("http://").expect("it says where").1.trim_end_matches('/').to_owned();
        Self { child, address }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut response = agent.get(format!("http://{}{path}", self.address)).call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_vec().unwrap())
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        body
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.bytes(path)).unwrap()
    }

    pub(crate) fn end(mut self, signal: &str) -> ExitStatus {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already, where the test went well.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
