//! Tables as people have them, through the program: what is read is what the file says, what cannot be is refused where
//! it stands, and what may be meant otherwise is said.

mod cases;
mod files;
#[path = "../support/program.rs"]
mod program;
mod public;
mod sets;

use program::{Workshop, text};
use serde_json::Value;

/// A scenario on the data that `dataset` names: DFA of depth 2 from zero weights, `network` unless empty.
fn scenario(dataset: &str) -> String {
    format!(
        "title = \"a table\"\ninitial = \"zero\"\n{dataset}\n[network.fully-connected-linear]\ndepth = 2\n\
         [rule.direct-feedback-alignment]\nfeedback.gaussian.seed = 1\n[flow]\nuntil.log-log-time = 4.0\nsaves = 21\n"
    )
}

/// What `limit` refuses the data with, on standard error.
#[track_caller]
fn refusal(file: (&str, &str), dataset: &str) -> String {
    let shop = Workshop::with(&[("s.toml", &scenario(dataset)), file]);
    let output = shop.ends(65, "limit s.toml");
    text(&output.stderr).to_owned()
}

/// `limit.json` of the data, and what `limit` prints.
#[track_caller]
fn limit(file: (&str, &str), dataset: &str) -> (Value, String) {
    let shop = Workshop::with(&[("s.toml", &scenario(dataset)), file]);
    let printed = text(&shop.ends(0, "limit s.toml --out o").stdout).to_owned();
    (program::json(&shop.read("o", "limit.json")), printed)
}
