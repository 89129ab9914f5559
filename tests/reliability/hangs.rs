//! Nothing hangs: random runs over all networks, rules, kinds of data, starts, horizons, losses and methods, each with
//! a budget of wall time, come back within that budget and a second, with a status that is true.
//!
//! ```text
//! cargo test --test reliability hangs
//! MARGINFLOW_HANGS=0..5000 cargo test --test reliability hangs -- --nocapture
//! ```

use super::judged::{contradicts, judged};
use super::problems::{DATA, Draws, dataset};
use marginflow::activation;
use marginflow::claims::Outcome;
use marginflow::dataset::standard_normals;
use marginflow::flow::{FlowOptions, Method};
use marginflow::loss::Loss;
use marginflow::network::{Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::{Needs, RULES, Rule};
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::DMatrix;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const NETWORKS: [&str; 6] = [
    "fully connected",
    "convolutional",
    "diagonal",
    "ReLU",
    "smoothed ReLU",
    "leaky ReLU",
];

const STARTS: [f64; 7] = [0.0, 1e-8, 0.01, 0.1, 0.3, 1.0, 5.0];

const HORIZONS: [f64; 8] = [2.0, 4.0, 8.0, 15.0, 25.0, 40.0, 60.0, 140.0];

const METHODS: [Method; 8] = [
    Method::AdamsBdf,
    Method::AdamsBdf,
    Method::AdamsBdf,
    Method::AdamsBdf,
    Method::Bdf,
    Method::Esdirk34,
    Method::TrBdf2,
    Method::Tsit45,
];

/// Seconds that each run may take.
const BUDGET: f64 = 0.3;

/// What a run may take besides, for its limit, its measurements and its verdicts.
const BESIDES: f64 = 1.0;

/// Beyond this a run has not come back.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run, in words, and what it needs.
#[derive(Clone)]
struct Run {
    network: &'static str,
    rule: &'static str,
    name: String,
    problem: Problem,
    options: FlowOptions,
}

/// The run of a seed; none where the rule does not fit the network.
fn drawn(seed: u64) -> Option<Run> {
    let mut draws = Draws(standard_normals("hangs", seed));
    let kind = draws.pick(&NETWORKS);
    let data = draws.pick(&DATA);
    let mut start = draws.pick(&STARTS);
    let entry = &RULES[draws.below(RULES.len())];
    let (until, method) = (draws.pick(&HORIZONS), draws.pick(&METHODS));
    let loss = draws.pick(&[Loss::Exponential, Loss::Logistic]);
    let sizes = match draws.below(4) {
        0 => (2 + draws.below(40), 2 + draws.below(12)),
        _ => (2 + draws.below(7), 2 + draws.below(6)),
    };
    let any_labels = draws.below(3) == 0;
    let data_set = dataset(data, sizes, any_labels, &mut draws);
    let network = network(kind, sizes.1, &mut draws);
    let fixed = RULES
        .iter()
        .any(|rule| rule.key == entry.key && rule.is_fixed);
    if start == 0.0 && !fixed {
        start = 0.1;
    }
    let rule = match entry.needs {
        Needs::Nothing(rule) => rule(),
        Needs::Matrices(rule) => {
            let shapes = network.feedback_shapes().to_vec();
            rule(
                shapes
                    .into_iter()
                    .map(|shape| draws.matrix(shape))
                    .collect(),
            )
        }
        Needs::Direct(rule) => vectors(rule, &network, &mut draws),
    };
    let theta = network.theta(draws.vector(network.parameters()) * start);
    let name = format!(
        "seed {seed}: {} {kind} L = {}, {data}, N = {}, D = {}, from {start:e}, {}, s = {until}, {}",
        entry.key,
        network.depth(),
        sizes.0,
        sizes.1,
        loss.name(),
        method.name()
    );
    Some(Run {
        network: kind,
        rule: entry.key,
        name,
        problem: Problem::new(data_set, network, rule, loss, theta).ok()?,
        options: FlowOptions {
            method,
            max_wall_seconds: BUDGET,
            ..FlowOptions::to(until)
        },
    })
}

fn network(kind: &str, inputs: usize, draws: &mut Draws<impl Iterator<Item = f64>>) -> Network {
    let depth = 1 + draws.below(5);
    let mut widths = |layers: usize, most: usize| -> Vec<usize> {
        (0..layers).map(|_| 1 + draws.below(most)).collect()
    };
    match kind {
        "fully connected" => Network::fully_connected(inputs, &widths(depth - 1, 8)),
        "convolutional" => Network::convolutional(inputs, depth),
        "diagonal" => Network::diagonal(inputs, depth),
        _ => {
            let hidden = widths(1 + depth % 3, 12);
            match kind {
                "ReLU" => Network::relu(inputs, &hidden, 0.0),
                "smoothed ReLU" => Network::relu(inputs, &hidden, 0.05),
                _ => {
                    let slope = activation::parameters().find(|p| p.key == "negative-slope");
                    let leaky = slope.expect("it is registered").activation(0.1).unwrap();
                    Network::new(Relu::with(inputs, &hidden, leaky))
                }
            }
        }
    }
}

/// One vector per hidden layer.
fn vectors(
    rule: fn(Vec<DMatrix<f64>>) -> Rule,
    network: &Network,
    draws: &mut Draws<impl Iterator<Item = f64>>,
) -> Rule {
    let shapes = network.signal_shapes().into_iter();
    rule(shapes.map(|shape| draws.matrix(shape)).collect())
}

/// How a run ended, and what is wrong with that.
struct Ended {
    end: String,
    seconds: f64,
    wrong: Vec<String>,
}

fn ended(run: &Run) -> Ended {
    let begin = Instant::now();
    let Run {
        problem, options, ..
    } = run;
    let refused = |why: &dyn std::fmt::Display| Ended {
        end: "refused".into(),
        seconds: begin.elapsed().as_secs_f64(),
        wrong: match why.to_string().is_empty() {
            true => vec!["refused without a word".into()],
            false => Vec::new(),
        },
    };
    let judged = match judged(problem, options, true) {
        Ok(judged) => judged,
        Err(why) => return refused(&why),
    };
    let seconds = begin.elapsed().as_secs_f64();
    let mut wrong = match judged.status {
        Status::Completed => whole(run, &judged.trajectory),
        _ if judged.message.as_deref().unwrap_or_default().is_empty() => {
            vec!["it ends early without a word".into()]
        }
        _ => Vec::new(),
    };
    for verdict in &judged.verdicts {
        let decided = matches!(verdict.outcome, Outcome::Holds | Outcome::Violated);
        if decided && judged.status != Status::Completed {
            wrong.push(format!("{} is judged by it", verdict.id));
        }
        if contradicts(verdict) {
            wrong.push(format!("{}: {}", verdict.id, verdict.evidence));
        }
    }
    Ended {
        end: format!("{:?}", judged.status),
        seconds,
        wrong,
    }
}

/// What is wrong with a run that says it has completed: it is not at its horizon, holds numbers that are none, or its
/// log-multipliers are not those of its weights.
fn whole(run: &Run, trajectory: &Trajectory) -> Vec<String> {
    let mut wrong = Vec::new();
    let last = trajectory.len() - 1;
    if trajectory.log_log_time[last] != run.options.until {
        wrong.push(format!("it ends at s = {}", trajectory.log_log_time[last]));
    }
    let finite = |x: &nalgebra::DMatrix<f64>| x.iter().all(|x| x.is_finite());
    if !finite(&trajectory.theta) || !finite(&trajectory.log_multipliers) {
        wrong.push("it holds numbers that are none".into());
    }
    let theta = trajectory.theta.column(last).into_owned();
    let theta = run
        .problem
        .state_of(&theta.rows(0, run.problem.network().parameters()).into());
    let kernel = run.problem.kernel();
    let mut margins = vec![0.0; kernel.samples()];
    kernel.margins(theta.as_slice(), &mut margins);
    let held = trajectory.held.as_ref().map(|held| &held.margins);
    let tau = trajectory.log_time(last);
    for (n, margin) in margins.into_iter().enumerate() {
        if held.is_some_and(|held| held[n].is_some()) {
            continue;
        }
        let said = tau - trajectory.log_multipliers[(n, last)];
        if (said - margin).abs() > 0.01 * (1.0 + said.abs().max(1e-9 * tau)) {
            wrong.push(format!(
                "margin {n} is {margin}, and {said} by its multiplier"
            ));
        }
    }
    wrong
}

/// [`ended`] on a thread of its own; an error if it does not come back, or not alive.
fn within_patience(run: &Run) -> Result<Ended, RecvTimeoutError> {
    let (send, receive) = channel();
    let run = run.clone();
    std::thread::spawn(move || {
        // nobody may be waiting any more
        let _ = send.send(ended(&run));
    });
    receive.recv_timeout(PATIENCE)
}

/// What is wrong with a run, and how it ended. A run that is late on a machine that others use gets a second try.
fn seen(run: &Run) -> (String, Vec<String>) {
    for again in [true, false] {
        let ended = match within_patience(run) {
            Ok(ended) => ended,
            Err(RecvTimeoutError::Timeout) => {
                return ("hangs".into(), vec!["it does not come back".into()]);
            }
            Err(RecvTimeoutError::Disconnected) => {
                return ("panics".into(), vec!["it panics".into()]);
            }
        };
        let late = ended.seconds > BUDGET + BESIDES;
        if late && again {
            continue;
        }
        let mut wrong = ended.wrong;
        if late {
            wrong.push(format!("it takes {:.2} s", ended.seconds));
        }
        return (ended.end, wrong);
    }
    unreachable!("the second try returns")
}

/// What the battery has seen.
#[derive(Default)]
struct Tally {
    /// How runs ended, by network and rule.
    ends: BTreeMap<(&'static str, &'static str), BTreeMap<String, usize>>,
    wrong: Vec<String>,
}

/// The battery over these seeds, on twice as many threads as there are processors: budgets are of wall time.
fn battery(seeds: std::ops::Range<u64>) -> Tally {
    let (tally, next) = (Mutex::new(Tally::default()), Mutex::new(seeds));
    let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = { next.lock().unwrap().next() } {
                    if seed % 500 == 0 {
                        println!("at seed {seed}");
                    }
                    let Some(run) = drawn(seed) else { continue };
                    let (end, found) = seen(&run);
                    let mut tally = tally.lock().unwrap();
                    if !found.is_empty() {
                        let text = format!("{}\n    {}", run.name, found.join("\n    "));
                        println!("{text}");
                        tally.wrong.push(text);
                    }
                    let ends = tally.ends.entry((run.network, run.rule)).or_default();
                    *ends.entry(end).or_default() += 1;
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

/// A few runs, or those of the seeds in `MARGINFLOW_HANGS` (`from..to`, or how many).
#[test]
fn no_run_hangs_or_says_what_is_not_true() {
    let asked = std::env::var("MARGINFLOW_HANGS").unwrap_or_else(|_| "30".into());
    let (from, to) = asked.split_once("..").unwrap_or(("0", &asked));
    let tally = battery(from.parse().unwrap()..to.parse().unwrap());
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    for ((network, rule), ends) in &tally.ends {
        println!("{network:<16} {rule:<26} {ends:?}");
        for (end, count) in ends {
            *sums.entry(end).or_default() += count;
        }
    }
    println!("all: {sums:?}");
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
}
