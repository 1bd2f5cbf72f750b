//! How green's instances spread over subnets: evenly over those the stack names, else in the proportions of blue's.

use std::collections::BTreeMap;

use super::SubnetShare;

/// Shares `count` instances out; the answer sums to `count`, is ordered by subnet, and names no empty share.
///
/// `configured` wins when it is not empty; `blue` names a subnet once per instance of blue's.
pub fn spread(count: u32, configured: &[String], blue: &[String]) -> Vec<SubnetShare> {
    let mut weights: BTreeMap<&str, u64> = BTreeMap::new();
    for subnet in if configured.is_empty() {
        blue
    } else {
        configured
    } {
        *weights.entry(subnet).or_default() += 1;
    }
    let total: u64 = weights.values().sum();
    if total == 0 {
        return Vec::new();
    }
    // Largest remainder: whole parts first, what is left goes to the largest remainders, then by subnet.
    let count = u64::from(count);
    let mut shares: Vec<(&str, u64, u64)> = weights
        .iter()
        .map(|(subnet, weight)| (*subnet, count * weight / total, count * weight % total))
        .collect();
    let left = count - shares.iter().map(|(_, whole, _)| whole).sum::<u64>();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(shares[*index].2));
    for index in by_remainder
        .into_iter()
        .take(usize::try_from(left).unwrap_or_default())
    {
        shares[index].1 += 1;
    }
    shares
        .into_iter()
        .filter(|(_, whole, _)| *whole > 0)
        .map(|(subnet, whole, _)| SubnetShare {
            subnet_id: subnet.to_owned(),
            count: u32::try_from(whole).unwrap_or(u32::MAX),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shares(count: u32, configured: &[&str], blue: &[&str]) -> Vec<(String, u32)> {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        spread(count, &owned(configured), &owned(blue))
            .into_iter()
            .map(|share| (share.subnet_id, share.count))
            .collect()
    }

    fn expected(shares: &[(&str, u32)]) -> Vec<(String, u32)> {
        shares
            .iter()
            .map(|(subnet, count)| ((*subnet).to_owned(), *count))
            .collect()
    }

    #[test]
    fn green_spreads_as_blue_does() {
        assert_eq!(
            shares(3, &[], &["a", "b", "c"]),
            expected(&[("a", 1), ("b", 1), ("c", 1)])
        );
        assert_eq!(
            shares(6, &[], &["a", "a", "b"]),
            expected(&[("a", 4), ("b", 2)])
        );
        assert_eq!(shares(1, &[], &["b", "a"]), expected(&[("a", 1)]));
        assert_eq!(shares(2, &[], &[]), expected(&[]));
    }

    #[test]
    fn configured_subnets_share_evenly() {
        assert_eq!(
            shares(5, &["c", "b"], &["a"]),
            expected(&[("b", 3), ("c", 2)])
        );
    }

    #[test]
    fn what_is_left_goes_to_the_largest_remainder() {
        let blue = ["a", "a", "a", "b", "b"];
        assert_eq!(shares(4, &[], &blue), expected(&[("a", 2), ("b", 2)]));
        assert_eq!(shares(6, &[], &blue), expected(&[("a", 4), ("b", 2)]));
        assert_eq!(shares(7, &[], &blue), expected(&[("a", 4), ("b", 3)]));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added(count in 1_u32..=500, blue in prop::collection::vec("[a-f]", 1..40)) {
            let shared = spread(count, &[], &blue);
            prop_assert_eq!(shared.iter().map(|share| share.count).sum::<u32>(), count);
            prop_assert!(shared.iter().all(|share| share.count > 0));
        }
    }
}
