//! A case that ran several times, as one.

use crate::outcome::{CaseReport, Failure, Outcome};
use crate::target::Options;

/// The outcomes of one case, of each repetition in order: the worst of them counts. `None` where it never ran.
pub(crate) fn merged(outcomes: Vec<CaseReport>, options: &Options) -> Option<CaseReport> {
    let seconds = outcomes.iter().map(|done| done.seconds).sum();
    let times = outcomes.len();
    let failures: Vec<Failure> = outcomes
        .iter()
        .zip(options.seeds())
        .zip(1..)
        .filter(|((done, _), _)| options.repeat > 1 && done.outcome == Outcome::Failed)
        .map(|((done, seed), repetition)| Failure {
            repetition,
            seed,
            message: done.message.clone().unwrap_or_default(),
        })
        .collect();
    // Of several that are as bad, the first.
    let worst = outcomes
        .into_iter()
        .reduce(|worst, done| if badness(done.outcome) > badness(worst.outcome) { done } else { worst })?;
    let message = match failures.first() {
        Some(first) => Some(format!(
            "in {} of {times} repetitions, first in number {} with seed {}: {}",
            failures.len(),
            first.repetition,
            first.seed,
            first.message
        )),
        None => worst.message,
    };
    Some(CaseReport { message, seconds, failures, ..worst })
}

fn badness(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Ignored => 0,
        Outcome::Passed => 1,
        Outcome::Waived => 2,
        Outcome::Failed => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(outcome: Outcome, message: Option<&str>) -> CaseReport {
        CaseReport {
            id: "point.a".to_owned(),
            group: "point".to_owned(),
            outcome,
            message: message.map(str::to_owned),
            seconds: 1.0,
            failures: Vec::new(),
        }
    }

    #[test]
    fn a_failure_tells_its_repetition_and_its_seed() {
        let options = Options::new().seed(7).repeat(3);
        let seeds: Vec<_> = options.seeds().collect();
        assert_eq!((seeds.len(), seeds[0]), (3, 7));
        let outcomes =
            [(Outcome::Passed, None), (Outcome::Failed, Some("one")), (Outcome::Failed, Some("two"))];
        let merged =
            merged(outcomes.map(|(outcome, message)| done(outcome, message)).to_vec(), &options).unwrap();
        assert_eq!((merged.outcome, merged.seconds), (Outcome::Failed, 3.0));
        let told: Vec<_> =
            merged.failures.iter().map(|one| (one.repetition, one.seed, one.message.as_str())).collect();
        assert_eq!(told, [(2, seeds[1], "one"), (3, seeds[2], "two")]);
        let message = merged.message.unwrap();
        assert_eq!(message, format!("in 2 of 3 repetitions, first in number 2 with seed {}: one", seeds[1]));
    }

    #[test]
    fn a_case_that_ran_once_is_as_it_was() {
        let once = done(Outcome::Failed, Some("one"));
        assert_eq!(merged(vec![once.clone()], &Options::new()), Some(once));
        assert_eq!(merged(Vec::new(), &Options::new()), None);
    }
}
