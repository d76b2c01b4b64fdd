//! What the benchmark is called with.

use clap::Parser;

use super::measure::Pace;
use super::stage::Scale;

/// Compares what kvdag does with the same done directly on the raw engine, in one process.
#[derive(Clone, Debug, Parser)]
#[command(name = "engines")]
pub struct Options {
    /// Little data and few short rounds: shows that everything runs, and no more
    #[arg(long)]
    pub(crate) quick: bool,

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
        if self.quick { Scale::QUICK } else { Scale::FULL }
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
}
