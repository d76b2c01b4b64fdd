//! The commands on array files in a bucket of an emulated S3, with what the environment says of it.
#![cfg(all(feature = "cli", feature = "s3"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Run, testdata};
use s3_emulator::{Conditions, Emulator, KEY_ID, SECRET};
use serde_json::json;
use tempfile::{TempDir, tempdir};

/// What nobody's environment may add.
const VARIABLES: [&str; 12] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ALLOW_HTTP",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

const FILE: &str = "s3://scans/of/a.af";

struct Desk {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Desk {
    fn at(emulator: &Emulator) -> Self {
        Self { folder: tempdir().unwrap(), environment: emulator.environment().to_vec() }
    }

    fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.extend(value.map(|value| (name, value.to_owned())));
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = common::command(self.path(), arguments);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        // A proxy of this machine has no way back to it.
        command.env("NO_PROXY", "*").envs(self.environment.iter().cloned());
        let run = Run::new(&command.output().unwrap());
        assert!(run.code != 70 && !run.err.contains("panicked at"), "{arguments:?}: {}", run.err);
        for secret in [SECRET, "another-secret", "a-session-token"] {
            assert!(
                !run.err.contains(secret) && !run.out.contains(secret),
                "{arguments:?} tells a secret: {}",
                run.err
            );
        }
        run
    }

    fn succeed(&self, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {}{}", run.out, run.err);
        run
    }

    /// It must fail with this code and these words, and while somebody waits for it.
    fn fail(&self, arguments: &[&str], code: i32, words: &str) {
        let began = Instant::now();
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}{}", run.out, run.err);
        assert!(run.err.contains(words), "{arguments:?}: {words:?} isn't in {:?}", run.err);
        assert!(!run.err.contains("<Code>"), "{}", run.err);
        assert!(began.elapsed() < Duration::from_secs(40), "{arguments:?} took {:?}", began.elapsed());
    }
}

fn emulator() -> Emulator {
    let emulator = Emulator::start().unwrap();
    emulator.create_bucket("scans");
    emulator
}

/// An array of 16 bits as a raw image has it.
fn ramp(count: u16) -> Vec<u8> {
    (0..count).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_file_in_a_bucket_is_made_written_read_compacted_and_verified() {
    let emulator = emulator();
    emulator.set_page(3);
    let desk = Desk::at(&emulator);
    let create =
        ["array", "create", FILE, "--array", "m", "--shape", "4,6", "--chunk-shape", "2,3", "--dtype", "u16"];
    desk.succeed(&create);
    desk.fail(&create, 4, "m already");
    fs::write(desk.path().join("m.npy"), npy("(4, 6)", &ramp(24))).unwrap();
    fs::write(desk.path().join("row.npy"), npy("(1, 6)", &[9, 0].repeat(6))).unwrap();
    desk.succeed(&["array", "write", FILE, "m", "m.npy"]);
    desk.succeed(&["array", "history", FILE, "--name", "first"]);
    desk.succeed(&["array", "write", FILE, "m", "row.npy", "--offset", "1,0"]);
    let read = |more: &[&str]| {
        desk.succeed(&[&["array", "read", FILE, "m", "--region", "0:2,1:5"], more].concat()).out
    };
    assert_eq!(read(&[]), "1 2 3 4\n9 9 9 9\n");
    assert_eq!(read(&["--commit", "first"]), "1 2 3 4\n7 8 9 10\n");
    assert_eq!(read(&["--commit", "1"]), "0 0 0 0\n0 0 0 0\n");
    let history = desk.succeed(&["array", "history", FILE, "--format", "json"]).json();
    assert_eq!(history["commits"].as_array().unwrap().len(), 4);
    let swept = desk.succeed(&["array", "compact", FILE, "--grace", "0s", "--format", "json"]).json();
    assert_eq!(swept["layers"], 1);
    assert_eq!(
        (read(&[]), read(&["--commit", "first"])),
        ("1 2 3 4\n9 9 9 9\n".into(), "1 2 3 4\n7 8 9 10\n".into())
    );
    desk.fail(&["array", "read", FILE, "m", "--commit", "1"], 3, "no commit 1");
    let checked = desk.succeed(&["array", "verify", FILE, "--format", "json"]).json();
    assert_eq!((&checked["problems"], &checked["layers_unused"]), (&json!([]), &json!(0)));
    desk.succeed(&["array", "info", FILE]);
    desk.succeed(&["array", "ls", FILE]);
    let stats = desk.succeed(&["array", "stats", FILE, "m", "--format", "json"]).json();
    assert_eq!(stats["arrays"][0]["max"], json!(23));
    desk.fail(&["array", "read", "s3://scans/of/b.af", "m"], 3, "no array file");
}

#[test]
fn images_go_to_a_bucket_and_come_back() {
    let emulator = emulator();
    let desk = Desk::at(&emulator);
    let nuclei = testdata("nuclei.tif");
    desk.succeed(&["array", "import", FILE, &nuclei, "--codec", "none"]);
    desk.succeed(&["array", "export", FILE, "nuclei", "back.tif"]);
    desk.succeed(&["array", "import", "there.af", &nuclei]);
    desk.succeed(&["array", "import", "back.af", "back.tif", "--array", "nuclei"]);
    for file in ["there.af", "back.af", FILE] {
        desk.succeed(&["array", "read", file, "nuclei", "-o", &format!("{}.raw", file.replace('/', "_"))]);
    }
    let raw = |name: &str| fs::read(desk.path().join(name)).unwrap();
    assert!(raw("there.af.raw") == raw("back.af.raw"));
    assert!(raw("there.af.raw") == raw("s3:__scans_of_a.af.raw"));
    assert_eq!(raw("there.af.raw").len(), 31 * 61 * 57 * 2);
}

#[test]
fn what_is_wrong_with_the_bucket_the_key_or_the_way_there_is_told_with_what_to_do() {
    let emulator = emulator();
    let desk = || Desk::at(&emulator);
    let create = ["array", "create", FILE];
    desk().succeed(&create);
    let info = ["array", "info", FILE];
    for arguments in [["array", "create", "s3://nowhere/a.af"], ["array", "info", "s3://nowhere/a.af"]] {
        desk().fail(&arguments, 3, "there is no such bucket; make it first");
    }
    let other = desk().with("AWS_ACCESS_KEY_ID", Some("AKIASOMEBODY"));
    other.fail(&info, 2, "InvalidAccessKeyId");
    let wrong = desk().with("AWS_SECRET_ACCESS_KEY", Some("another-secret"));
    wrong.fail(&info, 2, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    wrong.with("AWS_SESSION_TOKEN", Some("a-session-token")).fail(&create, 2, "SignatureDoesNotMatch");
    desk().with("AWS_SECRET_ACCESS_KEY", None).fail(&info, 2, "environment");
    let skipped = desk().with("AWS_SKIP_SIGNATURE", Some("true"));
    skipped.fail(&info, 2, "AccessDenied");
    desk().with("AWS_ALLOW_HTTP", None).fail(&info, 2, "AWS_ALLOW_HTTP=true");

    // A machine that isn't one of Amazon's has nobody to ask for a key.
    let keyless = desk().with("AWS_ACCESS_KEY_ID", None).with("AWS_SECRET_ACCESS_KEY", None);
    keyless.with("AWS_METADATA_ENDPOINT", Some(&nobody())).fail(&info, 2, "there are no credentials");
    let away = desk().with("AWS_ENDPOINT_URL", Some(&nobody()));
    away.fail(&info, 6, "can't be reached");
    away.fail(&create, 6, "can't be reached");
    emulator.fail_next(100);
    desk().fail(&info, 6, "busy");
    emulator.fail_next(0);
    desk().succeed(&info);
}

/// Where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_server_without_conditional_puts_gets_no_file() {
    let emulator = emulator();
    let desk = Desk::at(&emulator);
    emulator.set_conditions(Conditions::Ignored);
    desk.fail(&["array", "create", FILE], 1, "doesn't put objects only where no other is");
    emulator.set_conditions(Conditions::Refused);
    desk.fail(&["array", "create", FILE], 1, "conditional puts");
    emulator.set_conditions(Conditions::Honoured);
    desk.fail(&["array", "info", FILE], 3, "no array file");
    desk.succeed(&["array", "create", FILE]);
}

#[test]
fn a_url_has_no_secrets_and_is_of_a_scheme_that_is_known() {
    let emulator = emulator();
    let desk = Desk::at(&emulator);
    for url in [
        format!("s3://{KEY_ID}:{SECRET}@scans/a.af"),
        format!("s3://{SECRET}@scans/a.af"),
        format!("s3://scans/a.af?secret={SECRET}"),
        format!("az://account:{SECRET}@scans/a.af"),
    ] {
        desk.fail(&["array", "create", &url], 2, "taken from the environment");
    }
    desk.fail(&["array", "create", "s3://scans/a.txt"], 2, "ends in .af");
    desk.fail(&["array", "create", "s3://"], 2, "bucket");
    desk.fail(&["array", "create", "ftp://scans/a.af"], 1, "ftp");
    desk.fail(&["array", "create", "https://example.org/a.af"], 1, "https");
    assert_eq!(emulator.requests(), []);
}

/// A NumPy array of version 1, as NumPy writes it.
fn npy(shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (header.len() + 11).next_multiple_of(64) - 10;
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(length).unwrap().to_le_bytes());
    file.extend(format!("{header:<width$}\n", width = length - 1).into_bytes());
    file.extend(elements);
    file
}
