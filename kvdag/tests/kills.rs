//! Work that takes several commits, killed at random moments: the store is before it or after it, or goes on.
//!
//! A child process does an operation's steps one after another; it is killed at a random moment of a random step.
//! `KVDAG_KILLS=200 cargo test -p kvdag --test kills --release` is the long form.
#![cfg(all(feature = "redb", feature = "sled", feature = "sqlite", feature = "lmdb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use engine_api::key::{DataContext, TKey, VersionId};
use engine_api::version::bundle::{ApplyOptions, Selection, apply_bundle, create_bundle};
use engine_api::version::{
    Batcher, Flow, Horizon, NewInstance, NewVersion, OrderedKeyValue, Resolved, Version, Versioned,
};
use engine_api::{Bytes, Fetch, KeyRange, Result, Store, StoreExt, Uuid};
use tempfile::{TempDir, tempdir};

type AnyStore = Versioned<Box<dyn Store>>;

const ENGINES: [&str; 4] = ["redb", "sqlite", "lmdb", "sled"];
/// Kills in the short form.
const FEW: usize = 30;
/// What the child is told to do: the operation's name and the store's URL.
const TASK: &str = "KVDAG_KILLS_CHILD";

/// Versions on `main`, committed.
const CHAIN: usize = 33;
/// Versions that a step of cleaning or squashing takes.
const RUN: usize = 4;
/// Branches to merge, instances to delete.
const SPARE: usize = 8;
const KEYS: u32 = 45;
const DATA: [&str; 2] = ["north", "south"];

/// What is killed. Steps are done in order; each leaves the store in a state that doesn't depend on how often it was
/// begun. To have another operation killed, add it here.
struct Operation {
    name: &'static str,
    steps: usize,
    step: fn(&AnyStore, usize) -> Result<()>,
}

const OPERATIONS: [Operation; 5] = [
    Operation { name: "merge", steps: 3 * SPARE, step: merge },
    Operation { name: "gc", steps: CHAIN / RUN, step: gc },
    Operation { name: "delete-instance", steps: SPARE, step: delete_instance },
    Operation { name: "squash", steps: CHAIN / RUN, step: squash },
    Operation { name: "apply", steps: SPARE, step: apply },
];

/// Merges a branch, writes what the merge says, commits it: a step each.
fn merge(store: &AnyStore, step: usize) -> Result<()> {
    let number = step / 3;
    let head = store.find("main")?;
    match step % 3 {
        0 => {
            let side = store.find(&format!("side-{number}"))?.id;
            store.merge_with(&[head.id, side], &named(format!("merge {number}"))).map(drop)
        }
        1 => store.put(&at(store, DATA[0], head.id)?, &TKey::from("merged"), number.to_string().into()),
        _ => store.commit_version(head.id, "").map(drop),
    }
}

fn gc(store: &AnyStore, step: usize) -> Result<()> {
    let horizon = chain(store)?[RUN * (step + 1)].committed.map(Horizon::Since).unwrap();
    store.gc(store.only_repo()?.id, horizon, &mut |_| Ok(())).map(drop)
}

fn delete_instance(store: &AnyStore, step: usize) -> Result<()> {
    store.delete_instance(store.instance(&format!("spare-{step}"))?.id)
}

fn squash(store: &AnyStore, step: usize) -> Result<()> {
    // Those before are one version each.
    let chain = chain(store)?;
    store.squash(chain[step].id, chain[step + RUN - 1].id, &mut |_| Ok(())).map(drop)
}

/// Applies a bundle of a branch that the store hasn't got.
fn apply(store: &AnyStore, step: usize) -> Result<()> {
    static SOURCE: LazyLock<AnyStore> = LazyLock::new(|| elsewhere().unwrap());
    let heads = [SOURCE.find(&format!("far-{step}"))?.id];
    let mut bundle = Vec::new();
    create_bundle(&SOURCE, &Selection::new().heads(heads), &mut bundle, &mut |_| Ok(()))?;
    apply_bundle(store, &ApplyOptions::new(), &mut bundle.as_slice(), &mut |_| Ok(())).map(drop)
}

/// The same store, gone on with elsewhere: branches with a lot on them.
fn elsewhere() -> Result<AnyStore> {
    let store = Versioned::create(kvdag::open("memory:")?)?;
    fill(&store)?;
    let head = store.find("main")?.id;
    for far in 0..SPARE {
        let branch = format!("far-{far}");
        let mut version = head;
        for number in 0..3 {
            let new = named(format!("{branch} {number}"));
            version =
                store.new_version_with(version, &if number == 0 { new.branch(&branch) } else { new })?.id;
            let entries: Vec<_> = (0..1000_u32)
                .map(|key| {
                    (TKey::from(&key.to_be_bytes()), Bytes::from(format!("{branch} {number} {key:>500}")))
                })
                .collect();
            store.put_range(&at(&store, DATA[far % 2], version)?, &entries)?;
            commit(&store, version)?;
        }
    }
    Ok(store)
}

/// A version with a UUID that is the same in every store.
fn named(name: impl AsRef<[u8]>) -> NewVersion {
    NewVersion::new().uuid(uuid(name.as_ref()))
}

fn uuid(name: &[u8]) -> Uuid {
    // FNV-1a, which tells these few names apart.
    let hash = name.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    Uuid::from_u128(u128::from(hash))
}

/// The versions that `main` had at first, oldest first.
fn chain(store: &AnyStore) -> Result<Vec<Version>> {
    let dag = store.dag()?;
    let mut chain: Vec<_> = dag
        .versions()
        .filter(|version| version.branch == "main" && version.parents.len() < 2)
        .cloned()
        .collect();
    chain.sort_by_key(|version| version.id);
    Ok(chain)
}

fn at(store: &AnyStore, instance: &str, version: VersionId) -> Result<DataContext> {
    Ok(DataContext::versioned(store.instance(instance)?.id, version))
}

/// Commits, and waits for the clock to go on, so that every version has a moment of its own.
fn commit(store: &AnyStore, version: VersionId) -> Result<()> {
    let committed = store.commit_version(version, "")?.committed.unwrap();
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    while now() <= u128::from(committed) {
        thread::yield_now();
    }
    Ok(())
}

/// Fills a new store; it holds the same in every engine.
fn fill(store: &AnyStore) -> Result<()> {
    let repo = store.create_repo("atlas", Some(uuid(b"atlas")))?;
    for name in DATA.map(str::to_owned).into_iter().chain((0..SPARE).map(|number| format!("spare-{number}")))
    {
        store.create_instance(repo.id, &NewInstance::new(name, "keyvalue"))?;
    }
    let mut version = repo.root;
    for number in 0..u32::try_from(CHAIN).unwrap() {
        if number > 0 {
            version = store.new_version_with(version, &named(format!("main {number}")))?.id;
        }
        for (south, instance) in (0..).zip(DATA) {
            let at = at(store, instance, version)?;
            let chosen =
                |which: u32| (0..KEYS).filter(move |key| (key * 7 + number * 13 + south) % 5 == which);
            let mut batch = store.batch(&at)?;
            for key in chosen(0) {
                batch.put(&TKey::from(&key.to_be_bytes()), format!("{key} {number} {south:>80}").into());
            }
            for key in chosen(1).filter(|key| key % 4 == 0) {
                batch.delete(&TKey::from(&key.to_be_bytes()));
            }
            batch.commit()?;
        }
        if number == 0 {
            for spare in 0..SPARE {
                let entries: Vec<(TKey, Bytes)> =
                    (0..80_u32).map(|key| (TKey::from(&key.to_be_bytes()), "spare".into())).collect();
                store.put_range(&at(store, &format!("spare-{spare}"), version)?, &entries)?;
            }
        }
        commit(store, version)?;
    }
    for spare in 0..SPARE {
        let name = format!("side-{spare}");
        let side = store.new_version_with(version, &named(&name).branch(&name))?.id;
        store.put(&at(store, DATA[0], side)?, &TKey::from(name.as_str()), "here".into())?;
        commit(store, side)?;
    }
    Ok(())
}

type Answers = BTreeMap<(String, Uuid), Vec<(TKey, Option<Bytes>)>>;

/// All that can be read: of each instance at each readable version the keys and their values, a conflict being `None`.
fn answers(store: &AnyStore) -> Answers {
    let dag = store.dag().unwrap();
    let mut answers = Answers::new();
    for instance in dag.instances() {
        for version in dag.versions().filter(|version| version.cleaned.is_none()) {
            let mut found = Vec::new();
            let ctx = DataContext::versioned(instance.id, version.id);
            store
                .visit(&ctx, &KeyRange::ALL, Fetch::Entries, &mut |key, resolved| {
                    let value = match resolved {
                        Resolved::Found { value, .. } => Some(value),
                        _ => None,
                    };
                    found.push((key.clone(), value));
                    Ok(Flow::Continue(()))
                })
                .unwrap();
            answers.insert((instance.name.clone(), version.uuid), found);
        }
    }
    answers
}

/// What is the same in every store that stands where another does.
#[derive(Debug, PartialEq, Eq)]
struct State {
    answers: Answers,
    /// The versions: parents, branch, whether committed, whether cleaned.
    versions: BTreeMap<Uuid, (Vec<Uuid>, String, bool, bool)>,
    /// The entries of the data, all in all.
    entries: u64,
}

fn state(store: &AnyStore) -> State {
    let dag = store.dag().unwrap();
    let versions = dag.versions().map(|version| {
        let (committed, cleaned) = (version.committed.is_some(), version.cleaned.is_some());
        let parents = version.parents.iter().map(|parent| dag.version(*parent).unwrap().uuid);
        (version.uuid, (parents.collect(), version.branch.clone(), committed, cleaned))
    });
    let entries = store.store().count(&KeyRange::prefix(&[1])).unwrap();
    State { answers: answers(store), versions: versions.collect(), entries }
}

/// The states that an operation goes through, undisturbed.
fn states(operation: &Operation) -> Vec<State> {
    let store = Versioned::create(kvdag::open("memory:").unwrap()).unwrap();
    fill(&store).unwrap();
    let mut states = vec![state(&store)];
    for step in 0..operation.steps {
        (operation.step)(&store, step).unwrap();
        states.push(state(&store));
    }
    states
}

fn url(engine: &str, folder: &Path) -> String {
    format!("{engine}:{}", folder.join("store").display())
}

fn template(engine: &str) -> TempDir {
    let folder = tempdir().unwrap();
    fill(&Versioned::create(kvdag::open(&url(engine, folder.path())).unwrap()).unwrap()).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Splitmix: enough to choose moments.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}

/// What the child does, when it is one.
#[test]
fn the_child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let (name, url) = task.split_once(' ').unwrap();
    let operation = OPERATIONS.iter().find(|operation| operation.name == name).unwrap();
    let store = Versioned::open(kvdag::open(url).unwrap()).unwrap();
    println!("\nchild ready");
    for step in 0..operation.steps {
        (operation.step)(&store, step).unwrap();
        println!("child did {step}");
    }
    println!("child done");
}

/// Has a child do the operation, and kills it. Answers how many steps it had told of, and whether it was at work.
fn kill(operation: &Operation, url: &str, random: &mut Random) -> (usize, bool) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child", "--nocapture", "--test-threads=1"])
        .env(TASK, format!("{} {url}", operation.name))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(|line| line.unwrap())
        .filter(|line| line.starts_with("child "));
    assert_eq!(lines.next().as_deref(), Some("child ready"), "{} {url}", operation.name);
    let steps = u64::try_from(operation.steps).unwrap();
    // The first step takes the measure of the others, so the kill falls behind it.
    let wait_for = 1 + random.below(steps - 1);
    let began = Instant::now();
    let mut told = 0;
    for _ in 0..wait_for {
        assert!(lines.next().unwrap().starts_with("child did"));
        told += 1;
    }
    let step = u64::try_from(began.elapsed().as_micros()).unwrap() / wait_for;
    thread::sleep(Duration::from_micros(random.below(step)));
    child.kill().unwrap();
    child.wait().unwrap();
    let mut at_work = true;
    for line in lines {
        at_work &= line != "child done";
        told += usize::from(line.starts_with("child did"));
    }
    (told, at_work)
}

/// Looks at what a kill has left, lets it go on, and does the rest.
fn judge(operation: &Operation, url: &str, told: usize, states: &[State]) -> bool {
    let what = format!("{} {url} after {told}", operation.name);
    let store = Versioned::open(kvdag::open(url).unwrap()).unwrap();
    let last = states.len() - 1;
    let left = answers(&store);
    assert!(
        (told..=(told + 1).min(last)).any(|step| states[step].answers == left),
        "{what}: neither before nor after"
    );
    let resumed = store.resume().unwrap() + store.abandon().unwrap();
    assert_eq!(store.unfinished().unwrap(), [], "{what}");
    let now = state(&store);
    let done = (told..=(told + 1).min(last)).find(|step| states[*step] == now);
    let done =
        done.unwrap_or_else(|| panic!("{what}: it isn't where it should be, having resumed {resumed}"));
    for step in done..last {
        (operation.step)(&store, step).unwrap();
    }
    drop(store);
    let reopened = Versioned::open(kvdag::open(url).unwrap()).unwrap();
    assert!(state(&reopened) == states[last], "{what}: the rest went wrong");
    resumed > 0
}

#[test]
fn what_a_kill_leaves_is_before_or_after_or_goes_on() {
    if std::env::var_os(TASK).is_some() {
        return;
    }
    let kills = std::env::var("KVDAG_KILLS").map_or(FEW, |kills| kills.parse().unwrap());
    let seed = std::env::var("KVDAG_KILLS_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut random = Random(seed);
    let templates = ENGINES.map(template);
    let states: Vec<_> = OPERATIONS.iter().map(states).collect();
    let (mut inside, mut resumed) = (0, 0);
    for number in 0..kills {
        let engine = number % ENGINES.len();
        // Each engine meets each operation in turn.
        let operation = (number / ENGINES.len()) % OPERATIONS.len();
        let folder = tempdir().unwrap();
        copy(templates[engine].path(), folder.path());
        let url = url(ENGINES[engine], folder.path());
        let (told, at_work) = kill(&OPERATIONS[operation], &url, &mut random);
        inside += usize::from(at_work);
        resumed += usize::from(judge(&OPERATIONS[operation], &url, told, &states[operation]));
    }
    println!("{kills} kills, {inside} of them at work, {resumed} with work left to go on with (seed {seed})");
    assert!(2 * inside >= kills, "only {inside} of {kills} kills fell into the work");
}
