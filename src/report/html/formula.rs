//! Formulas of sentences as MathML: `2^{L−1}`, `(log t)^{−1/3}`, `‖β‖_p`, `½‖w_{2,j}‖²`.
//!
//! Claims, evidence and captions are one text for the terminal and for pages, in plain characters. What reads as a
//! formula is typeset here, everything else stays as it is: words, and whatever does not come out even.

mod characters;

use super::numbers::typeset;
use characters::{
    FUNCTIONS, LOWERED, PREFIXES, RAISED, escape, is_operator, is_symbol, stands_for, word,
};
use maud::{Markup, PreEscaped, html};

/// A sentence with its numbers and formulas typeset.
pub(crate) fn prose(text: &str) -> Markup {
    let chars: Vec<char> = typeset(text).chars().collect();
    let (mut out, mut plain, mut at) = (String::new(), String::new(), 0);
    while at < chars.len() {
        let word = word(&chars[at..]);
        if word > 0 {
            plain.extend(&chars[at..at + word]);
            at += word;
        } else if let Some((mathml, end)) = Reader::span(&chars, at) {
            escape(&plain, &mut out);
            plain.clear();
            out.push_str(&format!("<math>{mathml}</math>"));
            at = end;
        } else {
            // not from the middle of a word or a number on
            let run = chars[at..]
                .iter()
                .take_while(|c| c.is_ascii_alphanumeric())
                .count()
                .max(1);
            plain.extend(&chars[at..at + run]);
            at += run;
        }
    }
    escape(&plain, &mut out);
    html! { (PreEscaped(out)) }
}

/// A parenthesis or bar: as high as letters, for lines of text have no room for more.
fn fence(c: char) -> String {
    let spaced = if "|‖".contains(c) {
        " lspace=\"0\" rspace=\"0\""
    } else {
        ""
    };
    format!("<mo stretchy=\"false\"{spaced}>{c}</mo>")
}

/// What was read: MathML, and whether it can be taken for nothing but a formula.
#[derive(Default)]
struct Piece {
    mathml: String,
    certain: bool,
}

impl Piece {
    fn of(mathml: String) -> Self {
        Self {
            mathml,
            certain: false,
        }
    }

    fn push(&mut self, other: &Self) {
        self.mathml.push_str(&other.mathml);
        self.certain |= other.certain;
    }
}

/// A reader of formulas, by recursive descent: a formula is runs between operators, a run is factors next to each
/// other, a factor has scripts.
struct Reader<'a> {
    chars: &'a [char],
    at: usize,
    /// Whether fractions stay on the line: in scripts they would be too small to read.
    in_script: bool,
}

impl<'a> Reader<'a> {
    /// The longest formula from here on, and where it ends; `None` if there is none, or it might as well be prose.
    fn span(chars: &'a [char], at: usize) -> Option<(String, usize)> {
        let mut reader = Self {
            chars,
            at,
            in_script: false,
        };
        let (mut whole, mut end) = (Piece::default(), at);
        let mut pending = Piece::default();
        let mut related = false;
        // what follows a formula after a space is not part of it if it might be the next thing said: "½‖w‖² 1.6"
        let is_apart = |at: usize| {
            chars
                .get(at)
                .is_some_and(|c| c.is_ascii_digit() || *c == '(')
        };
        if reader.peek() == Some(' ') {
            return None;
        }
        loop {
            let blank = reader.peek() == Some(' ');
            let back = reader.at;
            if blank {
                reader.at += 1;
            }
            if let Some(operator) = reader.operator() {
                if whole.mathml.is_empty() && !PREFIXES.contains(chars[back + usize::from(blank)]) {
                    break;
                }
                related |= "=≤≥<>≠∝".contains(chars[back + usize::from(blank)]);
                pending.push(&operator);
                continue;
            }
            let next_to = pending.mathml.is_empty();
            if next_to && blank {
                pending.mathml.push_str("<mspace width=\"0.2em\"/>");
                if reader.is_article() || is_apart(reader.at) {
                    break;
                }
            } else if next_to && end == at && reader.is_article() {
                break;
            }
            let Some(run) = reader.run() else { break };
            whole.push(&std::mem::take(&mut pending));
            whole.push(&run);
            whole.certain |= related;
            end = reader.at;
        }
        let cut = chars
            .get(end)
            .is_some_and(|c| c.is_ascii_alphanumeric() || "_^".contains(*c));
        (whole.certain && !cut).then_some((whole.mathml, end))
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// "a" before a word is an article.
    fn is_article(&self) -> bool {
        let rest = &self.chars[self.at..];
        let before = |k: usize, what: &str| rest.get(k).is_some_and(|c| what.contains(*c));
        let related = before(1, " ") && before(2, "=≤≥<>+−");
        before(0, "aAI") && (before(1, " .,;:") || rest.len() == 1) && !related
    }

    fn operator(&mut self) -> Option<Piece> {
        let c = self.peek().filter(|c| is_operator(*c))?;
        self.at += 1;
        let mut shown = String::new();
        escape(&c.to_string(), &mut shown);
        let spaced = match c {
            '/' => " lspace=\"0\" rspace=\"0\"",
            // Greek letters are no operators unless they are told to be
            'Σ' | 'Π' => " lspace=\"0.1em\" rspace=\"0.1em\"",
            _ => "",
        };
        let mathml = format!("<mo{spaced}>{shown}</mo>");
        self.scripted(Piece::of(mathml))
    }

    /// Factors next to each other, a fraction if they are over others.
    fn run(&mut self) -> Option<Piece> {
        let above = self.product()?;
        if self.peek() != Some('/') || self.in_script {
            return Some(above.0);
        }
        let back = self.at;
        self.at += 1;
        let Some(below) = self.product() else {
            self.at = back;
            return Some(above.0);
        };
        let mathml = format!(
            "<mfrac><mrow>{}</mrow><mrow>{}</mrow></mfrac>",
            above.1, below.1
        );
        let certain = above.0.certain || below.0.certain;
        Some(Piece { mathml, certain })
    }

    /// Factors next to each other; also without the parentheses that a fraction makes superfluous.
    fn product(&mut self) -> Option<(Piece, String)> {
        let first = self.at;
        let mut product = self.factor()?;
        let alone = self.chars[first] == '(' && self.chars[self.at - 1] == ')';
        let mut bare = match alone {
            true => product.mathml.replacen(&fence('('), "", 1),
            false => product.mathml.clone(),
        };
        if alone && let Some(inner) = bare.strip_suffix(&fence(')')) {
            bare = inner.to_owned();
        }
        while let Some(next) = self.factor() {
            product.push(&next);
            bare.clone_from(&product.mathml);
        }
        Some((product, bare))
    }

    /// A number, a letter, a function with its argument, a root, or what is between parentheses; with its scripts.
    fn factor(&mut self) -> Option<Piece> {
        let c = self.peek()?;
        if let Some(name) = self.function() {
            return Some(name);
        }
        if c == '√' {
            self.at += 1;
            let (_, bare) = self.product()?;
            return Some(Piece {
                mathml: format!("<msqrt>{bare}</msqrt>"),
                certain: true,
            });
        }
        let base = match c {
            '½' => {
                self.at += 1;
                Piece {
                    mathml: "<mn>½</mn>".to_owned(),
                    certain: false,
                }
            }
            '0'..='9' => self.number(),
            '(' => self.group('(', ')')?,
            '[' => self.group('[', ']')?,
            '⟨' => self.group('⟨', '⟩')?,
            '‖' => self.group('‖', '‖')?,
            '|' => self.group('|', '|')?,
            c if is_symbol(c) || c.is_ascii_alphabetic() => self.letter()?,
            _ => return None,
        };
        self.scripted(base)
    }

    /// A function and, after a space, what it is applied to.
    fn function(&mut self) -> Option<Piece> {
        let letters = self.chars[self.at..]
            .iter()
            .take_while(|c| c.is_ascii_alphabetic());
        let name: String = letters.collect();
        if !FUNCTIONS.contains(&name.as_str()) {
            return None;
        }
        let back = self.at;
        self.at += name.len();
        let mut piece = self.scripted(Piece::of(format!("<mi>{name}</mi>")))?;
        if self.peek() == Some(' ') {
            self.at += 1;
            piece.mathml.push_str("<mspace width=\"0.2em\"/>");
        }
        let Some((argument, _)) = self.product() else {
            self.at = back;
            return None;
        };
        piece.push(&argument);
        Some(piece)
    }

    /// Digits, with a power of ten.
    fn number(&mut self) -> Piece {
        let from = self.at;
        while let Some(c) = self.peek() {
            let point = c == '.'
                && self
                    .chars
                    .get(self.at + 1)
                    .is_some_and(char::is_ascii_digit);
            if !(c.is_ascii_digit() || point) {
                break;
            }
            self.at += 1;
        }
        // the power of a number such as 4.3·10⁻¹⁰ is part of it
        if self.chars[from..self.at] == ['1', '0'] {
            let raised = self.chars[self.at..].iter();
            self.at += raised
                .take_while(|c| stands_for(**c, RAISED).is_some())
                .count();
        }
        let digits: String = self.chars[from..self.at].iter().collect();
        Piece::of(format!("<mn>{digits}</mn>"))
    }

    /// One letter with its accent; `None` for the first of a word.
    fn letter(&mut self) -> Option<Piece> {
        let c = self.peek()?;
        let next = self.chars.get(self.at + 1).copied();
        if c.is_ascii_alphabetic()
            && (next.is_some_and(|n| n.is_ascii_alphabetic()) || word(&self.chars[self.at..]) > 0)
        {
            return None;
        }
        self.at += 1;
        // letters and accents that are one character
        let (c, accent) = match (c, next) {
            ('ŵ', _) => ('w', Some('^')),
            (_, Some('\u{302}')) => (c, Some('^')),
            (_, Some('\u{303}')) => (c, Some('~')),
            _ => (c, None),
        };
        if accent.is_some() && next.is_some_and(|n| "\u{302}\u{303}".contains(n)) {
            self.at += 1;
        }
        let mathml = match accent {
            None => format!("<mi>{c}</mi>"),
            Some(accent) => format!(
                "<mover accent=\"true\"><mi>{c}</mi><mo stretchy=\"false\">{accent}</mo></mover>"
            ),
        };
        Some(Piece {
            mathml,
            certain: is_symbol(c) || accent.is_some(),
        })
    }

    /// What is between two parentheses of a kind, if it is a formula to the end.
    fn group(&mut self, open: char, close: char) -> Option<Piece> {
        let back = self.at;
        self.at += 1;
        let mut piece = Piece {
            mathml: fence(open),
            certain: "‖⟨".contains(open),
        };
        // a bar before a space or an operator closes
        let begins = self
            .peek()
            .is_some_and(|c| c != close && (PREFIXES.contains(c) || c != ' ' && !is_operator(c)));
        while begins && self.peek() != Some(close) {
            let Some(inner) = self.item() else { break };
            piece.push(&inner);
        }
        if !begins || self.peek() != Some(close) {
            self.at = back;
            return None;
        }
        self.at += 1;
        piece.mathml.push_str(&fence(close));
        Some(piece)
    }

    /// Anything inside a group or a script: a space, a comma, an operator or a run.
    fn item(&mut self) -> Option<Piece> {
        match self.peek()? {
            ' ' => {
                self.at += 1;
                let between = |c: Option<char>| c.is_some_and(|c| is_operator(c) || c == ',');
                let before = self.at.checked_sub(2).map(|k| self.chars[k]);
                let space = if between(self.peek()) || between(before) {
                    ""
                } else {
                    "<mspace width=\"0.2em\"/>"
                };
                Some(Piece::of(space.to_owned()))
            }
            ',' => {
                self.at += 1;
                Some(Piece::of("<mo>,</mo>".to_owned()))
            }
            _ => self.operator().or_else(|| self.run()),
        }
    }

    /// The base with whatever is raised or lowered behind it; `None` if a script does not come out even.
    fn scripted(&mut self, base: Piece) -> Option<Piece> {
        let (mut below, mut above) = (String::new(), String::new());
        while let Some(c) = self.peek() {
            if let Some(text) = self.small(RAISED) {
                above.push_str(&text);
            } else if let Some(text) = self.small(LOWERED) {
                below.push_str(&text);
            } else if c == '\'' && base.mathml.ends_with("</mi>") {
                self.at += 1;
                above.push_str("<mo>′</mo>");
            } else if c == '*' && base.mathml.ends_with("</mi>") {
                self.at += 1;
                above.push_str("<mo>*</mo>");
            } else if c == '_' || c == '^' {
                self.at += 1;
                let script = self.script()?;
                if c == '_' { &mut below } else { &mut above }.push_str(&script);
            } else {
                break;
            }
        }
        let b = &base.mathml;
        let mathml = match (below.is_empty(), above.is_empty()) {
            (true, true) => return Some(base),
            (false, true) => format!("<msub><mrow>{b}</mrow><mrow>{below}</mrow></msub>"),
            (true, false) => format!("<msup><mrow>{b}</mrow><mrow>{above}</mrow></msup>"),
            (false, false) => format!(
                "<msubsup><mrow>{b}</mrow><mrow>{below}</mrow><mrow>{above}</mrow></msubsup>"
            ),
        };
        Some(Piece {
            mathml,
            certain: true,
        })
    }

    /// Small characters of a kind, in full size.
    fn small(&mut self, table: &str) -> Option<String> {
        let mut text = String::new();
        while let Some(c) = self.peek().and_then(|c| stands_for(c, table)) {
            self.at += 1;
            text.push_str(&match c {
                '0'..='9' => format!("<mn>{c}</mn>"),
                'T' => "<mo>⊤</mo>".to_owned(),
                '+' | '−' => format!("<mo>{c}</mo>"),
                c => format!("<mi>{c}</mi>"),
            });
        }
        (!text.is_empty()).then_some(text.replace("</mn><mn>", ""))
    }

    /// What is behind `_` or `^`: braces, a star, or letters and digits.
    fn script(&mut self) -> Option<String> {
        let outer = std::mem::replace(&mut self.in_script, true);
        let script = match self.peek()? {
            '{' => {
                self.at += 1;
                let mut inner = String::new();
                while self.peek() != Some('}') {
                    inner.push_str(&self.item()?.mathml);
                }
                self.at += 1;
                inner
            }
            '*' => {
                self.at += 1;
                "<mo>*</mo>".to_owned()
            }
            _ => {
                let sign = if self.peek() == Some('−') {
                    self.operator()?.mathml
                } else {
                    String::new()
                };
                let digits = match self.peek()? {
                    '0'..='9' => self.number().mathml,
                    _ => String::new(),
                };
                let letter = match self.peek() {
                    Some(c) if c.is_ascii_alphabetic() || is_symbol(c) => self.letter()?.mathml,
                    _ => String::new(),
                };
                format!("{sign}{digits}{letter}")
            }
        };
        self.in_script = outer;
        (!script.is_empty()).then_some(script)
    }
}

#[cfg(test)]
mod tests;
