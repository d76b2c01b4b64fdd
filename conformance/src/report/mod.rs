//! What a run found, and its renderings.

mod escape;
mod html;
mod json;
mod junit;
mod markdown;
mod text;

use std::time::Duration;

use engine_api::Capabilities;
use serde::Serialize;

use crate::level::{Level, Standing};
use crate::outcome::{CaseReport, Outcome};
use crate::target::{Options, Target};

pub use html::html_page;
pub use markdown::{cases_markdown, catalogue_markdown, levels_markdown, options_markdown};

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The target's name.
    pub engine: String,
    /// The version of the engine underneath.
    pub engine_version: String,
    /// The version of this kit.
    pub kit_version: String,
    /// What random cases started from, the first time.
    pub seed: u64,
    /// How often each case was to run.
    pub repetitions: usize,
    /// What the store declares, as names and values.
    pub capabilities: Vec<(String, String)>,
    #[serde(skip)]
    pub(crate) declared: Option<Capabilities>,
    /// What the store has shown that it holds.
    pub levels: Vec<Standing>,
    /// How many cases passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many don't apply.
    pub ignored: usize,
    /// How many failed as a waiver says.
    pub waived: usize,
    /// How long all took.
    pub seconds: f64,
    /// The cases, in the order of the catalogue.
    pub cases: Vec<CaseReport>,
}

impl Report {
    pub(crate) fn new(target: &Target, options: &Options, declared: Option<Capabilities>) -> Self {
        let facts = declared.as_ref().map(Capabilities::facts).unwrap_or_default();
        Self {
            engine: target.name.clone(),
            engine_version: target.engine.descriptor().version.to_string(),
            kit_version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            seed: options.seed,
            repetitions: options.repeat,
            declared,
            levels: Vec::new(),
            passed: 0,
            failed: 0,
            ignored: 0,
            waived: 0,
            seconds: 0.0,
            cases: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, case: CaseReport) {
        match case.outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Ignored => self.ignored += 1,
            Outcome::Waived => self.waived += 1,
        }
        self.cases.push(case);
    }

    /// Once every case is in.
    pub(crate) fn finish(&mut self, took: Duration) {
        self.seconds = took.as_secs_f64();
        self.levels = Level::ALL
            .into_iter()
            .map(|level| Standing::of(level, self.declared.as_ref(), &self.cases))
            .collect();
    }

    /// Whether nothing failed, and something ran: a run in which no case ran proves nothing.
    pub fn is_success(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// The cases that ended in `outcome`.
    pub fn with_outcome(&self, outcome: Outcome) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(move |case| case.outcome == outcome)
    }

    /// The groups in the order of the catalogue, each with its cases.
    fn groups(&self) -> Vec<(&str, Vec<&CaseReport>)> {
        let mut groups: Vec<(&str, Vec<&CaseReport>)> = Vec::new();
        for case in &self.cases {
            match groups.iter_mut().find(|(name, _)| *name == case.group) {
                Some((_, cases)) => cases.push(case),
                None => groups.push((&case.group, vec![case])),
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests;
