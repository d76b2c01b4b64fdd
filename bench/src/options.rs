//! What the benchmark is called with.

use clap::Parser;

use super::measure::Pace;
use super::stage::Scale;

/// Compares what kvdag does with the same done directly on the raw engine, in one process.
#[derive(Clone, Debug, Parser)]
#[command(name = "engines")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Options {
    /// Little data and few short rounds: shows that everything runs, and no more
    #[arg(long)]
    pub(crate) quick: bool,

    /// Read ranges of 24 GiB of large values rather than of 384 MiB; needs 54 GiB on the disk of TMPDIR
    #[arg(long, conflicts_with = "quick")]
    pub(crate) huge: bool,

    /// Measure the operations whose engine and name contain this text alone
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) filter: String,

    /// Print JSON rather than a Markdown table
    #[arg(long)]
    pub(crate) json: bool,

    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

impl Options {
    /// Whether an operation is to be measured.
    pub(crate) fn chooses(&self, engine: &str, operation: &str) -> bool {
        format!("{engine}: {operation}").contains(&self.filter)
    }

    /// How many rounds, and how long.
    pub(crate) fn pace(&self) -> Pace {
        if self.quick { Pace::QUICK } else { Pace::FULL }
    }

    /// How much data.
    pub(crate) fn scale(&self) -> Scale {
        match (self.quick, self.huge) {
            (true, _) => Scale::QUICK,
            (false, true) => Scale::HUGE,
            (false, false) => Scale::FULL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_adds_is_taken_and_the_filter_sees_engine_and_operation() {
        let options = Options::parse_from(["engines", "--quick", "--filter", "redb 4.4.0: get", "--bench"]);
        assert!(options.quick && !options.json);
        assert!(options.chooses("redb 4.4.0", "get 100 B"));
        assert!(!options.chooses("redb 4.4.0", "scan") && !options.chooses("memory", "get 100 B"));
        assert!(Options::parse_from(["engines"]).chooses("memory", "scan"));
    }

    #[test]
    fn there_is_as_much_data_as_was_asked_for_and_no_quick_run_is_huge() {
        let heavy = |args: &[&str]| Options::parse_from(args).scale().heavy;
        assert_eq!(heavy(&["engines"]), Scale::FULL.heavy);
        assert_eq!(heavy(&["engines", "--huge"]), Scale::HUGE.heavy);
        assert!(heavy(&["engines", "--quick"]) < Scale::FULL.heavy);
        assert!(Options::try_parse_from(["engines", "--quick", "--huge"]).is_err());
    }
}
