//! Results as a Markdown table or as JSON.

use std::fmt::Write;

use serde_json::json;

use super::clock::Clock;
use super::measure::Measured;
use super::target::{Target, Verdict};

/// One operation's result.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What was done.
    pub(crate) operation: String,
    /// What it may cost.
    pub(crate) target: Target,
    /// The clock that was gone by.
    pub(crate) clock: Clock,
    /// What was measured.
    pub(crate) measured: Measured,
}

impl Row {
    fn verdict(&self) -> Verdict {
        self.target.judge(self.measured.raw.map(|(_, raw)| raw), self.measured.ours)
    }

    fn ratios(&self) -> Option<(f64, f64)> {
        let ours = self.measured.ours;
        self.measured.raw.map(|(_, raw)| (ours.median / raw.median, ours.least / raw.least))
    }
}

/// The results of one engine.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// The engine.
    pub(crate) engine: String,
    /// Its results.
    pub(crate) rows: Vec<Row>,
}

/// A heading and a table for each engine.
pub(crate) fn markdown(sections: &[Section]) -> String {
    let mut text = String::new();
    for Section { engine, rows } in sections {
        let _ = writeln!(text, "### {engine}\n\n| operation | raw | ours | ratio | target | holds? |");
        text.push_str("|---|--:|--:|--:|--:|---|\n");
        for row in rows {
            let raw = row.measured.raw.map_or_else(|| "–".to_owned(), |(_, raw)| time(raw.median));
            let ratio = row.ratios().map_or_else(
                || "–".to_owned(),
                |(median, least)| format!("×{median:.2} (least ×{least:.2})"),
            );
            let wall = if row.clock == Clock::Wall { " *" } else { "" };
            let _ = writeln!(
                text,
                "| {}{wall} | {raw} | {} | {ratio} | {} | {} |",
                row.operation,
                time(row.measured.ours.median),
                row.measured.raw.map_or(row.target.alone(), |_| row.target),
                row.verdict().as_str(),
            );
        }
        text.push('\n');
    }
    text
}

/// An array with an object for each operation.
pub(crate) fn json(sections: &[Section]) -> serde_json::Value {
    let rows = sections.iter().flat_map(|section| section.rows.iter().map(|row| (&section.engine, row)));
    rows.map(|(engine, row)| {
        let raw = row.measured.raw;
        json!({
            "engine": engine,
            "operation": row.operation,
            "clock": row.clock.as_str(),
            "raw_way": raw.map(|(way, _)| way),
            "raw_ns": raw.map(|(_, raw)| raw.median),
            "raw_least_ns": raw.map(|(_, raw)| raw.least),
            "ours_ns": row.measured.ours.median,
            "ours_least_ns": row.measured.ours.least,
            "ratio": row.ratios().map(|(median, _)| median),
            "ratio_of_least": row.ratios().map(|(_, least)| least),
            "target": row.target.to_string(),
            "holds": match row.verdict() {
                Verdict::Holds => Some("yes"),
                Verdict::Misses => Some("no"),
                Verdict::Unsure => Some("unsure"),
                Verdict::Open => None,
            },
        })
    })
    .collect()
}

/// Nanoseconds in the unit that reads best, with three digits.
fn time(nanoseconds: f64) -> String {
    let (number, unit) = match nanoseconds {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n => (n / 1e6, "ms"),
    };
    let digits = match number {
        n if n < 10.0 => 2,
        n if n < 100.0 => 1,
        _ => 0,
    };
    format!("{number:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::Timing;

    fn row(raw: Option<f64>, ours: f64, target: Target, clock: Clock) -> Row {
        let timing = |median| Timing { median, least: median / 2.0 };
        let measured = Measured { raw: raw.map(|raw| ("get", timing(raw))), ours: timing(ours) };
        Row { operation: "get".to_owned(), target, clock, measured }
    }

    fn sections() -> Vec<Section> {
        let rows = vec![
            row(Some(400.0), 420.0, Target::Ratio(1.1), Clock::Thread),
            row(Some(1_000_000.0), 2_500_000.0, Target::Ratio(1.3), Clock::Wall),
            row(None, 31_250.0, Target::Ratio(1.3), Clock::Thread),
        ];
        vec![Section { engine: "redb 4.4.0".to_owned(), rows }]
    }

    #[test]
    fn rows_that_miss_their_target_stay_in_the_table() {
        let expected = "\
### redb 4.4.0

| operation | raw | ours | ratio | target | holds? |
|---|--:|--:|--:|--:|---|
| get | 400 ns | 420 ns | ×1.05 (least ×1.05) | ≤ ×1.10 | yes |
| get * | 1.00 ms | 2.50 ms | ×2.50 (least ×2.50) | ≤ ×1.30 | **no** |
| get | – | 31.2 µs | – | – | – |

";
        assert_eq!(markdown(&sections()), expected);
    }

    #[test]
    fn reports_say_what_the_table_says() {
        let report = json(&sections());
        assert_eq!(report[0]["ratio"], 1.05);
        assert_eq!(report[0]["holds"], "yes");
        assert_eq!(report[1]["holds"], "no");
        assert_eq!(report[1]["clock"], "wall");
        assert!(report[2]["raw_ns"].is_null() && report[2]["holds"].is_null());
    }

    #[test]
    fn times_have_three_digits_and_the_unit_that_reads_best() {
        let times = [0.5, 12.34, 999.0, 1_234.0, 65_432.0, 1_500_000.0].map(time);
        assert_eq!(times, ["0.50 ns", "12.3 ns", "999 ns", "1.23 µs", "65.4 µs", "1.50 ms"]);
    }
}
