//! A program that failed, as a test that can be pasted.

use std::fmt::{Debug, Write as _};
use std::path::Path;

use super::graph::Grows;
use crate::target::Target;

/// Which of the kinds of programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Store,
    Versions,
    Graph(Grows),
}

/// The whole of a test that plays the program on the target.
pub(super) fn test<A: Debug>(target: &Target, case: &str, kind: Kind, program: &[A]) -> String {
    let (action, replay, names) = match kind {
        Kind::Store => ("Action", "replay", "Action, Target, replay"),
        Kind::Versions => ("VersionAction", "replay_versions", "Target, VersionAction, replay_versions"),
        Kind::Graph(_) => ("GraphAction", "replay_graph", "GraphAction, Target, replay_graph"),
    };
    let mut actions = String::new();
    for step in program {
        // Writing to a String can't fail.
        let _ = writeln!(actions, "        {action}::{step:?},");
    }
    let mut test = String::from("#[test]\n");
    let name = case.replace(['.', '-'], "_");
    let _ = writeln!(test, "fn {name}() -> Result<(), Box<dyn std::error::Error>> {{");
    let used: Vec<_> = ["Direction", "Durability"]
        .into_iter()
        .filter(|name| actions.contains(&format!("{name}::")))
        .collect();
    if actions.contains("Bound::") {
        test.push_str("    use std::ops::Bound;\n\n");
    }
    let _ = writeln!(test, "    use conformance::{{{names}}};");
    match used[..] {
        [] => {}
        [one] => drop(writeln!(test, "    use engine_api::{one};")),
        _ => drop(writeln!(test, "    use engine_api::{{{}}};", used.join(", "))),
    }
    let _ = writeln!(test, "\n    let target = {};", made(target));
    let _ = writeln!(test, "    let program = [\n{actions}    ];");
    let versioned = match kind {
        Kind::Store | Kind::Versions => String::new(),
        Kind::Graph(grows) => format!("{}, ", grows == Grows::Versions),
    };
    let _ = writeln!(test, "    Ok({replay}(&target, {versioned}&program)?)\n}}");
    test
}

const DIR: &str = "the-directory";

/// How the target is made: as it was written where the kit is wired, or found among what is linked.
fn made(target: &Target) -> String {
    if let Some((engine, url)) = target.spelled {
        return format!("Target::new(&{engine}, {url})");
    }
    let url = (target.url)(Path::new(DIR)).replace('{', "{{").replace('}', "}}");
    let scheme = target.engine.descriptor().schemes.first().copied().unwrap_or_default();
    if url.contains(DIR) {
        let url = url.replace(DIR, "{}");
        format!("Target::linked({scheme:?}, |dir| format!({url:?}, dir.display()))?")
    } else {
        format!("Target::linked({scheme:?}, |_| {url:?}.to_owned())?")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Action;

    #[test]
    fn a_target_that_is_not_spelled_is_found_by_its_scheme() {
        let target = Target::new(&engine_api::MEMORY, |dir| format!("memory:{}/{{s}}", dir.display()));
        assert_eq!(
            made(&target),
            r#"Target::linked("memory", |dir| format!("memory:{}/{{s}}", dir.display()))?"#
        );
        let target = Target::new(&engine_api::MEMORY, |_| "memory:".to_owned());
        assert_eq!(made(&target), r#"Target::linked("memory", |_| "memory:".to_owned())?"#);
    }

    #[test]
    fn only_what_is_used_is_imported() {
        let target = Target::new(&engine_api::MEMORY, |_| "memory:".to_owned());
        let text = test(&target, "batch.a-b", Kind::Store, &[Action::Delete(b"a")]);
        assert!(
            text.contains("fn batch_a_b()") && text.contains("        Action::Delete(b\"a\"),\n"),
            "{text}"
        );
        assert!(!text.contains("use engine_api") && !text.contains("use std"), "{text}");
    }
}
