//! A word of a Dockerfile: without its quotes, and with the values of the variables it names.

/// What is unclear about a word.
pub type Problem = String;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
    /// `${NAME:-WORD}`
    OrElse(String, Template),
    /// `${NAME:+WORD}`
    Instead(String, Template),
}

impl Template {
    pub fn parse(text: &str) -> Result<Template, Problem> {
        let mut reader = Reader { rest: text };
        reader.word(None)
    }

    /// A variable that is not set is empty.
    pub fn fill(&self, value: &dyn Fn(&str) -> Option<String>) -> String {
        let set = |name: &str| value(name).filter(|value| !value.is_empty());
        let filled = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Variable(name) => value(name).unwrap_or_default(),
            Piece::OrElse(name, word) => set(name).unwrap_or_else(|| word.fill(value)),
            Piece::Instead(name, word) => set(name).map_or_else(String::new, |_| word.fill(value)),
        });
        filled.collect()
    }
}

/// The words of a line, with their quotes.
pub fn split(line: &str) -> Vec<&str> {
    let (mut words, mut start) = (Vec::new(), None);
    let (mut quote, mut escaped) = (None, false);
    for (position, letter) in line.char_indices() {
        let begun = *start.get_or_insert(position);
        match letter {
            _ if escaped => escaped = false,
            '\\' if quote != Some('\'') => escaped = true,
            '"' | '\'' if quote.is_none() => quote = Some(letter),
            _ if quote == Some(letter) => quote = None,
            _ if letter.is_whitespace() && quote.is_none() => {
                words.extend(Some(&line[begun..position]).filter(|word| !word.is_empty()));
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.map(|start| &line[start..]));
    words
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(letter)
    }

    /// Up to `end`, which is taken, or else all of it.
    fn word(&mut self, end: Option<char>) -> Result<Template, Problem> {
        let (mut pieces, mut text) = (Vec::new(), String::new());
        let mut quoted = false;
        while let Some(letter) = self.next() {
            match letter {
                _ if Some(letter) == end && !quoted => {
                    pieces.push(Piece::Text(text));
                    return Ok(Template(pieces));
                }
                '"' => quoted = !quoted,
                '\'' if !quoted => text.push_str(self.until_quote()?),
                '\\' => match self.next() {
                    // In quotes a backslash is one before anything but these.
                    Some(next) if quoted && !matches!(next, '"' | '$' | '\\') => text.extend(['\\', next]),
                    Some(next) => text.push(next),
                    None => text.push('\\'),
                },
                '$' => match self.variable()? {
                    Some(piece) => pieces.extend([Piece::Text(std::mem::take(&mut text)), piece]),
                    None => text.push('$'),
                },
                letter => text.push(letter),
            }
        }
        match (quoted, end) {
            (true, _) => Err("the quote “\"” is not closed".to_owned()),
            (false, Some(end)) => Err(format!("“{end}” is missing")),
            (false, None) => {
                pieces.push(Piece::Text(text));
                Ok(Template(pieces))
            }
        }
    }

    fn until_quote(&mut self) -> Result<&str, Problem> {
        let (inside, rest) = self.rest.split_once('\'').ok_or("the quote “'” is not closed")?;
        self.rest = rest;
        Ok(inside)
    }

    /// None where the dollar stands for itself.
    fn variable(&mut self) -> Result<Option<Piece>, Problem> {
        let Some(rest) = self.rest.strip_prefix('{') else {
            return Ok(Some(self.name()).filter(|name| !name.is_empty()).map(Piece::Variable));
        };
        self.rest = rest;
        let name = self.name();
        let known = ["}", ":-", ":+"].into_iter().find(|next| !name.is_empty() && self.rest.starts_with(next));
        let known = known.ok_or("expected ${NAME}, ${NAME:-WORD} or ${NAME:+WORD}")?;
        self.rest = &self.rest[known.len()..];
        Ok(Some(match known {
            ":-" => Piece::OrElse(name, self.word(Some('}'))?),
            ":+" => Piece::Instead(name, self.word(Some('}'))?),
            _ => Piece::Variable(name),
        }))
    }

    fn name(&mut self) -> String {
        let fits = |letter: char| letter == '_' || letter.is_ascii_alphanumeric();
        let length = match self.rest.starts_with(|first: char| first.is_ascii_digit()) {
            true => 0,
            false => self.rest.find(|letter| !fits(letter)).unwrap_or(self.rest.len()),
        };
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_blanks_outside_of_quotes() {
        for (line, expected) in [
            ("a b", vec!["a", "b"]),
            ("  a\t\tb  ", vec!["a", "b"]),
            (r#"A="b c" D='e "f' g\ h"#, vec![r#"A="b c""#, r#"D='e "f'"#, r"g\ h"]),
            (r#""a\" b" c"#, vec![r#""a\" b""#, "c"]),
            (r"'a\' b", vec![r"'a\'", "b"]),
            ("", vec![]),
        ] {
            assert_eq!(split(line), expected, "{line}");
        }
    }

    #[test]
    fn a_word_is_without_its_quotes_and_with_its_variables() {
        let value = |name: &str| match name {
            "PATH" => Some("/bin".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, expected) in [
            (r#"a"b c"'d $PATH'"#, "ab cd $PATH"),
            (r#"$PATH:"${PATH}x" \$PATH "\$PATH""#, r"/bin:/binx $PATH $PATH"),
            (r#"a\ b"c\d\\e\"""#, r#"a bc\d\e""#),
            ("[$NONE] [$EMPTY] $ $1 $-", "[] [] $ $1 $-"),
            ("${NONE:-other} ${EMPTY:-$PATH} ${PATH:-other}", "other /bin /bin"),
            ("[${NONE:+other}] ${PATH:+'}'}", "[] }"),
            ("ü$PATHü", "ü/binü"),
            (r"end\", r"end\"),
        ] {
            assert_eq!(Template::parse(text).unwrap().fill(&value), expected, "{text}");
        }
        for (text, expected) in [
            ("a\"b", "the quote “\"” is not closed"),
            ("a'b", "the quote “'” is not closed"),
            ("${A", "expected ${NAME}"),
            ("${}", "expected ${NAME}"),
            ("${A?b}", "expected ${NAME}"),
            ("${A:-b", "“}” is missing"),
        ] {
            let problem = Template::parse(text).unwrap_err();
            assert!(problem.starts_with(expected), "{text}: {problem}");
        }
    }
}
