//! Making a failing program small.

use std::time::{Duration, Instant};

use super::Action;
use super::play::on_a_fresh_store;
use crate::context::Context;

/// What is not small by then is shown as it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Leaves out ever shorter stretches of the program for as long as it still fails.
pub(super) fn smaller(ctx: &Context, mut program: Vec<Action>, mut parted: String) -> (Vec<Action>, String) {
    let begun = Instant::now();
    let mut stretch = program.len().div_ceil(2);
    let mut tries = 0;
    while stretch > 0 {
        let mut at = 0;
        while at < program.len() {
            if begun.elapsed() > PATIENCE {
                return (program, parted);
            }
            let mut without = program.clone();
            without.drain(at..(at + stretch).min(program.len()));
            tries += 1;
            match on_a_fresh_store(ctx, &format!("smaller {tries}"), &without) {
                Err(still) => (program, parted) = (without, still),
                Ok(()) => at += stretch,
            }
        }
        stretch /= 2;
    }
    (program, parted)
}
