#[test]
fn versioned_random_history_agrees_with_the_rule() -> Result<(), Box<dyn std::error::Error>> {
    use conformance::{Target, VersionAction, replay_versions};

    let target = Target::new(&crate::ENGINE, |_| "memory:".to_owned());
    let program = [
        VersionAction::Put(1, b"a", b""),
    ];
    Ok(replay_versions(&target, &program)?)
}
