//! What may happen to a run from outside, and what it does not change: kills, signals, damage, full disks, others in
//! the same folder.

mod checkpoints;
mod disks;
mod folders;
mod kills;
mod marks;
#[path = "../support/program.rs"]
mod program;
mod signals;
#[path = "../support/mod.rs"]
mod support;

use program::Workshop;

/// Fully connected, depth 3, at tolerances that make `adams-bdf` take thousands of steps.
const LINEAR: &str = r#"
[dataset.gaussian-teacher]
dimension = 10
samples = 15
seed = 4
[network.fully-connected-linear]
depth = 3
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[initial]
gaussian = { scale = 0.1, seed = 3 }
[flow]
until.log-log-time = 60.0
rtol = 1e-11
atol = 1e-13
saves = 5
"#;

/// Exact kinks, integrated piece by piece, with fixed points.
const KINKS: &str = r#"
[dataset.gaussian-random-labels]
dimension = 5
samples = 16
seed = 3
[network.relu]
hidden = [24]
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 3
[initial]
gaussian = { scale = 0.3, seed = 3, level-set = true }
[flow]
until.log-log-time = 8.0
saves = 5
checkpoint-steps = 200
"#;

/// Finite steps, a flow beside them, and the flow to its horizon.
const STEPS: &str = r#"
initial = "zero"
[dataset.gaussian-teacher]
dimension = 8
samples = 5
seed = 5
[network.fully-connected-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[flow]
until.log-log-time = 20.0
saves = 5
[steps]
sizes = [1e-2, 2e-3]
count = 500000
"#;

/// Limits, flows and steps of several networks.
const SWEEP: &str = r#"
[dataset.gaussian-teacher]
dimension = 12
samples = 6
seed = 5
[network.convolutional-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 1
[initial]
gaussian = { scale = 0.01, seed = 1 }
[flow]
until.log-time = 10.0
[steps]
sizes = [1e-3]
count = 20000
[sweep]
cases = ["fc", "conv-dfa-2", "conv-bp-2", "diagonal-dfa-2-unit"]
ratios = [0.5, 1.0, 2.0]
seeds = 5
kinds = ["limit", "flow", "steps"]
"#;

/// Two depths and rules at three seeds.
const STUDY: &str = r#"
[dataset.gaussian-teacher]
dimension = 8
samples = 6
seed = 1
[network.fully-connected-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 1
[initial]
gaussian = { scale = 0.1, seed = 1 }
[flow]
until.log-log-time = 40.0
[study]
pair = "rule"
[study.vary]
"network.fully-connected-linear.depth" = [2, 3]
"rule" = ["gradient-descent", { direct-feedback-alignment = { feedback = { gaussian = { seed = 1 } } } }]
[study.seeds]
"dataset.gaussian-teacher.seed" = 3
"initial.gaussian.seed" = 3
"rule.direct-feedback-alignment.feedback.gaussian.seed" = 3
"#;

/// A folder with these scenarios in it.
fn shop() -> Workshop {
    Workshop::with(&[
        ("linear.toml", LINEAR),
        ("kinks.toml", KINKS),
        ("steps.toml", STEPS),
        ("sweep.toml", SWEEP),
        ("study.toml", STUDY),
    ])
}
