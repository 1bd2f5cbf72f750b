//! The names by which the definition tells what becomes of a refusal.

use super::*;
use crate::{ErrorName, Failure};

#[test]
fn an_ill_green_rolls_back_and_everything_else_waits_for_an_operator() {
    let green = Refusal::GreenUnhealthy(short("green", 50));
    assert_eq!(green.name(), ErrorName::GreenUnhealthy);
    let blue = Refusal::TooFewHealthy(short("blue", 100));
    assert_eq!(blue.name(), ErrorName::TooFewHealthy);
    for other in [Refusal::Sticky, Refusal::NobodyServes] {
        assert_eq!(other.name(), ErrorName::NotConfirmed);
    }
}
