//! Which environment is blue: read from the live forward action, never from memory.
//!
//! Refuses whatever would make "all traffic is blue's" untrue. Called by the preflight.

use crate::observed::Forward;

/// The two environments by their part in a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The target group that has all the weight.
    pub blue: String,
    /// The other of the two configured ones.
    pub green: String,
}

/// Why the live forward action does not say which environment is blue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// ForeignGroup is when the action names a target group that is not one of the two configured.
    #[error(
        "the forward action names {0}, which is neither of the stack's two target groups; remove it from the action"
    )]
    ForeignGroup(String),
    /// NoWeight is when neither has weight: nobody serves.
    #[error(
        "neither target group has weight in the forward action; give all of it to the one that serves"
    )]
    NoWeight,
    /// BothWeighted is when both have weight: an earlier change is unfinished.
    #[error(
        "both target groups have weight in the forward action ({0} and {1}); give all of it to the one that is to be blue"
    )]
    BothWeighted(u32, u32),
}

/// Reads the roles from the action and the two configured target groups.
///
/// # Errors
/// Everything that makes them unclear.
pub fn roles(forward: &Forward, configured: &[String; 2]) -> Result<Roles, Vec<Unclear>> {
    let mut unclear: Vec<Unclear> = forward
        .groups
        .iter()
        .filter(|group| !configured.contains(&group.target_group_arn))
        .map(|group| Unclear::ForeignGroup(group.target_group_arn.clone()))
        .collect();
    let [first, second] = configured;
    let roles = |blue: &String, green: &String| Roles {
        blue: blue.clone(),
        green: green.clone(),
    };
    let found = match (forward.weight(first), forward.weight(second)) {
        (0, 0) => Err(Unclear::NoWeight),
        (_, 0) => Ok(roles(first, second)),
        (0, _) => Ok(roles(second, first)),
        (a, b) => Err(Unclear::BothWeighted(a, b)),
    };
    match found {
        Ok(roles) if unclear.is_empty() => Ok(roles),
        Ok(_) => Err(unclear),
        Err(error) => {
            unclear.push(error);
            Err(unclear)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::GroupWeight;

    fn forward(weights: &[(&str, u32)]) -> Forward {
        let groups = weights
            .iter()
            .map(|(arn, weight)| GroupWeight {
                target_group_arn: (*arn).to_owned(),
                weight: *weight,
            })
            .collect();
        Forward {
            groups,
            sticky: false,
        }
    }

    fn read(weights: &[(&str, u32)]) -> Result<Roles, Vec<Unclear>> {
        roles(&forward(weights), &["a".to_owned(), "b".to_owned()])
    }

    #[test]
    fn the_one_with_all_the_weight_is_blue() {
        let blue = |weights| read(weights).unwrap().blue;
        assert_eq!(blue(&[("a", 1)]), "a");
        assert_eq!(blue(&[("a", 100), ("b", 0)]), "a");
        assert_eq!(blue(&[("a", 0), ("b", 1)]), "b");
    }

    #[test]
    fn each_unclear_action_is_refused() {
        assert_eq!(read(&[]), Err(vec![Unclear::NoWeight]));
        assert_eq!(read(&[("a", 0), ("b", 0)]), Err(vec![Unclear::NoWeight]));
        assert_eq!(
            read(&[("a", 90), ("b", 10)]),
            Err(vec![Unclear::BothWeighted(90, 10)])
        );
        assert_eq!(
            read(&[("a", 1), ("c", 0)]),
            Err(vec![Unclear::ForeignGroup("c".to_owned())])
        );
        assert_eq!(
            read(&[("c", 1)]),
            Err(vec![
                Unclear::ForeignGroup("c".to_owned()),
                Unclear::NoWeight
            ])
        );
    }
}
