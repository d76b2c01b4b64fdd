//! Every case there is.

use crate::case::Case;
use crate::groups;

/// Every case of the kit, group by group.
pub fn catalogue() -> impl Iterator<Item = &'static Case> {
    groups::all()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_kebab_case_and_in_one_group() {
        let mut seen = HashSet::new();
        for case in catalogue() {
            assert!(seen.insert(case.id), "{} is there twice", case.id);
            let (group, name) = case.id.split_once('.').unwrap();
            let kebab = |text: &str| {
                !text.is_empty()
                    && text.split('-').all(|word| {
                        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
                    })
            };
            assert!(kebab(group) && kebab(name), "{}", case.id);
        }
    }

    #[test]
    fn every_case_says_what_and_why() {
        for case in catalogue() {
            for text in [case.pins, case.why] {
                assert!(text.ends_with('.') && text.len() > 10, "{}: {text}", case.id);
            }
        }
    }

    #[test]
    fn groups_are_contiguous() {
        let mut order: Vec<_> = catalogue().map(Case::group).collect();
        order.dedup();
        let distinct: HashSet<_> = order.iter().collect();
        assert_eq!(order.len(), distinct.len());
    }
}
