//! A reader of Rust source, as far as the tests of the architecture need one: code without comments, strings and tests,
//! the modules it names, and the length and parameters of its functions.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of `src`, without its tests.
pub struct Source {
    /// Relative to `src`.
    pub path: PathBuf,
    /// Its lines without comments, contents of strings, and items that only test builds see.
    pub code: String,
}

/// A function with a body.
#[derive(Debug, PartialEq)]
pub struct Function {
    pub name: String,
    /// Counted from 1.
    pub line: usize,
    /// Lines of the body that hold code, as clippy's `too_many_lines` counts them.
    pub lines: usize,
    /// Parameters, `self` among them.
    pub parameters: usize,
}

/// Every file below `root` that a build without tests compiles, in the order of the paths.
pub fn sources(root: &Path) -> Vec<Source> {
    let mut tests = BTreeSet::new();
    let mut sources = Vec::new();
    for path in rust_files(root) {
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (code, modules) = without_tests(&without_comments(&text));
        let folder = match path.file_stem().and_then(|s| s.to_str()) {
            Some("mod" | "lib" | "main") | None => path.parent().expect("a file").to_owned(),
            Some(_) => path.with_extension(""),
        };
        tests.extend(modules.into_iter().map(|name| folder.join(name)));
        let path = path.strip_prefix(root).expect("below the root").to_owned();
        sources.push(Source { path, code });
    }
    sources.retain(|source| {
        let module = root.join(&source.path).with_extension("");
        !module.ancestors().any(|folder| tests.contains(folder))
    });
    sources
}

/// All `.rs` files below a folder, sorted.
pub fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for entry in entries {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == "rs") => files.push(path),
                false => {}
            }
        }
    }
    files.sort();
    files
}

impl Source {
    /// The top-level module this file belongs to; `None` for the roots of library and program.
    pub fn module(&self) -> Option<String> {
        let first = self.path.components().next()?.as_os_str().to_str()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (!["lib", "main"].contains(&name)).then(|| name.to_owned())
    }

    /// The top-level modules this file names, by `crate::` or by enough `super::`.
    pub fn names(&self) -> BTreeSet<String> {
        let mut depth = self.path.components().count();
        if self.path.ends_with("mod.rs") {
            depth -= 1;
        }
        let up = "super::".repeat(depth);
        let mut names = BTreeSet::new();
        for (at, _) in self.code.match_indices("crate::") {
            names.extend(first_segments(&self.code[at + "crate::".len()..]));
        }
        for (at, _) in self.code.match_indices(&up) {
            // a longer chain would leave the crate
            names.extend(first_segments(&self.code[at + up.len()..]));
        }
        names
    }

    /// Its functions, those in functions and in macros included.
    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let before = self.code[..at].chars().next_back();
            let rest = self.code[at + 3..].trim_start();
            let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
            if before.is_some_and(is_word) || name.is_empty() {
                continue;
            }
            let Some((parameters, after)) = parameters(&rest[name.len()..]) else {
                continue;
            };
            let Some(body) = body(after) else {
                continue;
            };
            functions.push(Function {
                name,
                line: 1 + self.code[..at].matches('\n').count(),
                lines: body.lines().filter(|line| !line.trim().is_empty()).count(),
                parameters,
            });
        }
        functions
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first name of a path, or the first names of a group `{a, b::{c, d}}` of paths.
fn first_segments(rest: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| is_word(*c))
            .collect()
    };
    let Some(group) = rest.strip_prefix('{') else {
        return vec![word(rest)];
    };
    let mut depth = 0;
    let mut start = 0;
    let mut names = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(word(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(word(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The number of parameters of the function whose name ends where `rest` begins, and what follows its parentheses.
fn parameters(rest: &str) -> Option<(usize, &str)> {
    let mut angles = 0;
    let open = arrows_hidden(rest).find(|&(_, c)| {
        match c {
            '<' => angles += 1,
            '>' => angles -= 1,
            _ => {}
        }
        c == '(' && angles == 0
    })?;
    let (mut depth, mut count, mut empty) = (0, 0, true);
    for (at, c) in arrows_hidden(rest).skip_while(|&(at, _)| at <= open.0) {
        match c {
            ')' if depth == 0 => return Some((count + usize::from(!empty), &rest[at + 1..])),
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' => depth -= 1,
            ',' if depth == 0 => {
                count += 1;
                empty = true;
                continue;
            }
            _ => {}
        }
        empty &= c.is_whitespace();
    }
    None
}

/// Characters with their places, the `>` of `->` and `=>` as blanks: it closes nothing.
fn arrows_hidden(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut before = ' ';
    text.char_indices().map(move |(at, c)| {
        let arrow = c == '>' && (before == '-' || before == '=');
        before = c;
        (at, if arrow { ' ' } else { c })
    })
}

/// What is between the braces of a function, after its parameters; `None` without a body.
fn body(after: &str) -> Option<&str> {
    let end = end_of_item(after)?;
    let open = after[..end].find('{')?;
    Some(&after[open + 1..end - 1])
}

/// Where an item ends: after its first `;` or matching brace outside of brackets.
fn end_of_item(text: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            '}' => braces -= 1,
            _ => {}
        }
        if (c == ';' && brackets == 0 && braces == 0) || (c == '}' && braces == 0) {
            return Some(at + 1);
        }
    }
    None
}

/// The code without items behind `#[cfg(test)]`, and the names of modules in files of their own among these.
fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut modules = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        let after = &rest[at + MARK.len()..];
        let mut item = after.trim_start();
        while item.starts_with("#[") {
            let end = item.find(']').expect("an attribute ends");
            item = item[end + 1..].trim_start();
        }
        let start = after.len() - item.len();
        let end = start + end_of_item(item).unwrap_or(item.len());
        let words: Vec<&str> = after[start..end].split_whitespace().collect();
        if let Some(at) = words.iter().position(|word| *word == "mod")
            && let Some(name) = words.get(at + 1).and_then(|name| name.strip_suffix(';'))
        {
            modules.push(name.to_owned());
        }
        kept.extend(after[..end].matches('\n'));
        rest = &after[end..];
    }
    kept.push_str(rest);
    (kept, modules)
}

/// The text with blanks for comments and `_` for what is in strings; lines stay where they are.
pub fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (length, fill) = match c {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), ' '),
            '/' if rest.starts_with("/*") => (block_comment(rest), ' '),
            '"' => (string(rest), '_'),
            'r' | 'b' | 'c' if !code.ends_with(is_word) => match prefixed_string(rest) {
                Some(length) => (length, '_'),
                None => (0, ' '),
            },
            '\'' => (character(rest).unwrap_or(0), '_'),
            _ => (0, ' '),
        };
        if length == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            let hidden = rest[..length].chars();
            code.extend(hidden.map(|c| if c == '\n' { c } else { fill }));
            rest = &rest[length..];
        }
    }
    code
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let step = match rest {
            _ if rest.starts_with("/*") => {
                depth += 1;
                2
            }
            _ if rest.starts_with("*/") => {
                depth -= 1;
                2
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Length of the string literal that `text` begins with, quotes included.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Length of a raw string or one of bytes, if `text` begins with one.
fn prefixed_string(text: &str) -> Option<usize> {
    let letters = text.len() - text.trim_start_matches(['b', 'c', 'r']).len();
    let after = &text[letters..];
    if letters > 2 {
        return None;
    }
    if !text[..letters].contains('r') {
        return after.starts_with('"').then(|| letters + string(after));
    }
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(letters + hashes + 1 + length)
}

/// Length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut places = text.char_indices().skip(1);
    let (_, first) = places.next()?;
    if first == '\\' {
        places.next()?;
        return places.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    let (at, second) = places.next()?;
    (second == '\'').then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.into(),
            code: without_tests(&without_comments(text)).0,
        }
    }

    #[test]
    fn comments_strings_and_tests_are_no_code() {
        let text = r##"
use crate::error::Error; // crate::figures
/* crate::flow /* crate::run */ crate::cli */
const A: &str = "crate::sweep \" crate::report"; const B: &str = r#"crate::memory"#;
fn f<'a>(x: &'a str, y: char) -> bool { y == '"' || x == crate::loss::NAME }
#[cfg(test)]
#[allow(unused)]
mod tests { use crate::limit; fn g() {} }
#[cfg(test)]
mod other;
use crate::{rule::Rule, network::{Network, Kernel}, trajectory};
"##;
        let names = source("a/b.rs", text).names();
        let expected = ["error", "loss", "network", "rule", "trajectory"];
        assert_eq!(names, expected.map(String::from).into());
        let (code, modules) = without_tests(&without_comments(text));
        assert_eq!(modules, ["other"]);
        assert_eq!(code.lines().count(), text.lines().count());
    }

    #[test]
    fn enough_supers_reach_the_root() {
        assert!(
            source("a.rs", "use super::flow::Method;")
                .names()
                .contains("flow")
        );
        assert!(
            source("a/mod.rs", "use super::flow;")
                .names()
                .contains("flow")
        );
        assert!(source("a/b.rs", "use super::clock;").names().is_empty());
        assert!(
            source("a/b.rs", "use super::super::flow;")
                .names()
                .contains("flow")
        );
    }

    #[test]
    fn functions_are_measured() {
        let text = "
trait T { fn none(&self, x: f64); }
fn short() {}
impl S {
    pub fn long<F: Fn(f64) -> f64>(
        &self,
        f: F, // a comment, with a comma
        pairs: &[(usize, usize); 3],
        map: HashMap<String, u64>,
    ) -> [f64; 2] {
        // nothing

        let x = f(1.0);
        [x, x]
    }
}
";
        let found = source("a.rs", text).functions();
        let function = |name: &str, line, lines, parameters| Function {
            name: name.into(),
            line,
            lines,
            parameters,
        };
        assert_eq!(
            found,
            [function("short", 3, 0, 0), function("long", 5, 2, 4)]
        );
    }
}
