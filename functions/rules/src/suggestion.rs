//! Which known word was probably meant by an unknown one. Called by the input's validation.

/// The known word nearest to `word`, if one is near enough to be worth proposing.
pub fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let typed = word.to_lowercase();
    known
        .iter()
        .map(|candidate| (distance(&typed, &candidate.to_lowercase()), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: insertions, deletions and replacements from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        row[0] = i + 1;
        let (mut diagonal, mut left) = (i, row[0]);
        for (above, b) in row.iter_mut().skip(1).zip(&to) {
            let cost = if a == *b {
                diagonal
            } else {
                1 + diagonal.min(left).min(*above)
            };
            diagonal = std::mem::replace(above, cost);
            left = cost;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_proposed_and_far_ones_are_not() {
        let known = ["green", "traffic", "bake", "drain", "dryRun"];
        assert_eq!(closest("trafic", &known), Some("traffic"));
        assert_eq!(closest("dryrun", &known), Some("dryRun"));
        assert_eq!(closest("darin", &known), Some("drain"));
        assert_eq!(closest("colour", &known), None);
        assert_eq!(closest("", &known), None);
    }

    #[test]
    fn the_distance_is_levenshteins() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
