//! Errors in a scenario, shown in its text.

use super::usage::printable;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// A scenario that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read the scenario {}: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Something in its text is wrong.
    #[error(transparent)]
    Mistake(Box<Mistake>),
}

/// An error at a place in a scenario's text. Displayed as a snippet: the problem, the file with line and column, the
/// line with a caret under the place, and the advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The name the scenario is shown under.
    pub name: String,
    /// Its text, including assignments from the command line.
    pub text: String,
    /// The place, in bytes of the text; of a place that spans several lines, the first is shown.
    pub span: Range<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it; may be empty.
    pub advice: String,
}

impl Mistake {
    /// The line of the place, from 1.
    pub fn line(&self) -> usize {
        1 + self.text[..self.shown().start].matches('\n').count()
    }

    /// The column of the place in characters, from 1.
    pub fn column(&self) -> usize {
        let before = &self.text[..self.shown().start];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        1 + before[start..].chars().count()
    }

    /// The part of the span on its first line, on character boundaries (the span of a missing key is a whole table).
    fn shown(&self) -> Range<usize> {
        let start = self.character_at(self.span.start);
        let line_end = self.text[start..]
            .find(['\n', '\r'])
            .map_or(self.text.len(), |length| start + length);
        start..self.character_at(self.span.end).clamp(start, line_end)
    }

    /// Start of the character that byte `offset` belongs to, or the end of the text.
    fn character_at(&self, offset: usize) -> usize {
        let mut start = offset.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        start
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snippet = Snippet::source(self.text.as_str())
            .path(self.name.as_str())
            .annotation(AnnotationKind::Primary.span(self.shown()));
        let mut group = Level::ERROR
            .no_name()
            .primary_title(self.problem.as_str())
            .element(snippet);
        if !self.advice.is_empty() {
            group = group.element(Level::HELP.message(self.advice.as_str()));
        }
        f.write_str(&printable(&Renderer::plain().render(&[group])))
    }
}

impl std::error::Error for Mistake {}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str, span: Range<usize>, problem: &str, advice: &str) -> Mistake {
        Mistake {
            name: "s.toml".into(),
            text: text.into(),
            span,
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    #[test]
    fn messages_do_not_command_the_terminal() {
        let text = "\u{1b}[2J\u{85} = 1\r\n";
        let shown = mistake(text, 0..3, "unknown key `\u{9b}2J`", "\u{7}").to_string();
        assert!(
            shown.chars().all(|c| c == '\n' || !c.is_control()),
            "{shown:?}"
        );
        assert!(shown.starts_with("unknown key `\u{fffd}2J`\n"), "{shown:?}");
    }

    #[test]
    fn carets_stay_on_one_line_and_on_characters() {
        let text = "α = 1\nβ = 2\n";
        for start in 0..=20 {
            for end in start..=20 {
                let mistake = mistake(text, start..end, "wrong", "mend it");
                let shown = mistake.to_string();
                assert!(shown.starts_with("wrong\n"), "{shown}");
                let place = format!("s.toml:{}:{}", mistake.line(), mistake.column());
                if start < text.len() {
                    assert!(shown.contains(&place), "{place} is not in\n{shown}");
                } else {
                    assert!(shown.contains("s.toml:"), "{shown}");
                }
            }
        }
        let mistake = mistake(text, 7..14, "wrong", "");
        let shown = mistake.to_string();
        assert!(
            shown.contains("s.toml:2:1") && shown.contains("^^^^^"),
            "{shown}"
        );
        assert_eq!((mistake.line(), mistake.column()), (2, 1));
    }
}
