//! Certificates to begin with: every norm, every kind of statement, small.

use marginflow::certify::{Certificate, Finished, Found, certify};
use marginflow::dataset::{Dataset, gaussian_class_teacher, gaussian_teacher, standard_normals};
use marginflow::diagnostics::diagnose;
use marginflow::flow::{FlowOptions, SaveAt, integrate};
use marginflow::limit::{Limit, Potential, Separability, max_margin, minimise};
use marginflow::loss::Loss;
use marginflow::network::Network;
use marginflow::problem::Problem;
use marginflow::reference::reference_limit;
use marginflow::rule::Rule;
use marginflow::theory;
use nalgebra::{DMatrix, DVector, dmatrix, dvector};

const LABEL: (&str, &str) = ("test", "");

fn wave(dimension: usize, seed: usize) -> DVector<f64> {
    DVector::from_fn(dimension, |j, _| {
        ((j * j + (2 + seed) * j + seed) as f64 * 0.7).sin() + 0.3
    })
}

fn problem(network: Network, rule: Rule, data: Dataset) -> Problem {
    let start = DVector::zeros(network.parameters());
    Problem::new(data, network, rule, Loss::Exponential, start).unwrap()
}

/// Under gradient descent.
pub fn plain(network: Network, data: Dataset) -> Problem {
    problem(network, Rule::gradient_descent(), data)
}

/// Under feedback on every hidden layer, of a network with layers of D weights.
pub fn with_feedback(network: Network, data: Dataset) -> Problem {
    let (depth, dimension) = (network.depth(), data.dimension());
    let rule = Rule::direct_feedback_alignment((1..depth).map(|l| wave(dimension, l)).collect());
    problem(network, rule, data)
}

pub fn limit_of(problem: &Problem) -> Limit {
    let theory = theory::of(problem);
    let potential: &Potential = theory.potential().unwrap();
    match minimise(problem.dataset().signed_samples(), potential) {
        Separability::Separable(limit) => limit,
        other => panic!("{other:?}"),
    }
}

/// Linear networks of every norm that certificates know.
pub fn linear_problems() -> Vec<Problem> {
    let data = |seed| gaussian_teacher(6, 5, seed);
    let bp = Rule::gradient_descent;
    let mut list = vec![
        problem(Network::fully_connected(6, &[6]), bp(), data(1)),
        problem(Network::convolutional(6, 2), bp(), data(2)),
        problem(
            Network::convolutional(5, 2),
            bp(),
            gaussian_teacher(5, 4, 3),
        ),
        problem(Network::diagonal(6, 2), bp(), data(4)),
    ];
    for depth in 2..=4 {
        list.push(with_feedback(Network::diagonal(6, depth), data(5)));
        list.push(with_feedback(Network::convolutional(6, depth), data(6)));
        list.push(with_feedback(
            Network::convolutional(5, depth),
            gaussian_teacher(5, 4, 7),
        ));
    }
    list
}

/// A fully connected network of this depth on samples of three classes, under orthonormal feedback or gradient descent.
pub fn with_classes(data: Dataset, depth: usize, is_descent: bool) -> Problem {
    let outputs = data.outputs();
    let width = data.dimension().max(outputs);
    let hidden = vec![width; depth - 1];
    let network = Network::fully_connected_with_outputs(data.dimension(), &hidden, outputs);
    let orthonormal = |l: u64| {
        let draws = standard_normals("certificates", l).take(width * outputs);
        DMatrix::from_iterator(width, outputs, draws).qr().q()
    };
    let rule = match is_descent {
        true => Rule::gradient_descent(),
        false => {
            Rule::direct_feedback_matrices((1..depth as u64).map(orthonormal).collect::<Vec<_>>())
        }
    };
    let size = if is_descent { 0.1 } else { 0.0 };
    let draws = standard_normals("certificates", 9).take(network.parameters());
    let start = DVector::from_iterator(network.parameters(), draws) * size;
    Problem::new(data, network, rule, Loss::Exponential, start).unwrap()
}

/// Networks with several outputs, of every norm that certificates know: more features than classes, and fewer.
pub fn class_problems() -> Vec<Problem> {
    // from the first seed on that gives every class a sample
    let data = |d, n, seed: u64| {
        (seed..)
            .find_map(|seed| gaussian_class_teacher(d, n, 3, seed).ok())
            .unwrap()
    };
    vec![
        with_classes(data(4, 5, 1), 1, true),
        with_classes(data(4, 6, 2), 2, false),
        with_classes(data(2, 5, 3), 3, false),
        with_classes(data(4, 5, 4), 4, false),
        with_classes(data(5, 6, 5), 2, true),
        with_classes(data(2, 5, 6), 2, true),
    ]
}

/// Of data that nothing separates, with the proof that the limit is refused by.
fn of_refusal(problem: &Problem) -> Certificate {
    let Separability::NotSeparable(farkas) = max_margin(problem.dataset().signed_samples()) else {
        panic!("not separable")
    };
    let found = Found {
        farkas: Some(&farkas),
        ..Found::default()
    };
    certify(problem, found, LABEL).expect("a certificate")
}

/// Samples of which two are one, of different classes.
pub fn classes_not_separable() -> Certificate {
    let samples = dmatrix![1.0, 0.5; 0.25, -1.0; 1.0, 0.5; -0.75, 0.5];
    let data = Dataset::of_classes(samples, &[0, 1, 2, 1], 3).unwrap();
    let problem = with_classes(data, 1, true);
    of_refusal(&problem)
}

/// The smallest example of a loss that rises (docs/loss-monotonicity.md), until after it has.
pub fn loss_that_rises() -> Certificate {
    let data = Dataset::new(
        dmatrix![-8.0, 9.0, -1.0; -40.0, 51.0, -4.0],
        dvector![1.0, -1.0],
    );
    let b = dvector![1.0, 0.0, 0.0];
    let rule = Rule::direct_feedback_alignment(vec![b.clone(), b]);
    let problem = problem(Network::convolutional(3, 3), rule, data);
    let options = FlowOptions {
        saves: SaveAt::Uniform(401),
        ..FlowOptions::to(2.0)
    };
    of_run_with(&problem, &options)
}

/// Of the limit alone.
pub fn of_limit(problem: &Problem) -> Certificate {
    let limit = limit_of(problem);
    let found = Found {
        limit: Some(&limit),
        ..Found::default()
    };
    certify(problem, found, LABEL).expect("a certificate")
}

/// Of a run.
pub fn of_run(problem: &Problem, until: f64) -> Certificate {
    of_run_with(problem, &FlowOptions::to(until))
}

fn of_run_with(problem: &Problem, options: &FlowOptions) -> Certificate {
    let trajectory = integrate(problem, options, &mut |_| {}).unwrap();
    let limit = reference_limit(problem, false)
        .unwrap()
        .after(problem, &trajectory);
    let diagnostics = diagnose(problem, &trajectory, limit.as_ref());
    let run = Finished {
        trajectory: &trajectory,
        diagnostics: &diagnostics,
    };
    let found = Found {
        limit: limit.as_ref(),
        run: Some(run),
        farkas: None,
    };
    certify(problem, found, LABEL).expect("a certificate")
}

/// Samples of which a combination vanishes exactly.
pub fn not_separable() -> Certificate {
    let data = Dataset::new(
        dmatrix![1.0, 0.5, 0.25; -1.0, 0.25, 1.0; 0.0, -0.75, -1.25; 3.0, 1.0, 2.0],
        dvector![1.0, 1.0, 1.0, -1.0],
    );
    let problem = problem(
        Network::fully_connected(3, &[3]),
        Rule::gradient_descent(),
        data,
    );
    of_refusal(&problem)
}

/// Two layers of four units on samples in general position, started on the level set.
pub fn two_layers(rule: Rule) -> Problem {
    let samples = dmatrix![1.0, 0.3; -0.8, 1.1; 0.4, -1.2; 1.3, 0.9];
    let data = Dataset::new(samples, dvector![1.0, -1.0, 1.0, 1.0]);
    let hidden = [[1.0, 0.8], [0.5, -0.9], [-1.0, 0.7], [-0.4, 1.0]];
    let b = feedback_of_units();
    let level = (hidden.iter().zip(b.iter())).map(|(w, b)| (w[0] * w[0] + w[1] * w[1]) / (2.0 * b));
    let start: Vec<f64> = hidden.iter().flatten().copied().chain(level).collect();
    let network = Network::relu(2, &[4], 0.0);
    Problem::new(
        data,
        network,
        rule,
        Loss::Exponential,
        DVector::from_vec(start),
    )
    .unwrap()
}

/// b, of both signs.
pub fn feedback_of_units() -> DVector<f64> {
    dvector![1.0, 1.5, -1.0, -0.75]
}

/// Everything above as files.
pub fn all() -> Vec<(String, Certificate)> {
    let mut list: Vec<(String, Certificate)> = Vec::new();
    for problem in linear_problems().into_iter().chain(class_problems()) {
        let name = format!(
            "{} {} D={}",
            problem.network().key(),
            problem.network().depth(),
            problem.dataset().dimension()
        );
        list.push((name, of_limit(&problem)));
    }
    list.push(("not separable".into(), not_separable()));
    list.push(("classes, not separable".into(), classes_not_separable()));
    list.push(("run, loss rises".into(), loss_that_rises()));
    let classes = class_problems();
    list.push(("run, classes, feedback".into(), of_run(&classes[1], 12.0)));
    list.push((
        "run, classes, gradient descent".into(),
        of_run(&classes[4], 12.0),
    ));
    let convolutional = with_feedback(Network::convolutional(5, 2), gaussian_teacher(5, 4, 7));
    list.push(("run, convolutional".into(), of_run(&convolutional, 20.0)));
    let diagonal = with_feedback(Network::diagonal(4, 3), gaussian_teacher(4, 3, 8));
    list.push(("run, diagonal".into(), of_run(&diagonal, 20.0)));
    let third = problem(
        Network::diagonal(4, 3),
        Rule::gradient_descent(),
        gaussian_teacher(4, 3, 8),
    );
    let third = third.with_start(DVector::from_element(12, 0.5)).unwrap();
    list.push(("run, stationary".into(), of_run(&third, 10.0)));
    let feedback = two_layers(Rule::direct_feedback_alignment(vec![feedback_of_units()]));
    list.push(("run, feedback".into(), of_run(&feedback, 12.0)));
    list.push((
        "run, gradient descent".into(),
        of_run(&two_layers(Rule::gradient_descent()), 12.0),
    ));
    list
}

/// Rows as doubles.
pub fn doubles(rows: &[Vec<marginflow::certify::Dyadic>]) -> DMatrix<f64> {
    DMatrix::from_fn(rows.len(), rows.first().map_or(0, Vec::len), |n, d| {
        rows[n][d].to_f64()
    })
}
