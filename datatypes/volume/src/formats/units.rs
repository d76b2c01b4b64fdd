//! Units of length and time.

use super::info::ImageAxis;

/// Units of length: the name here, the name in full, and nanometres.
const LENGTHS: [(&str, &str, f64); 7] = [
    ("m", "meter", 1e9),
    ("cm", "centimeter", 1e7),
    ("mm", "millimeter", 1e6),
    ("um", "micrometer", 1e3),
    ("nm", "nanometer", 1.0),
    ("pm", "picometer", 1e-3),
    ("angstrom", "angstrom", 0.1),
];

/// Units of time: the name here and the name in full.
const TIMES: [(&str, &str); 4] =
    [("s", "second"), ("ms", "millisecond"), ("us", "microsecond"), ("ns", "nanosecond")];

/// The nanometres in a unit, where it is one of length.
pub(super) fn nanometres_in(unit: &str) -> Option<f64> {
    LENGTHS.iter().find(|(name, ..)| *name == unit).map(|(.., nanometres)| *nanometres)
}

/// An axis's spacing in another unit of length; `None` where the axis hasn't both a spacing and a length's unit.
pub(super) fn spacing_in(axis: &ImageAxis, unit: &str) -> Option<f64> {
    let from = nanometres_in(axis.unit.as_deref()?)?;
    let to = nanometres_in(unit)?;
    // A spacing that needs no conversion stays exactly what it is.
    #[allow(clippy::float_cmp, reason = "the same entry of the table")]
    if from == to { axis.spacing } else { Some(axis.spacing? * from / to) }
}

fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    LENGTHS.iter().map(|(short, long, _)| (*short, *long)).chain(TIMES)
}

/// A unit's name in full; one that isn't known keeps its name.
pub(super) fn long_name(unit: &str) -> &str {
    names().find(|(short, _)| *short == unit).map_or(unit, |(_, long)| long)
}

/// The name here of a unit that is named in full; one that isn't known keeps its name.
pub(super) fn short_name(unit: &str) -> &str {
    names().find(|(_, long)| *long == unit).map_or(unit, |(short, _)| short)
}
