//! Cells of every kind of file.

use super::program::{Case, Truth};
use super::scenario::{LABELS, NETWORKS, Parts, on_files};

pub const GROUP: &str = "Cells of data, weight and feedback files";

const VALUES: [&str; 10] = [
    "nan", "inf", "-inf", "1e200", "-1e200", "1e-200", "1e-320", "1e400", "", "text",
];

/// Values that are numbers.
const NUMBERS: [&str; 4] = ["1e200", "-1e200", "1e-200", "1e-320"];

fn samples(cell: &str) -> String {
    format!("1,0.2,0.1\n-1,{cell},0.2\n2,3,-1\n")
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let on = |name: String, parts: &Parts, x: String, y: &str| {
        Case::run(GROUP, name, parts.text())
            .file("x.csv", x)
            .file("y.csv", y)
    };
    for (k, (name, network)) in NETWORKS.into_iter().enumerate() {
        let parts = Parts {
            network,
            ..on_files()
        };
        for value in if k == 0 {
            &VALUES[..]
        } else {
            &["1e200", "1e-200"]
        } {
            let case = on(
                format!("a sample's entry is `{value}`, {name}"),
                &parts,
                samples(value),
                LABELS,
            );
            // whatever the entry, the first feature alone separates these
            let truth = if NUMBERS.contains(value) {
                Truth::Separable
            } else {
                Truth::Refused("x.csv, row 2")
            };
            cases.push(case.known(truth));
        }
    }
    for value in VALUES.iter().chain(&["0", "-0.0", "2", "0.5"]) {
        let y = format!("1\n{value}\n1\n");
        let case = on(
            format!("a label is `{value}`"),
            &on_files(),
            samples("0.3"),
            &y,
        );
        cases.push(case.known(Truth::Refused("y.csv")));
    }
    for standardise in [false, true] {
        let dataset = format!(
            "[dataset.table]\npath = \"t.csv\"\nlabel = \"y\"\npositive = [\"a\"]\nstandardise = {standardise}"
        );
        let parts = Parts {
            dataset,
            ..on_files()
        };
        for value in VALUES {
            let table = format!("x1,x2,y\n1,0.2,a\n-1,{value},b\n2,3,a\n-2,1,b\n");
            let name = format!(
                "a cell of a table is `{value}`{}",
                if standardise { ", standardised" } else { "" }
            );
            let case = Case::run(GROUP, name, parts.text()).file("t.csv", table);
            let truth = if NUMBERS.contains(&value) {
                Truth::Separable
            } else {
                Truth::Refused("t.csv, row 3, column 2")
            };
            cases.push(case.known(truth));
        }
    }
    let weights = Parts {
        initial: "initial.files = [\"w1.csv\", \"w2.csv\"]".into(),
        ..on_files()
    };
    for value in VALUES {
        let case = on(
            format!("an initial weight is `{value}`"),
            &weights,
            samples("0.3"),
            LABELS,
        )
        .file(
            "w1.csv",
            format!("0.1,0.2,0.3\n0.1,{value},0.3\n0.3,0.2,0.1\n"),
        )
        .file("w2.csv", "0.1\n0.2\n0.3\n");
        cases.push(case);
    }
    for (rule, name) in [
        ("direct-feedback-alignment", "b_1"),
        ("feedback-alignment", "F_1"),
    ] {
        let rule = format!("[rule.{rule}]\nfeedback.files = [\"b.csv\"]");
        let parts = Parts { rule, ..on_files() };
        for value in VALUES {
            let case = on(
                format!("an entry of {name} is `{value}`"),
                &parts,
                samples("0.3"),
                LABELS,
            );
            let case = case.file("b.csv", format!("1\n{value}\n0.5\n"));
            cases.push(if name == "F_1" {
                case.limit_alone()
            } else {
                case
            });
        }
    }
    cases
}
