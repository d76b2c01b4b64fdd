//! The kill table as text and as Markdown.

use std::fmt::Write as _;

use super::{Kill, KillTable};

impl Kill {
    /// What became of the mutant, in a few words.
    fn verdict(&self) -> String {
        match (self.caught_by.first(), self.missed_by.first()) {
            (None, _) => "SURVIVES".to_owned(),
            (_, Some(missed)) => format!("MISSED by {} ({})", missed.case, missed.why),
            _ if self.by_models_alone => "caught by a MODEL ALONE".to_owned(),
            _ => "caught".to_owned(),
        }
    }
}

impl KillTable {
    fn sums(&self) -> String {
        let (all, survivors) = (self.mutants.len(), self.survivors().count());
        let reference = match (self.reference.is_success(), self.reference.failed) {
            (true, _) => "by none".to_owned(),
            (false, failed) => format!("BY {failed}"),
        };
        format!(
            "{} of {all} mutants are caught as they must be; the store without a flaw is caught {reference} of {} cases",
            all - survivors,
            self.reference.passed + self.reference.failed,
        )
    }

    /// The table as text: a mutant and what is wrong with it, and the cases that catch it.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for kill in &self.mutants {
            // Writing to a String can't fail.
            let _ = writeln!(out, "{}: {} {}", kill.mutant, kill.wrong, kill.verdict());
            for case in &kill.caught_by {
                let _ = writeln!(out, "    {case}");
            }
        }
        for case in self.reference.with_outcome(crate::Outcome::Failed) {
            let message = case.message.as_deref().unwrap_or_default();
            let _ = writeln!(out, "FAILED   {}, without a flaw\n         {message}", case.id);
        }
        if let Some(idle) = &self.cases_that_catch_none {
            let _ = writeln!(out, "cases that catch no mutant: {}", idle.len());
            for case in idle {
                let _ = writeln!(out, "    {case}");
            }
        }
        let _ = writeln!(out, "{} in {:.1} s", self.sums(), self.seconds);
        out
    }

    /// The table as Markdown: a row for each mutant.
    pub fn to_markdown(&self) -> String {
        let mut out = format!("# The mutants\n\n{}.\n\n", self.sums());
        out.push_str("| mutant | what is wrong | outcome | cases |\n|---|---|---|---|\n");
        for kill in &self.mutants {
            let cases: Vec<_> = kill.caught_by.iter().map(|case| format!("`{case}`")).collect();
            let verdict = kill.verdict().replace('|', "\\|").replace('\n', " ");
            let _ =
                writeln!(out, "| `{}` | {} | {verdict} | {} |", kill.mutant, kill.wrong, cases.join(", "));
        }
        if let Some(idle) = &self.cases_that_catch_none {
            let _ = write!(out, "\n{} cases catch no mutant:\n\n", idle.len());
            for case in idle {
                let _ = writeln!(out, "- `{case}`");
            }
        }
        out
    }
}
