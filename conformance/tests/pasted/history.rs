#[test]
fn versioned_random_history_agrees_with_the_rule() -> Result<(), Box<dyn std::error::Error>> {
    use conformance::{Target, VersionAction, replay_versions};

    let target = Target::new(&crate::ENGINE, |_| "memory:".to_owned());
    let program = [
        VersionAction::Batch(1, &[(b"a", None)]),
    ];
    Ok(replay_versions(&target, &program)?)
}
