//! ReLU networks in scenarios: shapes, feedback, and initial weights on the conserved level.

use super::*;
use crate::activation::Formula;
use crate::dataset::Dataset;
use crate::network::Signals;
use crate::network::{Network, Relu};
use crate::rule::Rule;
use nalgebra::{DMatrix, dmatrix, dvector};

const DEEP: &str = r#"
[dataset.gaussian-random-labels]
dimension = 4
samples = 9
seed = 1
[network.relu]
hidden = [3, 5]
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[initial]
gaussian = { scale = 0.5, seed = 3, level-set = true }
[flow]
until.log-log-time = 12
"#;

fn build(overrides: &[&str]) -> Problem {
    let overrides: Vec<String> = overrides.iter().map(|o| o.to_string()).collect();
    let scenario = parse(Path::new("deep.toml"), DEEP, &overrides).unwrap();
    scenario.build().unwrap()
}

#[test]
fn widths_smoothing_and_labels_are_those_of_the_keys() {
    let problem = build(&[]);
    assert_eq!(problem.network().shapes(), [(4, 3), (3, 5), (5, 1)]);
    let smoothing = |p: &Problem| p.network().units().map(|relu| relu.activation().softness());
    assert_eq!(smoothing(&problem), Some(0.0));
    let smooth = build(&["network.relu.smoothing=1e-2"]);
    assert_eq!(smoothing(&smooth), Some(1e-2));
    assert_eq!(smooth.theta0(), problem.theta0());
    let drawn = crate::dataset::gaussian_random_labels(4, 9, 1);
    assert_eq!(problem.dataset(), &drawn);
}

#[test]
fn feedback_has_the_shapes_of_the_rule() {
    let drawn: Vec<f64> = crate::dataset::standard_normals("feedback", 7)
        .take(20)
        .collect();
    let direct = build(&[]);
    let Signals::Direct(b) = direct.rule().signals() else {
        panic!("another rule");
    };
    assert_eq!(
        (b[0].as_slice(), b[1].as_slice()),
        (&drawn[..3], &drawn[3..8])
    );
    let alignment = build(&["rule.feedback-alignment.feedback.gaussian.seed=7"]);
    let Signals::Layerwise(f) = alignment.rule().signals() else {
        panic!("another rule");
    };
    assert_eq!(f[0], DMatrix::from_column_slice(3, 5, &drawn[..15]));
    assert_eq!(f[1], DMatrix::from_column_slice(5, 1, &drawn[15..]));
}

/// `b_j w_{L,j} = ½‖w_{L−1,j}‖²` with the feedback of the last hidden layer; all others as without the level set.
#[test]
fn the_level_set_moves_the_output_weights_alone() {
    let deep = "network.relu.hidden=[3, 5]";
    for (hidden, rule) in [
        (
            deep,
            "rule.direct-feedback-alignment.feedback.gaussian.seed=7",
        ),
        (deep, "rule.feedback-alignment.feedback.gaussian.seed=7"),
        (
            "network.relu.hidden=[5]",
            "rule.feedback-alignment.feedback.gaussian.seed=7",
        ),
    ] {
        let level = build(&[hidden, rule]);
        let free = build(&[hidden, rule, "initial.gaussian.level-set=false"]);
        let weights = |p: &Problem| p.network().weights(p.theta0().as_slice());
        let (on, off) = (weights(&level), weights(&free));
        let last = on.len() - 1;
        assert_eq!(on[..last], off[..last]);
        assert_ne!(on[last], off[last]);
        let b = level.rule().signals().last().unwrap();
        for j in 0..5 {
            let incoming: f64 = on[last - 1].column(j).iter().map(|w| w * w).sum();
            let difference = b[j] * on[last][j] - 0.5 * incoming;
            assert!(
                difference.abs() < 1e-15 * incoming,
                "{rule} {j}: {difference}"
            );
        }
    }
}

/// Gradient descent moves if a single layer is zero, whichever it is, and from preactivations that are exactly zero.
#[test]
fn one_zero_layer_moves() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("x.csv", "1,2\n3,-4\n");
    write("y.csv", "1\n-1\n");
    write("zero.csv", "0,0\n0,0\n");
    write("units.csv", "1,2\n3,4\n");
    write("output.csv", "1\n-1\n");
    write("nothing.csv", "0\n0\n");
    let path = folder.path().join("s.toml");
    for (files, moves) in [
        (["zero.csv", "units.csv", "output.csv"], true),
        (["units.csv", "zero.csv", "output.csv"], true),
        (["units.csv", "units.csv", "nothing.csv"], true),
        (["zero.csv", "units.csv", "nothing.csv"], false),
        (["zero.csv", "zero.csv", "output.csv"], false),
    ] {
        let text = format!(
            "rule = \"gradient-descent\"\ndataset.files = {{ samples = \"x.csv\", labels = \"y.csv\" }}\n\
             network.relu.hidden = [2, 2]\ninitial.files = {files:?}\nflow.until.time = 10.0\n"
        );
        std::fs::write(&path, text).unwrap();
        let built = load(&path, &[]).unwrap().build();
        assert_eq!(built.is_ok(), moves, "{files:?}");
        // The check agrees with the vector field at these weights.
        let names = files.map(|name| crate::dataset::read_matrix(&folder.path().join(name)));
        let theta: Vec<f64> = names
            .into_iter()
            .flat_map(|w| w.unwrap().as_slice().to_vec())
            .collect();
        let data = Dataset::new(dmatrix![1.0, 2.0; 3.0, -4.0], dvector![1.0, -1.0]);
        let network = Network::new(Relu::new(2, &[2, 2], 0.0));
        let kernel = network.kernel(Rule::gradient_descent().signals(), &data);
        let mut velocity = vec![0.0; theta.len()];
        kernel.velocity(&theta, &[0.7, 0.4], &mut velocity, &mut [0.0; 2]);
        assert_eq!(velocity.iter().any(|&v| v != 0.0), moves, "{files:?}");
    }
}
