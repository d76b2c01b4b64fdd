//! The report as text for a terminal.

use std::fmt::Write as _;

use super::{Outcome, Report};

impl Report {
    /// The report as text: a line for each case that didn't pass, the levels, and the sums.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for case in &self.cases {
            let message = case.message.as_deref().unwrap_or_default();
            // Writing to a String can't fail.
            let _ = match case.outcome {
                Outcome::Passed => Ok(()),
                Outcome::Failed => writeln!(out, "FAILED   {}\n         {message}", case.id),
                Outcome::Ignored => writeln!(out, "ignored  {} ({message})", case.id),
                Outcome::Waived => writeln!(out, "waived   {} ({message})", case.id),
            };
        }
        for standing in &self.levels {
            let _ = match &standing.why {
                None => writeln!(out, "level    {} held", standing.level),
                Some(why) => writeln!(out, "level    {} {} ({why})", standing.level, standing.holds.as_str()),
            };
        }
        let times =
            if self.repetitions > 1 { format!(", {} times", self.repetitions) } else { String::new() };
        let verdict = if self.is_success() {
            "conforms"
        } else if self.passed + self.failed == 0 {
            "does not conform: no case ran"
        } else {
            "does not conform"
        };
        let _ = writeln!(
            out,
            "{} {verdict}: {} passed, {} failed, {} ignored, {} waived in {:.1} s (seed {}{times})",
            self.engine, self.passed, self.failed, self.ignored, self.waived, self.seconds, self.seed
        );
        out
    }
}
