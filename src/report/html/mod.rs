//! Self-contained pages: style, script and drawings are in the file, nothing is fetched.
//!
//! [`html`](run::html) is the page of one run; its parts serve other pages too. Figures are the SVG of
//! [`crate::figures::svg`]; its metadata lets the script read values off the curves under the pointer.

mod run;

pub(crate) use run::html;

use crate::claims::Outcome;
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

/// A drawing with its caption.
pub(crate) fn figure(id: &str, svg: &str, caption: &Markup) -> Markup {
    // an XML declaration is not allowed in HTML
    let from = svg.find("<svg").unwrap_or(0);
    html! {
        figure id=(id) {
            (PreEscaped(&svg[from..]))
            figcaption { (caption) }
        }
    }
}

pub(crate) fn verdict(outcome: Outcome) -> Markup {
    html! { span class=(format!("verdict {}", outcome.name())) { (outcome.name()) } }
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
                "{} {}, vector instructions {:?}",
                std::env::consts::OS,
                std::env::consts::ARCH,
                pulp::Arch::new()
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
                tbody { @for (name, value) in rows { tr { th { (name) } td.value { (value) } } } }
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
        }
        assert_eq!(locked_version(flow::LIBRARY), Some("0.18.0"));
        assert_eq!(locked_version("no such crate"), None);
    }
}
