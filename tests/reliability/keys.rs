//! Every numeric key with every number it may not expect.

use super::program::Case;
use super::scenario::{NETWORKS, Parts, drawn};

pub const GROUP: &str = "Numbers in every key";

/// What each key is set to.
pub const VALUES: [&str; 14] = [
    "nan",
    "inf",
    "-inf",
    "0",
    "-0.0",
    "-1",
    "1e-320",
    "1e-200",
    "1e200",
    "1e400",
    "9223372036854775808",
    "9223372036854775807",
    "2.5",
    "'text'",
];

/// How a key is tried.
enum Trial {
    /// The whole run.
    Run,
    /// The limit alone, where the value decides what is drawn and nothing else.
    Limit,
}
use Trial::{Limit, Run};

pub fn cases() -> Vec<Case> {
    let base = Parts {
        more: "[steps]\nsizes = [0.1]\ncount = 100".into(),
        ..drawn()
    };
    let relu = Parts {
        network: NETWORKS[3].1,
        dataset: "[dataset.gaussian-random-labels]\ndimension = 3\nsamples = 4\nseed = 1".into(),
        flow: "saves = 5\nmax-steps = 500".into(),
        ..drawn()
    };
    let until = |clock: &str| Parts {
        until: format!("until.{clock} = 1.0"),
        ..drawn()
    };
    let (log_time, time) = (until("log-time"), until("time"));
    let sweep = Parts {
        more: "[sweep]\ncases = [\"fc\"]\nratios = [1.0]\nseeds = 2".into(),
        ..drawn()
    };
    let conv = Parts {
        network: NETWORKS[1].1,
        ..drawn()
    };
    let alignment = Parts {
        rule: "[rule.feedback-alignment]\nfeedback.gaussian.seed = 7".into(),
        ..drawn()
    };
    let unit = Parts {
        rule: "[rule.direct-feedback-alignment]\nfeedback.unit-modulus.seed = 7".into(),
        ..drawn()
    };
    let keys = [
        ("dataset.gaussian-teacher.dimension", &base, Limit),
        ("dataset.gaussian-teacher.samples", &base, Limit),
        ("dataset.gaussian-teacher.seed", &base, Limit),
        ("dataset.gaussian-random-labels.dimension", &relu, Limit),
        ("dataset.gaussian-random-labels.samples", &relu, Limit),
        ("dataset.gaussian-random-labels.seed", &relu, Limit),
        ("network.fully-connected-linear.depth", &base, Limit),
        ("network.fully-connected-linear.hidden", &base, Limit),
        ("network.convolutional-linear.depth", &conv, Limit),
        ("network.relu.hidden", &relu, Limit),
        ("network.relu.smoothing", &relu, Run),
        (
            "rule.direct-feedback-alignment.feedback.gaussian.seed",
            &base,
            Limit,
        ),
        (
            "rule.direct-feedback-alignment.feedback.gaussian.scale",
            &base,
            Run,
        ),
        (
            "rule.direct-feedback-alignment.feedback.unit-modulus.seed",
            &unit,
            Limit,
        ),
        (
            "rule.feedback-alignment.feedback.gaussian.scale",
            &alignment,
            Limit,
        ),
        ("initial.gaussian.scale", &base, Run),
        ("initial.gaussian.seed", &base, Limit),
        ("initial.gaussian.level-set", &relu, Limit),
        ("flow.until.log-log-time", &base, Run),
        ("flow.until.log-time", &log_time, Run),
        ("flow.until.time", &time, Run),
        ("flow.rtol", &base, Run),
        ("flow.atol", &base, Run),
        ("flow.saves", &base, Run),
        ("flow.max-steps", &base, Run),
        ("flow.max-wall-seconds", &base, Run),
        ("steps.sizes", &base, Run),
        ("steps.count", &base, Run),
        ("sweep.ratios", &sweep, Limit),
        ("sweep.seeds", &sweep, Limit),
    ];
    let mut cases = Vec::new();
    for (key, parts, trial) in keys {
        for value in VALUES {
            let list = ["hidden", "sizes", "ratios"]
                .iter()
                .any(|end| key.ends_with(end));
            let value_written = if list {
                format!("[{value}]")
            } else {
                value.to_owned()
            };
            let case = Case::run(GROUP, format!("{key} = {value}"), parts.text());
            let case = match trial {
                // plain numbers to a key that takes any: reading them is what there is to see
                Run if ["2.5", "9223372036854775807"].contains(&value)
                    && !key.starts_with("steps") =>
                {
                    case.limit_alone()
                }
                Run => case,
                Limit => case.limit_alone(),
            };
            cases.push(case.set(&format!("{key}={value_written}")));
        }
    }
    cases
}
