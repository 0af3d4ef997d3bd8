//! The payload's environment: who wins when several name the same variable.

/// Later sources win; a variable keeps the place where it first appeared. An entry without `=` is dropped.
pub fn merge<'a>(sources: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut merged: Vec<String> = Vec::new();
    for entry in sources {
        let Some((name, _)) = entry.split_once('=') else { continue };
        match merged.iter_mut().find(|known| known.split_once('=').is_some_and(|(known, _)| known == name)) {
            Some(known) => entry.clone_into(known),
            None => merged.push(entry.to_owned()),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_wins_in_the_first_place() {
        assert_eq!(merge(["A=1", "B=2", "A=3", "C", "D="]), ["A=3", "B=2", "D="]);
    }
}
