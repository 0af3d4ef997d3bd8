//! Which known word was probably meant.

/// The nearest candidate, where one is near enough that it is worth saying.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain_word = plain(word);
    let limit = match plain_word.chars().count() {
        0 | 1 => 0,
        2..=4 => 1,
        5..=9 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(&plain_word, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `camelCase`, `snake_case` and `kebab-case` of one word come out the same.
pub fn plain(word: &str) -> String {
    word.chars().filter(|next| !matches!(next, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// Insertions, removals, replacements and swaps of neighbours (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > 3 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for row in 0..one.len() {
        let mut next = vec![row + 1];
        for column in 0..other.len() {
            let replaced = last[column] + usize::from(one[row] != other[column]);
            let mut best = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            if row > 0 && column > 0 && one[row] == other[column - 1] && one[row - 1] == other[column] {
                best = best.min(before[column - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_finds_the_word() {
        let keys = ["image", "rootfs", "command", "read-only", "working-directory", "tty"];
        for (typed, meant) in [
            ("imgae", "image"),
            ("iamge", "image"),
            ("comand", "command"),
            ("readOnly", "read-only"),
            ("working_directory", "working-directory"),
            ("workdirectory", "working-directory"),
            ("ttt", "tty"),
        ] {
            assert_eq!(nearest(typed, keys), Some(meant), "{typed}");
        }
    }

    #[test]
    fn another_word_is_not_a_slip() {
        for typed in ["", "x", "volumes", "restart", "on"] {
            assert_eq!(nearest(typed, ["image", "rootfs", "tty", "init"]), None, "{typed}");
        }
    }
}
