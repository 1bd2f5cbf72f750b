//! How members of an Auto Scaling group are ended, so that none is replaced and AWS refuses nothing.
//!
//! AWS ends no member with the capacity decremented at the group's smallest size, so that is lowered first; nor where the
//! desired capacity is below the members already: what is beyond it ends without a decrement, and is not replaced.

use crate::scaling::{ScalingGroup, ScalingMember};

/// How one member is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberEnd {
    /// Shrink is through its group, which gets one smaller.
    Shrink,
    /// Surplus is through its group, which counts it not, or has more than it wants.
    Surplus,
    /// Directly is by EC2: it has left its group.
    Directly,
    /// Alone is not at all: its group ends it, or lets it go first.
    Alone,
}

/// How those of a group's members are ended that are to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEnd {
    /// The smallest size that the group is lowered to first, if any.
    pub min_size: Option<u32>,
    /// Each member by its id.
    pub members: Vec<(String, MemberEnd)>,
}

/// How `group.members` are ended.
pub fn group_end(group: &ScalingGroup) -> GroupEnd {
    let mut surplus = group.counted.saturating_sub(group.sizes.desired);
    let mut shrinks = 0;
    let mut way = |member: &ScalingMember| {
        if member.is_detached() {
            MemberEnd::Directly
        } else if member.is_terminating() || member.is_detaching() {
            MemberEnd::Alone
        } else if !member.is_counted() {
            MemberEnd::Surplus
        } else if surplus > 0 {
            surplus -= 1;
            MemberEnd::Surplus
        } else {
            shrinks += 1;
            MemberEnd::Shrink
        }
    };
    let members = group.members.iter();
    let members = members.map(|it| (it.instance.clone(), way(it))).collect();
    let least = group.sizes.desired.saturating_sub(shrinks);
    GroupEnd {
        min_size: (group.sizes.min > least).then_some(least),
        members,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(min_size: u32, desired: u32, counted: u32, members: &[&str]) -> ScalingGroup {
        let member = |(index, lifecycle): (usize, &&str)| ScalingMember {
            instance: format!("i-{index}"),
            protected: true,
            lifecycle: (*lifecycle).to_owned(),
        };
        ScalingGroup {
            name: "tunnel".to_owned(),
            sizes: crate::scaling::Sizes {
                min: min_size,
                max: desired,
                desired,
            },
            counted,
            members: members.iter().enumerate().map(member).collect(),
            ..ScalingGroup::default()
        }
    }

    /// How `members` end in turn, and what the smallest size is lowered to.
    fn ends(group: &ScalingGroup) -> (Option<u32>, Vec<MemberEnd>) {
        let end = group_end(group);
        (
            end.min_size,
            end.members.into_iter().map(|it| it.1).collect(),
        )
    }

    #[test]
    fn each_member_makes_its_group_one_smaller() {
        use MemberEnd::Shrink;
        let all = ["InService"; 3];
        assert_eq!(ends(&group(3, 3, 3, &all[..1])), (Some(2), vec![Shrink]));
        assert_eq!(ends(&group(1, 3, 3, &all[..2])), (None, vec![Shrink; 2]));
        assert_eq!(ends(&group(3, 3, 3, &all)), (Some(0), vec![Shrink; 3]));
    }

    #[test]
    fn what_is_beyond_the_desired_capacity_ends_without_a_decrement() {
        use MemberEnd::{Shrink, Surplus};
        let both = ["InService"; 2];
        assert_eq!(ends(&group(0, 1, 2, &both)), (None, vec![Surplus, Shrink]));
        assert_eq!(ends(&group(0, 0, 2, &both)), (None, vec![Surplus; 2]));
        // Another environment's member of the same group counts as well.
        assert_eq!(ends(&group(1, 2, 3, &both[..1])), (None, vec![Surplus]));
    }

    #[test]
    fn a_member_on_standby_or_in_the_warm_pool_is_counted_by_nobody() {
        for lifecycle in ["Standby", "Warmed:Stopped", "Warmed:Running"] {
            let with = group(2, 2, 2, &["InService", lifecycle]);
            let expected = vec![MemberEnd::Shrink, MemberEnd::Surplus];
            assert_eq!(ends(&with), (Some(1), expected), "{lifecycle}");
        }
    }

    #[test]
    fn who_leaves_already_is_left_alone_and_who_has_left_is_ended_directly() {
        let leaving = group(0, 2, 2, &["Terminating:Wait", "Detaching", "Detached"]);
        let expected = vec![MemberEnd::Alone, MemberEnd::Alone, MemberEnd::Directly];
        assert_eq!(ends(&leaving), (None, expected));
    }
}
