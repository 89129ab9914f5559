//! Data sets at the edge, margins down to nothing, horizons, budgets and steps.

use super::program::{Case, Truth};
use super::scenario::{GRADIENT_DESCENT, LABELS, NETWORKS, Parts, SAMPLES, csv, drawn, on_files};

pub const DATA: &str = "Data sets at the edge";
pub const MARGINS: &str = "Margins";
pub const ENDS: &str = "Horizons, tolerances, budgets and methods";
pub const STEPS: &str = "Finite steps and sweeps";

pub fn cases() -> Vec<Case> {
    let mut cases = data();
    cases.extend(margins());
    cases.extend(ends());
    cases.extend(steps());
    cases
}

fn data() -> Vec<Case> {
    let far = "1e3,2e2\n5e2,1e3\n-2e3,1e3\n";
    // name, samples, labels, what is known of linear networks
    let sets: Vec<(&str, &str, &str, Truth)> = vec![
        ("no rows", "", "", Truth::Refused("empty")),
        (
            "a header and no rows",
            "a,b\n",
            "1\n",
            Truth::Refused("not a number"),
        ),
        ("labels without samples", "", "1\n", Truth::Refused("empty")),
        (
            "more labels than samples",
            "1,0.2\n",
            "1\n1\n",
            Truth::Refused("2 labels"),
        ),
        (
            "one class",
            "1,0.2\n0.5,1\n2,1\n",
            "1\n1\n1\n",
            Truth::Completes,
        ),
        (
            "N = 1",
            "1,0.2\n",
            "1\n",
            Truth::Direction(vec![1.0, 0.2], 0.1),
        ),
        (
            "D = 1",
            "1\n2\n-1\n",
            "1\n1\n-1\n",
            Truth::Direction(vec![1.0], 1e-9),
        ),
        (
            "N = D = 1",
            "2\n",
            "-1\n",
            Truth::Direction(vec![-1.0], 1e-9),
        ),
        (
            "the same x with both labels",
            "1,0.2\n1,0.2\n-1,0.5\n",
            "1\n-1\n-1\n",
            Truth::NotSeparable,
        ),
        (
            "x and -x with one label",
            "1,1\n-1,-1\n",
            "1\n1\n",
            Truth::NotSeparable,
        ),
        (
            "duplicates",
            "1,0.2\n1,0.2\n1,0.2\n-1,0.5\n",
            "1\n1\n1\n-1\n",
            Truth::Completes,
        ),
        (
            "a zero sample",
            "1,0.2\n0,0\n-1,0.5\n",
            "1\n1\n-1\n",
            Truth::NotSeparable,
        ),
        (
            "zero samples only",
            "0,0\n0,0\n",
            "1\n-1\n",
            Truth::NotSeparable,
        ),
        (
            "exclusive or",
            "1,1\n-1,-1\n1,-1\n-1,1\n",
            "1\n1\n-1\n-1\n",
            Truth::NotSeparable,
        ),
        (
            "samples far from the origin",
            far,
            "1\n1\n-1\n",
            Truth::Separable,
        ),
    ];
    let mut cases = Vec::new();
    for (name, x, y, truth) in sets {
        let refused = matches!(truth, Truth::Refused(_));
        for (k, (network, table)) in NETWORKS.into_iter().enumerate() {
            // spectral networks differ where phases matter, not in what is refused
            if (1..3).contains(&k) && !name.contains("= 1") && !matches!(truth, Truth::NotSeparable)
            {
                continue;
            }
            let parts = Parts {
                network: table,
                ..on_files()
            };
            let case = Case::run(DATA, format!("{name}, {network}"), parts.text());
            let case = case.file("x.csv", x).file("y.csv", y);
            let linear = k < 3;
            let known = match &truth {
                // of the hard margin; others have limits of their own, and ReLU networks fit what no hyperplane
                // separates
                Truth::Direction(..) if k > 0 => Truth::Completes,
                Truth::Refused(_) => truth.clone(),
                _ if linear => truth.clone(),
                _ => Truth::Unknown,
            };
            cases.push(case.clone().known(known));
            if refused {
                break;
            }
            if linear && matches!(truth, Truth::NotSeparable) && k < 1 {
                let mut allowed = case.with("--allow-nonseparable").known(Truth::NotSeparable);
                allowed.name += ", all the same";
                cases.push(allowed);
            }
        }
    }
    let zero = Parts {
        initial: "initial = \"zero\"".into(),
        ..drawn()
    };
    for (name, network) in NETWORKS {
        let parts = Parts {
            network,
            ..zero.clone()
        };
        cases.push(Case::run(
            DATA,
            format!("zero weights, {name}"),
            parts.text(),
        ));
        let parts = Parts {
            rule: GRADIENT_DESCENT.into(),
            ..parts
        };
        let case = Case::run(
            DATA,
            format!("zero weights, {name}, gradient descent"),
            parts.text(),
        );
        cases.push(case.known(Truth::Refused("never leaves this initialisation")));
    }
    let many = Parts {
        dataset: "[dataset.gaussian-teacher]\ndimension = 2\nsamples = 300\nseed = 1".into(),
        ..drawn()
    };
    cases.push(Case::run(DATA, "300 samples of dimension 2", many.text()));
    cases
}

/// Signed samples (1, m) and (−1, m): margin m, direction (0, 1).
fn margins() -> Vec<Case> {
    let mut cases = Vec::new();
    for exponent in [2, 4, 6, 8, 10, 12, 14, 16] {
        let m = format!("1e-{exponent}");
        let samples = format!("1,{m}\n-1,{m}\n");
        let margin: f64 = m.parse().unwrap();
        for initial in [
            "initial = \"zero\"",
            "initial.gaussian = { scale = 0.1, seed = 3 }",
        ] {
            let parts = Parts {
                initial: initial.into(),
                until: "until.log-log-time = 30.0".into(),
                ..on_files()
            };
            let from = if initial.ends_with("\"zero\"") {
                "zero"
            } else {
                "random"
            };
            let case = Case::run(
                MARGINS,
                format!("margin {m}, from {from} weights"),
                parts.text(),
            );
            let case = case.file("x.csv", samples.clone()).file("y.csv", "1\n1\n");
            // closer than the margin, or one of the two samples is on the wrong side
            cases.push(case.known(Truth::Direction(vec![0.0, 1.0], margin)));
        }
        for (name, network) in &NETWORKS[1..if exponent % 6 == 2 { 3 } else { 1 }] {
            let parts = Parts {
                network,
                ..on_files()
            };
            let case = Case::run(
                MARGINS,
                format!("margin {m}, {name}, to s = 5"),
                parts.text(),
            );
            let case = case.file("x.csv", samples.clone()).file("y.csv", "1\n1\n");
            cases.push(case.known(Truth::Separable));
        }
    }
    for (name, network) in &NETWORKS[..3] {
        let parts = Parts {
            network,
            ..on_files()
        };
        let case = Case::run(MARGINS, format!("margin 0, {name}"), parts.text());
        let case = case.file("x.csv", "1,0\n-1,0\n").file("y.csv", "1\n1\n");
        cases.push(case.known(Truth::NotSeparable));
    }
    cases
}

fn ends() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut on = |name: String, parts: &Parts| {
        let case = Case::run(ENDS, name, parts.text());
        cases.push(
            case.file("x.csv", csv(&SAMPLES))
                .file("y.csv", LABELS)
                .known(Truth::Separable),
        );
    };
    for until in [
        "time = 0",
        "time = 1e-100",
        "time = 1e-20",
        "time = 1e308",
        "time = 1e400",
        "log-time = 1e303",
        "log-time = 1.7e308",
        "log-log-time = 699",
        "log-log-time = 699.9999999",
        "log-log-time = 700",
        "log-log-time = 1e9",
    ] {
        let parts = Parts {
            until: format!("until.{until}"),
            ..on_files()
        };
        on(format!("until.{until}"), &parts);
    }
    for (network, table) in NETWORKS {
        for steps in [1, 10] {
            let flow = format!("saves = 5\nmax-steps = {steps}");
            on(
                format!("max-steps = {steps}, {network}"),
                &Parts {
                    network: table,
                    flow,
                    ..on_files()
                },
            );
        }
        let far = Parts {
            network: table,
            until: "until.log-log-time = 699".into(),
            ..on_files()
        };
        if network == NETWORKS[1].0 {
            on(format!("until.log-log-time = 699, {network}"), &far);
        }
    }
    for method in ["adams-bdf", "bdf", "esdirk34", "tr-bdf2", "tsit45"] {
        let one_for_all = if method == "bdf" { 2 } else { 1 };
        for (network, table) in [NETWORKS[0], NETWORKS[3]].into_iter().take(one_for_all) {
            let flow = format!("saves = 5\nmax-steps = 10\nmethod = \"{method}\"");
            on(
                format!("max-steps = 10, {method}, {network}"),
                &Parts {
                    network: table,
                    flow,
                    ..on_files()
                },
            );
        }
        let flow = format!("saves = 5\nmax-steps = 2000\nmethod = \"{method}\"");
        let until = "until.log-log-time = 30".into();
        on(
            format!("2000 steps to s = 30, {method}"),
            &Parts {
                until,
                flow,
                ..on_files()
            },
        );
    }
    for (rtol, atol) in [
        ("0.0", "1e-8"),
        ("0.9", "1e-8"),
        ("0.9", "1e3"),
        ("1e-15", "1e-300"),
    ] {
        let flow = format!("saves = 5\nmax-steps = 3000\nrtol = {rtol}\natol = {atol}");
        on(
            format!("rtol = {rtol}, atol = {atol}"),
            &Parts { flow, ..on_files() },
        );
    }
    let large = |what: &str, parts: Parts| {
        Case::run(ENDS, what, parts.text()).known(Truth::Refused("of memory, and"))
    };
    let wide = "[network.fully-connected-linear]\ndepth = 2\nhidden = [1000000000000]";
    let tall = "[dataset.gaussian-teacher]\ndimension = 3\nsamples = 1000000000000\nseed = 1";
    let flow = "saves = 1000000000000".into();
    cases.push(large("10^12 saves", Parts { flow, ..drawn() }));
    cases.push(large(
        "10^12 hidden units",
        Parts {
            network: wide,
            ..drawn()
        },
    ));
    cases.push(large(
        "10^12 samples",
        Parts {
            dataset: tall.into(),
            ..drawn()
        },
    ));
    cases
}

fn steps() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut on = |name: String, network: &'static str, steps: String| {
        let parts = Parts {
            network,
            more: format!("[steps]\n{steps}"),
            ..on_files()
        };
        let case = Case::run(STEPS, name, parts.text());
        cases.push(
            case.file("x.csv", csv(&SAMPLES))
                .file("y.csv", LABELS)
                .known(Truth::Separable),
        );
    };
    for (network, table) in NETWORKS {
        let sizes = ["1.7e308", "1e-320", "1e3", "1e100"];
        let tried = if table == NETWORKS[0].1 { 4 } else { 1 };
        for size in &sizes[..tried] {
            let schedule = if *size == "1e100" {
                "loss-normalised"
            } else {
                "constant"
            };
            let text = format!("sizes = [{size}]\ncount = 50\nschedule = \"{schedule}\"");
            on(
                format!("steps of {size}, {schedule}, {network}"),
                table,
                text,
            );
        }
        on(
            format!("a single step, {network}"),
            table,
            "sizes = [0.1]\ncount = 1".into(),
        );
    }
    let reduced = "sizes = [1e100]\ncount = 50\nstate = \"reduced\"";
    on(
        "steps of 1e100, reduced".into(),
        NETWORKS[0].1,
        reduced.into(),
    );
    let sizes: Vec<String> = (1..=9).map(|k| format!("{k}e-3")).collect();
    let sizes = format!("sizes = [{}]\ncount = 20", sizes.join(", "));
    on("nine sizes together".into(), NETWORKS[0].1, sizes);
    for (name, sweep) in [
        (
            "10^12 seeds",
            "cases = [\"fc\"]\nratios = [1.0]\nseeds = 1000000000000",
        ),
        (
            "a ratio of 1e12",
            "cases = [\"fc\"]\nratios = [1e12]\nseeds = 2",
        ),
        (
            "a ratio of 1e-12",
            "cases = [\"fc\"]\nratios = [1e-12]\nseeds = 2",
        ),
    ] {
        let parts = Parts {
            more: format!("[sweep]\n{sweep}"),
            ..drawn()
        };
        let case = Case::run(STEPS, format!("a sweep of {name}"), parts.text());
        cases.push(case.limit_alone().known(Truth::Refused("")));
    }
    cases
}
