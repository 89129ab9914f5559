//! Self-contained pages: style, script and drawings are in the file, nothing is fetched.
//!
//! [`html`](run::html) is the page of one run; its parts serve other pages too. Figures are the SVG of
//! [`crate::figures::svg`]; its metadata lets the script read values off the curves under the pointer.

mod formula;
mod motion;
mod numbers;
mod panels;
mod run;

pub(crate) use formula::prose;
pub(crate) use motion::{Motion, Moving, side_by_side};
pub(crate) use numbers::number;
pub(crate) use run::html;

use crate::claims::{Claim, Outcome};
use crate::figures::Figure;
use crate::flow;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A figure and its SVG.
pub(crate) struct Picture<'a> {
    pub figure: &'a Figure,
    pub svg: String,
}

/// A whole page.
pub(crate) fn page(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // avoids a request for an icon
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (body)
                script { (PreEscaped(include_str!("script.js"))) }
            }
        }
    }
    .into_string()
}

/// A drawing with its title, for narrow screens, and its caption.
pub(crate) fn figure(id: &str, title: &str, svg: &str, caption: &str) -> Markup {
    html! {
        figure id=(id) {
            (panels::drawing(id, title, svg))
            figcaption { (prose(caption)) }
        }
    }
}

pub(crate) fn verdict(outcome: Outcome) -> Markup {
    html! {
        span class=(format!("verdict {}", outcome.name())) { (sign(outcome)) "\u{a0}" (outcome.name()) }
    }
}

/// The verdict in a character: colours alone do not tell it to everybody.
pub(crate) fn sign(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Holds => "✓",
        Outcome::Violated => "✗",
        Outcome::Inconclusive => "?",
        Outcome::NotApplicable => "–",
    }
}

/// Statement, correction and check of a claim.
pub(crate) fn statement(claim: &Claim) -> Markup {
    html! {
        p { b { "As printed: " } (prose(claim.printed)) }
        p { b { "What is true: " } (prose(claim.corrected)) }
        p { b { "How it is checked: " } (prose(claim.check)) }
    }
}

/// The evidence of a verdict, with what is proved of it.
pub(crate) fn evidence(evidence: &str, proved: Option<&str>) -> Markup {
    html! {
        (prose(evidence))
        @if let Some(proved) = proved { br; b { "Proved: " } (prose(proved)) }
    }
}

/// A command with a button that copies it.
pub(crate) fn command(id: &str, text: &str) -> Markup {
    html! {
        div.command {
            pre { code id=(id) { (text) } }
            button type="button" data-copy=(id) { "copy" }
        }
    }
}

/// The environment in which the numbers were computed.
pub(crate) fn environment() -> Vec<(String, String)> {
    let mut rows = vec![
        (
            "marginflow".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        ),
        (
            "system".to_owned(),
            format!(
                "{} {}, vector instructions: {}",
                std::env::consts::OS,
                std::env::consts::ARCH,
                vector_instructions()
            ),
        ),
    ];
    rows.extend(
        [flow::LIBRARY, "nalgebra", "clarabel", "rustfft"].map(|name| {
            (
                name.to_owned(),
                locked_version(name).unwrap_or("unknown").to_owned(),
            )
        }),
    );
    rows
}

/// The vector instructions in use, by the name people know them by.
fn vector_instructions() -> String {
    let set = format!("{:?}", pulp::Arch::new());
    // the name of the set is followed by its parts
    match set.split('(').next().unwrap_or_default() {
        "V4" => "AVX-512",
        "V3" => "AVX2",
        "Scalar" => "none",
        name => name,
    }
    .to_owned()
}

/// The version of a dependency with which this program was built.
fn locked_version(name: &str) -> Option<&'static str> {
    let lock = include_str!("../../../Cargo.lock");
    let entry = lock
        .split_once(&format!("name = \"{name}\"\nversion = \""))?
        .1;
    Some(entry.split_once('"')?.0)
}

pub(crate) fn definitions(rows: &[(String, String)]) -> Markup {
    html! {
        div.scroll {
            table {
                tbody { @for (name, value) in rows { tr { th { (name) } td.value { (prose(value)) } } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        for (name, value) in environment() {
            assert_ne!(value, "unknown", "{name}");
            assert!(!value.contains(['{', '(']), "{value}");
        }
        assert_eq!(locked_version(flow::LIBRARY), Some("0.18.0"));
        assert_eq!(locked_version("no such crate"), None);
    }
}
