//! The report as JSON.

use super::Report;

impl Report {
    /// The report as a JSON object with the fields of this type.
    pub fn to_json(&self) -> String {
        // Strings and numbers alone: there is nothing in it that can't be serialised.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
