//! The cases as tests of `cargo test`.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::catalogue::catalogue;
use crate::outcome::Outcome;
use crate::runner::{Runner, unknown_waiver};
use crate::serve::serve_child;
use crate::target::{Options, Target};

/// Sets [`Options::rounds`] from outside.
const ROUNDS: &str = "KVDAG_CONFORMANCE_ROUNDS";
/// Sets [`Options::degree`] from outside.
const DEGREE: &str = "KVDAG_CONFORMANCE_DEGREE";

/// What [`main!`](crate::main!) expands to: reads the arguments of the test binary and runs the cases that
/// they ask for, in parallel, each as a test of its own.
pub fn harness(target: &Target, options: Options) -> ExitCode {
    if let Some(code) = serve_child(&[target.engine]) {
        return code;
    }
    let arguments = Arguments::from_args();
    let options = match from_outside(options) {
        Ok(options) => options.with_child_process(),
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::FAILURE;
        }
    };
    let waivers = options.waivers.clone();
    let shared = Arc::new((target.clone(), options, OnceLock::new()));
    let mut trials: Vec<Trial> = catalogue()
        .map(|case| {
            let shared = Arc::clone(&shared);
            Trial::ignorable_test(case.id, move || {
                let (target, options, runner) = &*shared;
                // Not before the first test: `--list` opens no store.
                let done = runner.get_or_init(|| Runner::new(target, options)).run(case, options.seed);
                match done.outcome {
                    Outcome::Passed => Ok(Completion::Completed),
                    Outcome::Ignored | Outcome::Waived => {
                        Ok(Completion::ignored_with(done.message.unwrap_or_default()))
                    }
                    Outcome::Failed => Err(Failed::from(done.message.unwrap_or_default())),
                }
            })
        })
        .collect();
    for (id, _) in waivers {
        if !catalogue().any(|case| case.id == id) {
            let message = unknown_waiver(&id).message.unwrap_or_default();
            trials.push(Trial::test(id, move || Err(Failed::from(message))));
        }
    }
    let listing = arguments.list;
    let conclusion = libtest_mimic::run(&arguments, trials);
    let ran = conclusion.num_passed + conclusion.num_failed;
    if ran == 0 && conclusion.num_filtered_out == 0 && !listing {
        eprintln!("no case ran, which proves nothing");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// Expands to the `main` of an engine's conformance test.
///
/// It takes the engine's static and a function from an empty directory to the URL of a store in it, and
/// after them `waive(id, reason)` for each case that is expected to fail. The test is declared with
/// `harness = false`.
///
/// ```
/// conformance::main!(engine_api::MEMORY, |_| "memory:".to_owned());
/// ```
#[macro_export]
macro_rules! main {
    ($engine:expr, $url:expr $(, waive($id:expr, $reason:expr))* $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            let options = $crate::Options::new()$(.waive($id, $reason))*;
            let target = $crate::Target::new(&$engine, $url).spelled(stringify!($engine), stringify!($url));
            $crate::harness(&target, options)
        }
    };
}

/// The options with what the environment says.
fn from_outside(mut options: Options) -> Result<Options, String> {
    fn number<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str) -> Result<Option<T>, String> {
        let Ok(text) = std::env::var(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error| format!("{name} isn't a number: {error}"))
    }
    if let Some(rounds) = number(ROUNDS)? {
        options = options.rounds(rounds);
    }
    if let Some(edges) = number(DEGREE)? {
        options = options.degree(edges);
    }
    Ok(options)
}
