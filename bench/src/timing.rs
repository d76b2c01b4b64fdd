//! What many measured rounds come down to.

/// Nanoseconds of one operation, over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timing {
    /// The median of the rounds.
    pub(crate) median: f64,
    /// The least of the rounds.
    pub(crate) least: f64,
}

impl Timing {
    /// Of the nanoseconds that each round took per operation; `None` where there is no round.
    pub(crate) fn of(rounds: &[f64]) -> Option<Self> {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let least = *sorted.first()?;
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, least })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_odd_number_is_the_middle_one() {
        assert_eq!(Timing::of(&[9.0, 1.0, 3.0]), Some(Timing { median: 3.0, least: 1.0 }));
        assert_eq!(Timing::of(&[7.0]), Some(Timing { median: 7.0, least: 7.0 }));
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(Timing::of(&[8.0, 2.0, 4.0, 100.0]), Some(Timing { median: 6.0, least: 2.0 }));
    }

    #[test]
    fn no_rounds_have_no_timing() {
        assert_eq!(Timing::of(&[]), None);
    }
}
