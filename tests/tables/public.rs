//! Twenty data sets in the shape of public ones, through `limit` and `run` as a user would try them: first without
//! having looked at the file, then as the messages say.

mod categories;
mod numbers;
mod runs;

use super::*;

/// A first try, and what must be said of it: a refusal, or a caution in what `limit` prints.
enum Naive {
    Refused(&'static str, &'static [&'static str]),
    Cautioned(&'static str, &'static [&'static str]),
}
use Naive::{Cautioned, Refused};

/// What is right.
struct Right {
    /// Keys of `[dataset.table]`, beside the path.
    keys: &'static str,
    samples: usize,
    dimension: usize,
    positive: usize,
    left_out: usize,
    /// Whether a plane separates the classes.
    separable: bool,
}

fn table(keys: &str) -> String {
    format!("[dataset.table]\npath = \"data.txt\"\n{keys}")
}

fn check_naive(name: &str, data: &str, naive: &Naive) {
    let file = ("data.txt", data);
    match naive {
        Refused(keys, fragments) => {
            let said = refusal(file, &table(keys));
            for fragment in *fragments {
                assert!(said.contains(fragment), "{name}: {fragment}\n{said}");
            }
        }
        Cautioned(keys, fragments) => {
            let shop = Workshop::with(&[("s.toml", &scenario(&table(keys))), file]);
            let printed = shop.ends(0, "limit s.toml --allow-nonseparable").stdout;
            for fragment in *fragments {
                let printed = text(&printed);
                assert!(printed.contains(fragment), "{name}: {fragment}\n{printed}");
            }
        }
    }
}

fn check_right(name: &str, data: &str, right: &Right) {
    let dataset = table(right.keys);
    let shop = Workshop::with(&[("s.toml", &scenario(&dataset)), ("data.txt", data)]);
    let counts = format!(
        "data: {} samples of dimension {}: {} of class +1, {} of class -1\n",
        right.samples,
        right.dimension,
        right.positive,
        right.samples - right.positive
    );
    // what is not separable is refused with a proof, after it has been said what there is
    let allow = if right.separable {
        ""
    } else {
        " --allow-nonseparable"
    };
    if !right.separable {
        let output = shop.ends(65, "limit s.toml");
        assert!(
            text(&output.stdout).starts_with(&counts),
            "{name}: {}",
            text(&output.stdout)
        );
        assert!(
            text(&output.stderr).contains("not separable"),
            "{name}: {}",
            text(&output.stderr)
        );
    }
    let output = shop.ends(0, &format!("limit s.toml{allow}"));
    let printed = text(&output.stdout);
    assert!(printed.starts_with(&counts), "{name}: {printed}");
    assert_eq!(
        printed.contains("no limit"),
        !right.separable,
        "{name}: {printed}"
    );

    let run = format!("run s.toml --no-figures --out o --set flow.until.log-log-time=2.0{allow}");
    let output = shop.ends(0, &run);
    let report = shop.report("o");
    assert_eq!(
        report["status"], "completed",
        "{name}: {}",
        report["message"]
    );
    let found = &report["dataset"];
    let expected = [
        ("samples", right.samples),
        ("dimension", right.dimension),
        ("positive", right.positive),
        ("negative", right.samples - right.positive),
        ("rows_left_out", right.left_out),
    ];
    for (key, value) in expected {
        assert_eq!(found[key], value, "{name}: {key}");
    }
    // every row of the file is accounted for, by the values of its label
    let of_class = |class: &str| -> u64 {
        let values = found["labels"].as_array().unwrap().iter();
        let rows = values.filter(|value| value["class"] == class);
        rows.map(|value| value["rows"].as_u64().unwrap()).sum()
    };
    assert_eq!(of_class("+1"), right.positive as u64, "{name}");
    assert_eq!(
        of_class("-1"),
        (right.samples - right.positive) as u64,
        "{name}"
    );
    assert_eq!(of_class("left out"), right.left_out as u64, "{name}");
    // an early end shows nothing false
    for claim in report["claims"].as_array().unwrap() {
        assert_ne!(claim["verdict"], "violated", "{name}: {claim}");
    }
    assert!(
        text(&output.stdout).contains(counts.trim_start_matches("data: ").trim_end()),
        "{name}"
    );
}

#[track_caller]
fn check(name: &str, data: &str, naive: &[Naive], right: Option<Right>) {
    for naive in naive {
        check_naive(name, data, naive);
    }
    if let Some(right) = right {
        check_right(name, data, &right);
        runs::check(name, data, right.keys, right.separable);
    }
}

const NO_HEADER: &[&str] = &[
    "row 1: this row is taken for the header, and looks like a row of data",
    "header = false",
];
