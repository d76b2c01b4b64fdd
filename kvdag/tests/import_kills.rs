//! `kvdag volume import`, killed before, during and behind its commits, goes on or begins anew, and is as if nothing had
//! been; and so does one that is interrupted.
//!
//! A child process is the command, on a store that tells of each commit; it is killed when it tells of a chosen one.
//! `KVDAG_KILLS=100 cargo test -p kvdag --test import_kills --release` is the long form.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::{disk_engines, fail, run, succeed, testdata};
use kvdag::semver::Version;
use kvdag::volume::open_image;
use kvdag::{
    Capabilities, Config, Descriptor, Durability, Engine, Opened, Registration, Result, Store, View,
    WriteBatch,
};
use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::tempdir;

/// The engine that a store of `told:` is kept in: what makes a process the child.
const INNER: &str = "KVDAG_TOLD_INNER";
/// The commit at which the child waits for its end, counted from 1, and where: `before 7`, `behind 7`.
const WAIT: &str = "KVDAG_TOLD_WAIT";
/// Kills of each image on each engine in the short form.
const FEW: usize = 4;

/// Commits that two kills may have begun in vain: of each thread those of a task, and the coarse scales.
const REPEATED: usize = 40;

static TOLD: ToldEngine = ToldEngine;

kvdag::inventory::submit! { Registration::new(&TOLD) }

/// An engine that tells of each commit to another engine, and can be made to stop there.
struct ToldEngine;

fn inner() -> Option<&'static dyn Engine> {
    static ENGINES: LazyLock<kvdag::Registry> = LazyLock::new(|| kvdag::registry().unwrap());
    ENGINES.engine(&std::env::var(INNER).ok()?).ok()
}

impl Engine for ToldEngine {
    fn descriptor(&self) -> &'static Descriptor {
        // Whoever lists engines asks this one too, while the inner one is looked for.
        static DESCRIPTOR: Descriptor = Descriptor::new(
            "told",
            &["told"],
            Version::new(0, 0, 0),
            "Another engine that tells of its commits.",
            Capabilities::MINIMAL,
        );
        &DESCRIPTOR
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        let inner = inner().expect("the child has an engine");
        let config = Config::new(inner.descriptor()).at(config.local_path()?).with_mode(config.mode());
        let opened = inner.open(&config)?;
        let store = Told { inner: opened.store, commits: AtomicUsize::new(0), wait: wait() };
        Ok(Opened { store: Box::new(store), created: opened.created })
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        let inner = inner().expect("the child has an engine");
        inner.destroy(&Config::new(inner.descriptor()).at(config.local_path()?))
    }
}

#[derive(Debug)]
struct Told {
    inner: Box<dyn Store>,
    commits: AtomicUsize,
    wait: Option<(String, usize)>,
}

fn wait() -> Option<(String, usize)> {
    let wait = std::env::var(WAIT).ok()?;
    let (place, commit) = wait.split_once(' ').unwrap();
    Some((place.to_owned(), commit.parse().unwrap()))
}

impl Told {
    fn tell(&self, place: &str, commit: usize) {
        let mut out = std::io::stdout().lock();
        writeln!(out, "child {place} {commit}").and_then(|()| out.flush()).unwrap();
        drop(out);
        while self.wait.as_ref().is_some_and(|(at, number)| (at.as_str(), *number) == (place, commit)) {
            // Until it is killed; the other threads go on.
            thread::park();
        }
    }
}

impl Store for Told {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.inner.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let commit = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        self.tell("before", commit);
        let outcome = self.inner.commit(batch, durability);
        self.tell("behind", commit);
        outcome
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
}

/// An image, its elements, and what is said to import it.
struct Image {
    file: &'static str,
    bytes: Vec<u8>,
    elements: Vec<u8>,
    options: &'static [&'static str],
    /// Whether it can be read in any order, so that an import goes on where it was.
    any_order: bool,
}

const LABELS: &[&str] =
    &["--name", "v", "--chunk", "8,16,16", "--scales", "--labels", "--codec", "zstd:1+shuffle"];

fn images() -> Vec<Image> {
    let tiff = testdata("nuclei_labels.tif");
    let mut reader = open_image(tiff.as_ref(), None).unwrap();
    let info = reader.info().clone();
    let mut elements = vec![0; info.slab_bytes(info.slices()).unwrap()];
    let mut at = 0;
    while at < elements.len() {
        at += info.slab_bytes(reader.next_slab(&mut elements[at..]).unwrap()).unwrap();
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&nifti(&elements)).unwrap();
    let raw: &[&str] = const {
        &[
            "--name",
            "v",
            "--chunk",
            "8,16,16",
            "--scales",
            "--labels",
            "--codec",
            "lz4+shuffle",
            "--shape",
            "31,61,57",
            "--dtype",
            "u16",
        ]
    };
    let image = |file, bytes, options, any_order| Image {
        file,
        bytes,
        elements: elements.clone(),
        options,
        any_order,
    };
    vec![
        image("i.raw", elements.clone(), raw, true),
        image("i.nii", nifti(&elements), LABELS, true),
        image("i.nii.gz", packed.finish().unwrap(), LABELS, false),
        image("i.tif", fs::read(tiff).unwrap(), LABELS, true),
    ]
}

/// The elements behind a header of NIfTI-1, as its standard lays it out: `u16`, 57 x 61 x 31 of them.
fn nifti(elements: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 352];
    header[..4].copy_from_slice(&348_i32.to_le_bytes());
    for (at, value) in (40..).step_by(2).zip([3_i16, 57, 61, 31, 1, 1, 1, 1]) {
        header[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    header[70..72].copy_from_slice(&512_i16.to_le_bytes());
    header[72..74].copy_from_slice(&16_i16.to_le_bytes());
    for at in (76..108).step_by(4) {
        header[at..at + 4].copy_from_slice(&1_f32.to_le_bytes());
    }
    header[108..112].copy_from_slice(&352_f32.to_le_bytes());
    header[344..348].copy_from_slice(b"n+1\0");
    header.extend_from_slice(elements);
    header
}

/// How a child ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// By itself.
    Done,
    /// Killed as it waits in front of this commit.
    Before(usize),
    /// Killed while this commit is on its way, or shortly after.
    During(usize),
    /// Killed as it waits behind this commit, which nobody has been told of.
    Behind(usize),
}

/// The command, on a store that tells of its commits.
fn child(folder: &Path, engine: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.current_dir(folder).args(arguments);
    command.env(INNER, engine).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Imports the image; answers how many commits were begun.
fn import(folder: &Path, engine: &str, image: &Image, end: End) -> usize {
    let mut command = child(folder, engine, &["volume", "import", "told:s", image.file]);
    command.args(image.options);
    let last = match end {
        End::Done => None,
        End::Before(commit) => Some(("before", commit, true)),
        End::During(commit) => Some(("before", commit, false)),
        End::Behind(commit) => Some(("behind", commit, true)),
    };
    if let Some((place, commit, true)) = last {
        command.env(WAIT, format!("{place} {commit}"));
    }
    let mut child = command.spawn().unwrap();
    let mut begun = 0;
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        begun += usize::from(line.starts_with("child before "));
        if last.is_some_and(|(place, commit, _)| line == format!("child {place} {commit}")) && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    let output = child.wait_with_output().unwrap();
    let failed = String::from_utf8_lossy(&output.stderr);
    match last {
        None => assert!(output.status.success(), "{engine}, {}: {failed}", image.file),
        Some(_) => assert!(killed, "{engine}, {}: it ended before {end:?}: {failed}", image.file),
    }
    begun
}

/// By label, the voxels and the chunks that hold it.
fn labels_of(elements: &[u8]) -> BTreeMap<u64, (u64, u64)> {
    let mut labels = BTreeMap::<u64, (u64, BTreeSet<_>)>::new();
    for (index, element) in elements.chunks_exact(2).enumerate() {
        let label = u64::from(u16::from_le_bytes(element.try_into().unwrap()));
        let (z, y, x) = (index / (61 * 57), index / 57 % 61, index % 57);
        let (voxels, chunks) = labels.entry(label).or_default();
        *voxels += 1;
        chunks.insert((z / 8, y / 16, x / 16));
    }
    labels.remove(&0);
    labels.into_iter().map(|(label, (voxels, chunks))| (label, (voxels, chunks.len() as u64))).collect()
}

/// The volume is whole at all scales, and each chunk is once in the index.
fn judge(folder: &Path, store: &str, image: &Image, what: &str) {
    let json = |arguments: &[&str]| {
        let run = run(folder, &[&["volume"], arguments, &["--format", "json"]].concat());
        assert_eq!(run.code, 0, "{what}: {}{}", run.out, run.err);
        run.json()
    };
    assert_eq!(json(&["verify", store, "v"])["problems"], serde_json::json!([]), "{what}");
    succeed(folder, &["volume", "export", store, "v", "o.raw"]);
    assert!(fs::read(folder.join("o.raw")).unwrap() == image.elements, "{what}");
    fs::remove_file(folder.join("o.raw")).unwrap();
    let listed = json(&["labels", store, "v"]);
    let number = |label: &serde_json::Value, of: &str| label[of].as_u64().unwrap();
    let indexed: BTreeMap<_, _> = listed["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| (number(label, "label"), (number(label, "voxels"), number(label, "chunks"))))
        .collect();
    assert_eq!(indexed, labels_of(&image.elements), "{what}");
    assert_eq!(json(&["info", store, "v"])["scales"].as_array().unwrap().len(), 3, "{what}");
}

/// Kills an import of each image, at commits from the first to the last, and once more as it goes on.
fn killed(engine: &'static str) {
    let kills = std::env::var("KVDAG_KILLS").map_or(FEW, |kills| kills.parse().unwrap());
    let store = format!("{engine}:s");
    for image in images() {
        let whole = {
            let folder = tempdir().unwrap();
            fs::write(folder.path().join(image.file), &image.bytes).unwrap();
            let whole = import(folder.path(), engine, &image, End::Done);
            judge(folder.path(), &store, &image, &format!("{engine}, {}", image.file));
            whole
        };
        for number in 0..kills {
            let at = 1 + number * (whole - 1) / (kills - 1).max(1);
            let end = [End::Before(at), End::During(at), End::Behind(at)][number % 3];
            let what = format!("{engine}, {} of {whole} commits, {end:?}", image.file);
            let folder = tempdir().unwrap();
            fs::write(folder.path().join(image.file), &image.bytes).unwrap();
            let is_whole = || run(folder.path(), &["volume", "labels", &store, "v"]).code == 0;
            let mut begun = import(folder.path(), engine, &image, end);
            assert!(!is_whole() || begun + 2 >= whole, "{what}: it can be opened before it is whole");
            if !is_whole() {
                // And once more as it goes on, which takes a few commits at least.
                let again = if at < whole / 2 { End::During(3) } else { End::Before(1) };
                begun += import(folder.path(), engine, &image, again);
            }
            if !is_whole() {
                begun += import(folder.path(), engine, &image, End::Done);
            }
            // What was being written at a kill is written again, and what the journal has isn't.
            assert!(!image.any_order || begun <= whole + REPEATED, "{what}: {begun} commits");
            judge(folder.path(), &store, &image, &what);
        }
    }
}

/// Interrupts an import in its course, and starts it again.
#[cfg(unix)]
fn interrupted(engine: &'static str) {
    let folder = tempdir().unwrap();
    let (at, store) = (folder.path(), format!("{engine}:s"));
    // Sparse on disk, and so large that it takes a while: a signal can't come too late.
    fs::File::create(at.join("big.raw")).unwrap().set_len(1 << 30).unwrap();
    let big = ["big.raw", "--shape", "1024,1024,1024", "--dtype", "u8", "--name", "big"];
    let arguments = [&["volume", "import", "told:s"], big.as_slice()].concat();
    let mut child = child(at, engine, &arguments).spawn().unwrap();
    let id = child.id().to_string();
    let mut sent = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // There are about a thousand commits: the volume's own is one of the first.
        if !sent && line == "child behind 100" {
            assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
            sent = true;
        }
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(sent && said.contains("goes on from here"), "{engine}: {said}");
    assert_eq!(output.status.code(), Some(130), "{engine}");
    fail(at, &["volume", "cat", &store, "big"], 5, "cut short");
    succeed(at, &[&["volume", "import", store.as_str()], big.as_slice()].concat());
    let info = succeed(at, &["volume", "info", &store, "big", "--format", "json"]).json();
    assert_eq!(info["scales"][0]["shape"], serde_json::json!([1024, 1024, 1024]));
    succeed(at, &["check", &store]);
}

fn main() -> ExitCode {
    if std::env::var_os(INNER).is_some() {
        return kvdag::cli::main();
    }
    let trial = |name: &str, test: fn(&'static str), engine: &'static str| {
        Trial::test(format!("{name}::{engine}"), move || {
            test(engine);
            Ok::<(), Failed>(())
        })
    };
    let mut trials = Vec::new();
    for engine in disk_engines() {
        trials.push(trial("a_killed_import_goes_on", killed, engine));
        #[cfg(unix)]
        trials.push(trial("an_interrupted_import_goes_on_when_it_is_started_again", interrupted, engine));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
