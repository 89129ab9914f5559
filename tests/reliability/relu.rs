//! Random ReLU networks of two and three layers: how many runs complete, by rule, depth and kinks.
//!
//! Where fixed feedback drives weights like t through samples that no later layer sees, no double holds them at s = 20,
//! and the run ends and says so: such runs are counted by themselves.
//!
//! One of each kind is run in the suite, for a short time. `MARGINFLOW_RELU_RUNS=200`, in
//! `cargo test --release --test reliability random_relu -- --nocapture`, runs so many of each kind to s = 20, two at a
//! time, and prints what became of them, and a map of it. Less than all of it: `MARGINFLOW_RELU_RUNS=17,30..40` names
//! seeds, `MARGINFLOW_RELU_KIND="2 layers, feedback alignment, smoothed"` part of a kind's name,
//! `MARGINFLOW_RELU_SECONDS=20` a limit per run; with any of the last two all runs are printed.

use marginflow::dataset::{Dataset, gaussian_random_labels, gaussian_teacher, standard_normals};
use marginflow::flow::{FlowOptions, integrate};
use marginflow::loss::Loss;
use marginflow::network::{Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector};
use std::collections::BTreeMap;
use std::sync::Mutex;

const RULES: [&str; 3] = [
    "gradient descent",
    "direct feedback alignment",
    "feedback alignment",
];

/// A kind of run, and which of it.
struct Draw {
    layers: usize,
    rule: &'static str,
    smoothed: bool,
    seed: u64,
}

impl Draw {
    /// Its kind, by name.
    fn kind(&self) -> String {
        let kinks = if self.smoothed { "smoothed" } else { "exact" };
        format!("{} layers, {}, {kinks}", self.layers, self.rule)
    }
}

/// What a run is drawn to be, besides its kind: N ≤ 12, D ≤ 6, widths ≤ 15, weights of scale 0.1 to 1, either loss.
struct Sizes {
    samples: usize,
    dimension: usize,
    hidden: Vec<usize>,
    scale: f64,
    smoothing: f64,
    loss: Loss,
    /// Labels of a teacher, or of nobody.
    teacher: bool,
}

impl Sizes {
    fn of(draw: &Draw) -> Self {
        let mut uniform = standard_normals("relu battery", draw.seed);
        let mut below = move |most: usize| {
            let share = uniform.next().expect("draws do not end").abs() * 1000.0;
            share as usize % most
        };
        let (samples, dimension) = (2 + below(11), 2 + below(5));
        Self {
            samples,
            dimension,
            hidden: (1..draw.layers).map(|_| 2 + below(14)).collect(),
            scale: [0.1, 0.3, 0.3, 1.0][below(4)],
            smoothing: [0.1, 0.03, 0.01, 0.001][below(4)],
            loss: [Loss::Exponential, Loss::Logistic][below(3) / 2],
            teacher: below(3) == 0,
        }
    }

    /// Where the run stands on a map of all of them: one class of each property.
    fn places(&self, draw: &Draw) -> Vec<String> {
        let class = |name: &str, x: usize, bounds: &[usize]| {
            let (mut from, mut to) = (2, bounds[bounds.len() - 1]);
            for &bound in bounds.iter().rev() {
                match x <= bound {
                    true => to = bound,
                    false => from = from.max(bound + 1),
                }
            }
            format!("{name} {from:2} to {to:2}")
        };
        let narrowest = *self.hidden.iter().min().expect("a hidden layer");
        let mut places = vec![
            class("N", self.samples, &[4, 8, 12]),
            class("D", self.dimension, &[3, 4, 6]),
            class("narrowest layer", narrowest, &[3, 7, 15]),
            format!("start {}", self.scale),
        ];
        if draw.smoothed {
            places.push(format!("smoothing {}", self.smoothing));
        }
        let of_layers = |place| format!("{} layers: {place}", draw.layers);
        places.into_iter().map(of_layers).collect()
    }
}

fn problem(draw: &Draw) -> Option<Problem> {
    let Sizes {
        samples,
        dimension,
        hidden,
        scale,
        smoothing,
        loss,
        teacher,
    } = Sizes::of(draw);
    let data: Dataset = match teacher {
        true => gaussian_teacher(dimension, samples, draw.seed),
        false => gaussian_random_labels(dimension, samples, draw.seed),
    };
    let relu = Relu::new(
        dimension,
        &hidden,
        if draw.smoothed { smoothing } else { 0.0 },
    );
    let shapes = relu.shapes().to_vec();
    let network = Network::new(relu);
    let normals = standard_normals("relu battery weights", draw.seed);
    let theta0 = DVector::from_iterator(network.parameters(), normals.take(network.parameters()));
    let mut normals = standard_normals("relu battery feedback", draw.seed);
    let mut matrix = |(rows, columns): (usize, usize)| {
        DMatrix::from_fn(rows, columns, |_, _| {
            normals.next().expect("draws do not end")
        })
    };
    let rule = match draw.rule {
        "gradient descent" => Rule::gradient_descent(),
        "feedback alignment" => {
            Rule::feedback_alignment(shapes[1..].iter().copied().map(matrix).collect())
        }
        _ => {
            let vectors = hidden
                .iter()
                .map(|width| matrix((*width, 1)).column(0).into_owned());
            Rule::direct_feedback_alignment(vectors.collect())
        }
    };
    Problem::new(data, network, rule, loss, theta0 * scale).ok()
}

/// What became of a run, in a few words.
fn outcome(run: &Trajectory) -> String {
    match run.status {
        Status::Completed => "completed".to_owned(),
        status => format!("{status:?}: {}", run.message.as_deref().unwrap_or_default()),
    }
}

/// What became of the runs of one kind.
#[derive(Default)]
struct Count {
    completed: usize,
    /// Ended, since weights grow like t or a power of it.
    unbounded: usize,
    all: usize,
}

impl Count {
    fn add(&mut self, outcome: &str) {
        let driven = ["weights grow like t", "weights like a power of t"];
        self.all += 1;
        self.completed += usize::from(outcome == "completed");
        self.unbounded += usize::from(driven.iter().any(|d| outcome.contains(d)));
    }
}

/// Runs to be made.
struct Battery {
    seeds: Vec<u64>,
    /// Kinds whose names contain this.
    kind: String,
    until: f64,
    /// Limit of each run, in seconds.
    wall: f64,
    /// Whether to print what became of each run, completed or not.
    all: bool,
}

impl Battery {
    /// What the environment asks for; one short run of each kind otherwise.
    fn asked() -> Self {
        let asked = |name: &str| std::env::var(format!("MARGINFLOW_RELU_{name}")).ok();
        let Some(runs) = asked("RUNS") else {
            return Self {
                seeds: vec![0],
                kind: String::new(),
                until: 1.0,
                wall: 5.0,
                all: false,
            };
        };
        let (kind, seconds) = (asked("KIND"), asked("SECONDS"));
        Self {
            seeds: seeds(&runs),
            all: kind.is_some() || seconds.is_some(),
            kind: kind.unwrap_or_default(),
            until: 20.0,
            wall: seconds.map_or(120.0, |s| s.parse().expect("seconds")),
        }
    }

    fn draws(&self) -> Vec<Draw> {
        let mut draws = Vec::new();
        for layers in [2, 3] {
            for rule in RULES {
                for smoothed in [false, true] {
                    draws.extend(self.seeds.iter().map(|&seed| Draw {
                        layers,
                        rule,
                        smoothed,
                        seed,
                    }));
                }
            }
        }
        draws.retain(|draw| draw.kind().contains(&self.kind));
        draws
    }

    /// What becomes of them, by kind, and then by what else they were drawn to be.
    fn run(&self) -> BTreeMap<String, Count> {
        let map: Mutex<BTreeMap<String, Count>> = Mutex::new(BTreeMap::new());
        let left = Mutex::new(self.draws().into_iter());
        let next = || left.lock().expect("a run has panicked").next();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(draw) = next() {
                        let Some(problem) = problem(&draw) else {
                            continue;
                        };
                        let (outcome, how) = self.one(&problem);
                        let kind = draw.kind();
                        if self.all || outcome != "completed" {
                            eprintln!("{kind}, seed {}: {outcome} [{how}]", draw.seed);
                        }
                        let mut map = map.lock().expect("a run has panicked");
                        for place in std::iter::once(kind).chain(Sizes::of(&draw).places(&draw)) {
                            map.entry(place).or_default().add(&outcome);
                        }
                    }
                });
            }
        });
        map.into_inner().expect("a run has panicked")
    }

    /// What becomes of one run, and what it took.
    fn one(&self, problem: &Problem) -> (String, String) {
        let options = FlowOptions {
            max_steps: 60_000,
            max_wall_seconds: self.wall,
            ..FlowOptions::to(self.until)
        };
        match integrate(problem, &options, &mut |_| {}) {
            Err(why) => (why.to_string(), String::new()),
            Ok(run) => {
                let s = &run.solver;
                let climb = run.loss_rise.as_ref().map_or(0.0, |rise| rise.largest);
                let how = format!(
                    "{:.1} s, {} steps, {}; ln loss climbs by {climb:.0e}; {}",
                    s.wall_seconds,
                    s.steps,
                    s.method,
                    run.message.as_deref().unwrap_or_default()
                );
                (outcome(&run), how)
            }
        }
    }
}

/// `50` is the first fifty, `3,10..20` are those named.
fn seeds(text: &str) -> Vec<u64> {
    let number = |text: &str| text.trim().parse::<u64>().expect("a seed");
    if let Ok(count) = text.parse() {
        return (0..count).collect();
    }
    let spans = text.split(',').filter(|span| !span.trim().is_empty());
    let each = spans.flat_map(|span| match span.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(span)..number(span) + 1,
    });
    each.collect()
}

#[test]
fn random_relu_networks_complete() {
    let (mut completed, mut runs) = (0, 0);
    for (place, count) in &Battery::asked().run() {
        let Count {
            completed: of_place,
            unbounded,
            all,
        } = count;
        eprintln!(
            "{place}: {of_place} of {all} complete, of {unbounded} weights grow like a power of t"
        );
        // each run stands in several places, in one of them by its kind
        if !place.contains(':') {
            completed += of_place;
            runs += all;
        }
    }
    assert!(10 * completed >= 9 * runs, "{completed} of {runs}");
}

fn flow(draw: &Draw, until: f64) -> Trajectory {
    let options = FlowOptions {
        max_steps: 20_000,
        ..FlowOptions::to(until)
    };
    integrate(&problem(draw).unwrap(), &options, &mut |_| {}).unwrap()
}

fn two_layers_rounded(rule: &'static str, seed: u64) -> Trajectory {
    let draw = Draw {
        layers: 2,
        rule,
        smoothed: true,
        seed,
    };
    flow(&draw, 20.0)
}

/// Samples that only what rounded kinks leak of them can move: once held as if they were seen, they gave way to all
/// that was learned, and the loss of gradient descent climbed.
#[test]
fn what_rounded_kinks_leak_is_not_held() {
    for seed in [47, 60] {
        let run = two_layers_rounded(RULES[0], seed);
        assert_eq!(outcome(&run), "completed", "seed {seed}");
        let rise = run.loss_rise.unwrap();
        assert!(rise.largest < 1e-5, "seed {seed}: {rise:?}");
    }
}

/// Units that come to zero where no other of their layer is left.
#[test]
fn a_layer_comes_to_zero() {
    for seed in [15, 66] {
        let run = two_layers_rounded(RULES[1], seed);
        assert_eq!(outcome(&run), "completed", "seed {seed}");
    }
}

/// Samples that contradict each other, and drive the weights by what is left of that.
#[test]
fn balances_lost_in_rounding_are_named() {
    let run = two_layers_rounded(RULES[1], 2);
    assert_eq!(run.status, Status::NonlinearFailure);
    let message = run.message.unwrap();
    assert!(message.contains("weights like a power of t"), "{message}");
}

/// Pairs of a layer that has just begun to see a sample, or no longer does, and samples that only hold: runs that once
/// went to and fro between two pieces, or ended without gates.
#[test]
fn runs_get_past_borders_at_which_whole_layers_open_and_close() {
    let feedback = "feedback alignment";
    for (rule, seed, until) in [
        (RULES[0], 28, 1.0),
        (feedback, 18, 0.21),
        (feedback, 28, 0.6),
        (feedback, 33, 1.0),
        (feedback, 7, 3.8),
    ] {
        let draw = Draw {
            layers: 3,
            rule,
            smoothed: false,
            seed,
        };
        let run = flow(&draw, until);
        assert_eq!(outcome(&run), "completed", "{rule}, seed {seed}");
        let kinks = run.kinks.unwrap();
        let events = kinks.crossings + kinks.slides + kinks.releases;
        assert!(events < 400, "{rule}, seed {seed}: {events} events");
    }
}
