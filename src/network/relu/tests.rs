//! Pieces of the exact flow against closed forms, and their derivatives against differences.

use super::*;
use crate::activation::{examples, parameters};
use crate::network::tests::{assert_close, gaussian, random_data, velocity};
use crate::network::{Architecture, Kernel, Network, Pieces};
use crate::rule::Rule;
use nalgebra::{dmatrix, dvector};

/// A network of two layers under DFA with unit weights `w` and feedback `b`, output weights one.
fn two_layers(x: DMatrix<f64>, y: DVector<f64>, b: DVector<f64>) -> Arc<dyn Kernel> {
    let network = Relu::new(x.ncols(), &[b.len()], 0.0);
    let rule = Rule::direct_feedback_alignment(vec![b]);
    network.kernel(rule.signals(), &Dataset::new(x, y))
}

fn pieces(kernel: &Arc<dyn Kernel>) -> &dyn Pieces {
    kernel.pieces().expect("exact kinks")
}

#[test]
fn gates_are_one_at_zero_and_the_smoothed_activation_tends_to_the_exact_one() {
    let data = random_data(6, 3);
    for hidden in [&[4][..], &[4, 3]] {
        let exact = Relu::new(3, hidden, 0.0);
        let theta = gaussian(3, Network::new(exact.clone()).parameters());
        let reference = exact.outputs(&theta, data.samples());
        let distance = |epsilon: f64| {
            let smoothed = Relu::new(3, hidden, epsilon);
            (smoothed.outputs(&theta, data.samples()) - &reference).norm()
        };
        // away from the kinks the error is of second order
        let order = (distance(1e-3) / distance(1e-4)).log10();
        assert!((order - 2.0).abs() < 0.1, "{order}");
        // homogeneous of degree L
        let double: Vec<f64> = theta.iter().map(|w| 2.0 * w).collect();
        let smoothed = Relu::new(3, hidden, 0.2);
        let ratio = smoothed
            .outputs(&double, data.samples())
            .component_div(&smoothed.outputs(&theta, data.samples()));
        let degree = 2f64.powi(hidden.len() as i32 + 1);
        assert!((ratio.add_scalar(-degree)).amax() < 1e-12);
    }
    // w = 0: w' = b Σ α y x, all gates one
    for activation in examples() {
        let network = Relu::with(3, &[2], activation);
        let rule = Rule::direct_feedback_alignment(vec![dvector![2.0, -1.0]]);
        let kernel = network.kernel(rule.signals(), &data);
        let (v, _) = velocity(&*kernel, &[0.0; 8], &[1.0; 6]);
        let z = data.signed_samples().row_sum().transpose();
        assert_close(&v[..3], (&z * 2.0).as_slice(), 1e-14, "first unit");
        assert_close(&v[3..6], (-z).as_slice(), 1e-14, "second unit");
    }
}

/// Two samples push a unit of the opposite sign onto their boundaries; if they hold it there, its velocity is the
/// projection of the free one, and the gates are the multipliers of that projection.
#[test]
fn sliding_is_a_projection_with_gates_between_zero_and_one() {
    // the unit (b = 1) is driven by sample 0 towards samples 1 and 2, which have the other label
    let x = dmatrix![1.0, 1.0, 1.0; 0.0, 1.0, 0.2; 0.0, 0.3, 1.0];
    let y = dvector![1.0, -1.0, -1.0];
    let kernel = two_layers(x.clone(), y, dvector![1.0]);
    let alpha = [1.0, 3.0, 2.5];
    // on both boundaries: w orthogonal to samples 1 and 2
    let mut theta = vec![1.0, 0.0, 0.0, 0.5];
    let entered = pieces(&kernel).enter(&mut theta, &alpha).unwrap();
    assert_eq!(entered.kinks.slides, 2);
    let slides: Vec<usize> = entered.kinks.sliding.iter().map(|p| p.sample).collect();
    assert_eq!(slides, [1, 2]);
    let (v, _) = velocity(&*entered.kernel, &theta, &alpha);
    // P⊥ x_0 with samples 1 and 2 spanning the second and third axis
    assert_close(&v[..3], &[1.0, 0.0, 0.0], 1e-14, "projection");
    assert!(pieces(&entered.kernel).clearance(&theta, &alpha) > 0.0);
    // gates: x_0 = 1·e_0 + g_1 α_1 x_1 + g_2 α_2 x_2 in the plane of samples 1 and 2
    let plane = dmatrix![1.0, 0.2; 0.3, 1.0].transpose();
    let gates = plane.lu().solve(&dvector![1.0, 1.0]).unwrap();
    let expected = [gates[0] / 3.0, gates[1] / 2.5];
    assert!(expected.iter().all(|g| (0.0..1.0).contains(g)));
    // a multiplier so small that its gate would have to exceed one releases its sample
    let weak = [1.0, 3.0, 0.5 * gates[1]];
    assert!(pieces(&entered.kernel).clearance(&theta, &weak) < 0.0);
    let mut there = theta.clone();
    let released = pieces(&entered.kernel).enter(&mut there, &weak).unwrap();
    assert_eq!(
        (released.kinks.releases, released.kinks.sliding.len()),
        (1, 1)
    );
    let (v, _) = velocity(&*released.kernel, &there, &weak);
    assert!(v[2] > 0.0, "it is active now, and a' > 0: {v:?}");
}

/// A sample of the unit's own sign cannot hold it: the unit crosses.
#[test]
fn pairs_of_the_same_sign_cross() {
    let x = dmatrix![1.0, 0.0; 0.5, 1.0];
    for (other, active) in [(1.0, true), (-1.0, false)] {
        // sample 1 has the label of the unit; sample 0 drives the unit across its boundary, either way
        let kernel = two_layers(x.clone(), dvector![other, 1.0], dvector![1.0]);
        let mut theta = vec![1.0, -0.5, 0.5];
        let before = if active { 1e-15 } else { -1e-15 };
        theta[1] -= before;
        let entered = pieces(&kernel).enter(&mut theta, &[4.0, 1.0]).unwrap();
        assert!(entered.kinks.sliding.is_empty());
        let (v, _) = velocity(&*entered.kernel, &theta, &[4.0, 1.0]);
        let rate = 0.5 * v[0] + v[1];
        assert_eq!(rate > 0.0, active, "{v:?}");
        let gate = f64::from(u8::from(active));
        assert_close(&v[..2], &[4.0 * other + 0.5 * gate, gate], 1e-14, "gates");
    }
}

/// Kernel of a piece, θ, multipliers, and what it is.
type Case = (Arc<dyn Kernel>, Vec<f64>, Vec<f64>, String);

/// Pieces with sliding pairs in every layer, entered from weights moved onto kinks.
pub(super) fn pieces_with_sliding() -> Vec<Case> {
    let mut found = Vec::new();
    let kinked = examples().into_iter().filter(|g| g.kink().is_some());
    let networks = kinked.flat_map(|g| [&[6][..], &[6, 5]].map(|h| (h, Relu::with(4, h, g))));
    for (hidden, network) in networks {
        let shapes = network.shapes().to_vec();
        let parameters: usize = shapes.iter().map(|(r, c)| r * c).sum();
        for seed in 0..12 {
            for rule in [
                crate::network::tests::random_feedback(&Network::new(network.clone())),
                Rule::gradient_descent(),
            ] {
                let data = random_data(7, 4);
                let kernel = network.kernel(rule.signals(), &data);
                let mut theta = gaussian(50 + seed, parameters);
                let alpha: Vec<f64> = gaussian(80 + seed, 7).iter().map(|x| x.exp()).collect();
                // every unit onto the boundary of one sample
                let mut start = 0;
                for (l, &(inputs, units)) in shapes[..hidden.len()].iter().enumerate() {
                    let h = network.activations(&theta, data.samples()).swap_remove(l);
                    for j in 0..units {
                        let h = h.column((j + seed as usize) % 7);
                        let w = &mut theta[start + j * inputs..start + (j + 1) * inputs];
                        let a: f64 = w.iter().zip(h.iter()).map(|(w, h)| w * h).sum();
                        let size = h.norm_squared();
                        if size > 0.0 {
                            w.iter_mut()
                                .zip(h.iter())
                                .for_each(|(w, h)| *w -= a / size * h);
                        }
                    }
                    start += inputs * units;
                }
                let entered = pieces(&kernel).enter(&mut theta, &alpha).unwrap();
                let name = format!(
                    "{:?} {hidden:?} {} seed {seed}",
                    network.activation(),
                    rule.key()
                );
                if !entered.kinks.sliding.is_empty() {
                    found.push((entered.kernel, theta, alpha, name));
                }
            }
        }
    }
    assert!(found.len() > 24, "{}", found.len());
    found
}

#[test]
fn sliding_pairs_stay_on_their_kinks() {
    for (kernel, theta, alpha, name) in pieces_with_sliding() {
        assert!(pieces(&kernel).clearance(&theta, &alpha) > 0.0, "{name}");
        // along the velocity the state stays inside for a while, and slides
        let (v, _) = velocity(&*kernel, &theta, &alpha);
        let h = 1e-9 / v.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let moved: Vec<f64> = theta.iter().zip(&v).map(|(x, v)| x + h * v).collect();
        assert!(pieces(&kernel).clearance(&moved, &alpha) > 0.0, "{name}");
        let mut there = moved.clone();
        let again = pieces(&kernel).enter(&mut there, &alpha).unwrap();
        let same = [
            again.kinks.crossings,
            again.kinks.slides,
            again.kinks.releases,
        ];
        assert_eq!(same, [0; 3], "{name}");
    }
}

#[test]
fn tangents_of_pieces_match_differences() {
    for (kernel, theta, alpha, name) in pieces_with_sliding() {
        let (d_theta, d_alpha) = (gaussian(11, theta.len()), gaussian(12, alpha.len()));
        let t = kernel.tangent(&theta, &alpha, &d_theta, &d_alpha);
        let at = |k: f64| {
            let shift = |x: &[f64], d: &[f64]| -> Vec<f64> {
                x.iter().zip(d).map(|(x, d)| x + k * d).collect()
            };
            velocity(&*kernel, &shift(&theta, &d_theta), &shift(&alpha, &d_alpha))
        };
        let h = 1e-5;
        let (plus, minus) = (at(h), at(-h));
        let difference = |a: &[f64], b: &[f64]| -> Vec<f64> {
            a.iter().zip(b).map(|(a, b)| (a - b) / (2.0 * h)).collect()
        };
        assert_close(&t.velocity, &difference(&plus.0, &minus.0), 1e-6, &name);
        assert_close(
            t.rates.as_slice(),
            &difference(&plus.1, &minus.1),
            1e-6,
            &name,
        );
    }
}

/// A unit of the second layer sees two samples through one unit of the first, and so on the same kink: one gate for
/// both, which feedback alignment sends down.
#[test]
fn samples_on_one_kink_have_one_gate() {
    let x = dmatrix![1.0, 0.3; 2.0, -0.5; 1.0, 1.0];
    let data = Dataset::new(x.clone(), dvector![-1.0, -1.0, 1.0]);
    let network = Relu::new(2, &[2, 1], 0.0);
    let rule = Rule::feedback_alignment(vec![dmatrix![0.7; -0.4], dmatrix![1.0]]);
    let kernel = network.kernel(rule.signals(), &data);
    // the second unit of the first layer sees the third sample only
    let mut theta = vec![1.0, 0.0, -1.0, 3.0, 0.0, 1.0, 0.5];
    let alpha = [1.0, 0.8, 1.0];
    let entered = pieces(&kernel).enter(&mut theta, &alpha).unwrap();
    assert_eq!(entered.kinks.sliding.len(), 2);
    let (v, _) = velocity(&*entered.kernel, &theta, &alpha);
    // the third sample opens the unit at the rate 1, the others close it at g (1 + 2 · 0.8)
    let g = 1.0 / 2.6;
    let down = [-g, -0.8 * g, 1.0];
    let of_first = |d: usize| 0.7 * (0..3).map(|n| down[n] * x[(n, d)]).sum::<f64>();
    let expected = [of_first(0), of_first(1), -0.4, -0.4, 0.0, 2.0, 2.0];
    assert_close(&v, &expected, 1e-13, "velocity");
    assert!(pieces(&entered.kernel).clearance(&theta, &alpha) > 0.0);
    // and goes on to do so
    let (d_theta, d_alpha) = (gaussian(11, theta.len()), gaussian(12, 3));
    let t = (entered.kernel).tangent(&theta, &alpha, &d_theta, &d_alpha);
    let at = |k: f64| {
        let shift = |x: &[f64], d: &[f64]| -> Vec<f64> {
            x.iter().zip(d).map(|(x, d)| x + k * d).collect()
        };
        velocity(
            &*entered.kernel,
            &shift(&theta, &d_theta),
            &shift(&alpha, &d_alpha),
        )
        .0
    };
    let (plus, minus) = (at(1e-5), at(-1e-5));
    let differences: Vec<f64> = (plus.iter().zip(&minus))
        .map(|(a, b)| (a - b) / 2e-5)
        .collect();
    assert_close(&t.velocity, &differences, 1e-6, "tangent");
    // the unit crosses as soon as the third sample pulls harder than the others push
    let crosses = pieces(&entered.kernel)
        .enter(&mut theta, &[1.0, 0.8, 3.0])
        .unwrap();
    assert_eq!(
        (crosses.kinks.sliding.len(), crosses.kinks.releases),
        (0, 2)
    );
}

/// The tangent kernel from Gram matrices against margin rates under single multipliers.
#[test]
fn tangent_kernels_are_margin_rates_under_single_multipliers() {
    let mut cases = pieces_with_sliding();
    for activation in examples() {
        let network = Network::new(Relu::with(4, &[5, 3], activation));
        for rule in [
            crate::network::tests::random_feedback(&network),
            Rule::gradient_descent(),
        ] {
            let kernel = network.kernel(rule.signals(), &random_data(7, 4));
            let theta = gaussian(7, kernel.parameters());
            cases.push((kernel, theta, vec![1.0; 7], format!("{activation:?}")));
        }
    }
    for (kernel, theta, _, name) in cases {
        let found = kernel.tangent_kernel(&theta, &[4, 1]);
        for (column, m) in found.column_iter().zip([4, 1]) {
            let mut unit = vec![0.0; 7];
            unit[m] = 1.0;
            let (_, rates) = velocity(&*kernel, &theta, &unit);
            assert_close(column.as_slice(), &rates, 1e-11, &name);
        }
    }
}

/// A unit that reaches zero leaves along its velocity with all gates one; after some returns it rests.
#[test]
fn units_leave_zero_and_come_to_rest() {
    let x = dmatrix![1.0, 0.0; 0.0, 1.0];
    let kernel = two_layers(x, dvector![1.0, -1.0], dvector![1.0]);
    let alpha = [2.0, 1.0];
    let mut theta = vec![0.0, 0.0, 0.0];
    let entered = pieces(&kernel).enter(&mut theta, &alpha).unwrap();
    assert_eq!(entered.kinks.departures, 1);
    let size = theta[0].hypot(theta[1]);
    assert!(size > 0.0 && size < 1e-7);
    assert!(
        (theta[0] / size - 2.0 / 5f64.sqrt()).abs() < 1e-12,
        "along b Σ α y x"
    );
    let mut kernel = entered.kernel;
    for _ in 0..2 {
        theta[..2].fill(0.0);
        kernel = pieces(&kernel).enter(&mut theta, &alpha).unwrap().kernel;
    }
    theta[..2].fill(0.0);
    let rests = pieces(&kernel).enter(&mut theta, &alpha).unwrap();
    assert_eq!((rests.kinks.departures, &theta[..2]), (0, &[0.0, 0.0][..]));
    let (v, _) = velocity(&*rests.kernel, &theta, &alpha);
    assert_eq!(v, [0.0; 3]);
    assert_eq!(rests.kernel.idle(), [0, 1]);
}

/// One unit with feedback and output weight one, κ its slope where it is inactive.
fn leaky(x: DMatrix<f64>, y: DVector<f64>, slope: f64) -> Arc<dyn Kernel> {
    let mut found = parameters().filter(|parameter| parameter.key == "negative-slope");
    let activation = found.next().unwrap().activation(slope).unwrap();
    let network = Relu::with(x.ncols(), &[1], activation);
    let rule = Rule::direct_feedback_alignment(vec![dvector![1.0]]);
    network.kernel(rule.signals(), &Dataset::new(x, y))
}

/// Where inactive units have a slope κ, two samples that would hold a ReLU unit release it unless the gates required
/// are at least κ.
#[test]
fn gates_of_leaky_units_slide_between_their_slopes() {
    let x = dmatrix![1.0, 1.0, 1.0; 0.0, 1.0, 0.2; 0.0, 0.3, 1.0];
    let y = dvector![1.0, -1.0, -1.0];
    let plane = dmatrix![1.0, 0.2; 0.3, 1.0].transpose();
    let forces = plane.lu().solve(&dvector![1.0, 1.0]).unwrap();
    for (slope, slides) in [(0.2, 2), (0.5, 0)] {
        let kernel = leaky(x.clone(), y.clone(), slope);
        let alpha = [1.0, 3.0, 2.5];
        // gates of 0.25 and 0.3 or so: inside [0.2, 1], outside [0.5, 1]
        let gates = [forces[0] / 3.0, forces[1] / 2.5];
        assert!(gates.iter().all(|g| (0.2..0.5).contains(g)), "{gates:?}");
        let mut theta = vec![1.0, 0.0, 0.0, 0.5];
        let entered = pieces(&kernel).enter(&mut theta, &alpha).unwrap();
        assert_eq!(entered.kinks.sliding.len(), slides);
        let (v, _) = velocity(&*entered.kernel, &theta, &alpha);
        let expected = match slides {
            2 => [1.0, 0.0, 0.0],
            // the unit is now inactive on both samples
            _ => [1.0, 1.0 - 0.5 * (3.0 + 0.75), 1.0 - 0.5 * (0.6 + 2.5)],
        };
        assert_close(&v[..3], &expected, 1e-14, "velocity");
        assert!(pieces(&entered.kernel).clearance(&theta, &alpha) > 0.0);
    }
}

/// A leaky unit at zero weights rests while zero is among its velocities, and otherwise leaves along the shortest one.
#[test]
fn leaky_units_rest_at_zero_only_while_they_can() {
    let x = dmatrix![1.0, 0.0; -1.0, 0.0];
    let kernel = leaky(x, dvector![-1.0, -1.0], 0.1);
    let mut theta = vec![0.0, 0.0, 0.0];
    let entered = pieces(&kernel).enter(&mut theta, &[2.0, 1.0]).unwrap();
    assert_eq!(entered.kinks.departures, 1);
    // at zero again: -2 g_1 + g_2 = 0 with gates in [0.1, 1]
    theta[..2].fill(0.0);
    let rests = pieces(&entered.kernel)
        .enter(&mut theta, &[2.0, 1.0])
        .unwrap();
    assert_eq!((rests.kinks.departures, &theta[..2]), (0, &[0.0, 0.0][..]));
    let (v, _) = velocity(&*rests.kernel, &theta, &[2.0, 1.0]);
    assert_eq!(&v[..2], [0.0, 0.0]);
    let pieces_at_rest = pieces(&rests.kernel);
    assert!(pieces_at_rest.clearance(&theta, &[2.0, 1.0]) > 0.0);
    // no longer at rest once the second sample has less than a tenth of the weight of the first
    let weak = [2.0, 0.15];
    assert!(pieces_at_rest.clearance(&theta, &weak) < 0.0);
    let state = pieces_at_rest.state();
    let restored = pieces_at_rest.restored(&state).expect("a state of its own");
    let leaves = pieces(&restored).enter(&mut theta, &weak).unwrap();
    assert_eq!(leaves.kinks.departures, 1);
    assert!(theta[0] < 0.0, "{theta:?}");
    // at the speed of the shortest velocity, -2 · 0.1 + 0.15
    let (v, _) = velocity(&*leaves.kernel, &theta, &weak);
    assert!((v[0] + 0.05).abs() < 1e-12, "{v:?}");
}
