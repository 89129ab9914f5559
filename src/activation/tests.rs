//! Every activation of the registry against differences of its own values, and the registry against itself.

use super::*;
use nalgebra::{DVector, dvector};

/// g of a unit with weights w on inputs h.
fn value(g: Activation, w: &DVector<f64>, h: &DVector<f64>) -> f64 {
    g.value(argument(g, w, h))
}

fn argument(g: Activation, w: &DVector<f64>, h: &DVector<f64>) -> Argument {
    let preactivation = w.dot(h);
    Argument {
        preactivation,
        root: g.root(preactivation, w.norm() * h.norm()),
        weights: w.norm_squared(),
        inputs: h.norm_squared(),
    }
}

/// Pairs (w, h) on either side of the kink, near and far.
fn pairs() -> [(DVector<f64>, DVector<f64>); 4] {
    let w = dvector![0.7, -1.2, 0.4];
    [
        (w.clone(), dvector![1.5, 0.3, -0.8]),
        (w.clone(), dvector![-0.2, 0.9, 0.1]),
        (w.clone(), dvector![0.5, 0.3, 0.2]),
        (w * 30.0, dvector![-0.1, 0.2, 0.6]),
    ]
}

fn slope(x: &DVector<f64>, f: impl Fn(&DVector<f64>) -> DVector<f64>) -> DMatrix<f64> {
    let columns: Vec<DVector<f64>> = (0..x.len())
        .map(|i| {
            let at = |step: f64| {
                let mut moved = x.clone();
                moved[i] += step;
                f(&moved)
            };
            let h = 1e-4;
            (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h)
        })
        .collect();
    DMatrix::from_columns(&columns)
}

fn of_weights(g: Activation, w: &DVector<f64>, h: &DVector<f64>) -> DVector<f64> {
    let at = argument(g, w, h);
    h * g.gate(at) + w * g.of_weights(at)
}

fn of_inputs(g: Activation, w: &DVector<f64>, h: &DVector<f64>) -> DVector<f64> {
    let at = argument(g, w, h);
    w * g.gate(at) + h * g.of_inputs(at)
}

#[test]
fn slopes_and_curvature_are_those_of_the_values() {
    for g in examples_of_layers() {
        for (w, h) in pairs() {
            let at = argument(g, &w, &h);
            let single = |x: f64| dvector![x];
            let by_weights = slope(&w, |w| single(value(g, w, &h))).transpose();
            assert!((by_weights - of_weights(g, &w, &h)).norm() < 1e-9, "{g:?}");
            let by_inputs = slope(&h, |h| single(value(g, &w, h))).transpose();
            let scale = 1.0 + w.norm();
            assert!(
                (by_inputs - of_inputs(g, &w, &h)).norm() < 1e-9 * scale,
                "{g:?}"
            );

            // ∇²_w g, and its bound
            let second = slope(&w, |w| of_weights(g, w, &h));
            let mut found = DMatrix::zeros(3, 3);
            let vectors = (&h.as_view(), &w.as_view());
            let isotropic = g.add_curvature(at, 2.0, vectors, &mut found);
            found += DMatrix::identity(3, 3) * isotropic;
            let error = (&found / 2.0 - &second).norm();
            assert!(error < 1e-8 * (1.0 + second.norm()), "{g:?}: {error:e}");
            let norm = second.symmetric_eigenvalues().amax();
            assert!(norm <= g.curvature_bound(at) + 1e-9, "{g:?}: {norm}");
            // a power of the ReLU is flat where it is inactive
            assert!(g.curved() || norm < 1e-9, "{g:?}");
            assert!(!g.curved() || norm > 1e-9 || g.value(at) == 0.0, "{g:?}");

            // along a direction of w and h
            let (dw, dh) = (dvector![0.3, -0.4, 0.9], dvector![0.2, 0.5, -0.7]);
            let along = Direction {
                preactivation: dw.dot(&h) + w.dot(&dh),
                weights: w.dot(&dw),
                inputs: h.dot(&dh),
            };
            let turn = g.turn(at, along);
            let expected = slope(&dvector![0.0], |t| {
                let at = argument(g, &(&w + &dw * t[0]), &(&h + &dh * t[0]));
                dvector![g.gate(at), g.of_weights(at), g.of_inputs(at)]
            });
            let turn = dvector![turn.gate, turn.of_weights, turn.of_inputs];
            let error = (turn - expected.column(0)).norm();
            assert!(error < 1e-8 * (1.0 + expected.norm()), "{g:?}: {error:e}");
        }
    }
}

#[test]
fn degrees_are_those_of_the_values() {
    for g in examples_of_layers() {
        for (w, h) in pairs() {
            let (once, scale) = (value(g, &w, &h), 3f64.powi(g.degree() as i32));
            for scaled in [value(g, &(&w * 3.0), &h), value(g, &w, &(&h * 3.0))] {
                assert!(
                    (scaled - scale * once).abs() <= 1e-14 * scale * once.abs(),
                    "{g:?}"
                );
            }
        }
    }
}

#[test]
fn gates_are_one_at_zero_and_on_either_side_those_of_the_kink() {
    for g in examples_of_layers() {
        let zero = argument(g, &dvector![0.0], &dvector![2.0]);
        let gate = if g.degree() == 1 { 1.0 } else { 0.0 };
        assert_eq!((g.value(zero), g.gate(zero)), (0.0, gate), "{g:?}");
        assert_eq!((g.of_weights(zero), g.of_inputs(zero)), (0.0, 0.0), "{g:?}");
        let Some(kink) = g.kink() else {
            assert_eq!(g.rounded(0.2), g, "{g:?}");
            continue;
        };
        assert!(
            g.rounded(0.2).kink().is_none() && g.rounded(0.2).softness() == 0.2,
            "{g:?}"
        );
        assert!(kink.inactive < kink.active && g.softness() == 0.0, "{g:?}");
        for a in [-2.5, -1e-300, 1e-300, 4.0] {
            let gate = kink.gate(a > 0.0);
            let at = Argument::of(a);
            assert_eq!((g.value(at), g.gate(at)), (gate * a, gate), "{g:?}");
        }
    }
}

/// Column-wise values used by steps, compared with the values one by one.
#[test]
fn columns_are_made_of_single_pairs() {
    for g in examples_of_layers() {
        let w = dvector![0.7, -1.2, 0.4];
        let samples: Vec<DVector<f64>> = pairs().into_iter().map(|(_, h)| h).collect();
        let arguments: Vec<Argument> = samples.iter().map(|h| argument(g, &w, h)).collect();
        let mut outputs: Vec<f64> = arguments.iter().map(|at| at.preactivation).collect();
        let mut gates = vec![f64::NAN; samples.len()];
        if g.curved() {
            let inputs: Vec<f64> = arguments.iter().map(|at| at.inputs).collect();
            let mut inverse_roots = vec![f64::NAN; samples.len()];
            g.bend(Row {
                outputs: &mut outputs,
                gates: &mut gates,
                inverse_roots: &mut inverse_roots,
                weights: w.norm_squared(),
                inputs: &inputs,
            });
            for (inverse, at) in inverse_roots.iter().zip(&arguments) {
                assert!((inverse * at.root - 1.0).abs() < 1e-14, "{g:?}");
            }
        } else {
            g.cut(&mut outputs, &mut gates);
        }
        for ((output, gate), at) in outputs.iter().zip(&gates).zip(arguments) {
            assert!((output - g.value(at)).abs() < 1e-14, "{g:?}");
            assert!((gate - g.gate(at)).abs() < 1e-14, "{g:?}");
        }
    }
}

#[test]
fn parameters_have_ranges_and_zero_is_the_relu() {
    assert_eq!(ACTIVATIONS[0].name, "relu");
    for parameter in parameters() {
        assert_eq!(parameter.activation(0.0), Ok(ExactRelu.into()));
        assert_eq!(parameter.activation(-0.0), Ok(ExactRelu.into()));
        let least = parameter.activation(f64::MIN_POSITIVE).unwrap();
        assert_ne!(least, ExactRelu.into());
        let bound = parameter.activation(parameter.bound);
        assert_eq!(bound.is_ok(), parameter.bound_included, "{parameter:?}");
        for value in [-1e-300, -1.0, f64::INFINITY, f64::NAN] {
            let error = parameter.activation(value).unwrap_err();
            assert!(error.expected.starts_with(parameter.noun), "{error}");
        }
    }
    let mut names: Vec<&str> = (examples().iter().chain(&examples_of_layers()))
        .map(|a| a.name())
        .collect();
    let mut registered: Vec<&str> = ACTIVATIONS.iter().map(|a| a.name).collect();
    names.sort_unstable();
    registered.sort_unstable();
    names.dedup();
    assert_eq!(names, registered);
    assert!(
        examples()
            .iter()
            .skip(1)
            .all(|a| !a.description().is_empty())
    );
}
