#[test]
fn batch_random_program_agrees_with_model() -> Result<(), Box<dyn std::error::Error>> {
    use conformance::{Action, Target, replay};
    use engine_api::Durability;

    let target = Target::new(&crate::ENGINE, |_| "memory:".to_owned());
    let program = [
        Action::Batch(Durability::Relaxed, &[Action::Put(b"", 0, 0)]),
    ];
    Ok(replay(&target, &program)?)
}
