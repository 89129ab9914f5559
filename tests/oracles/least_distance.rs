//! The limit on the real data sets against an independent solution of the SVM: least-distance programming.
//!
//! min ‖x‖ s.t. Gx ≥ 1 is solved by one non-negative least-squares problem (Lawson and Hanson): with u ≥ 0 minimising
//! ‖(Gᵀ; 1ᵀ) u − e_{D+1}‖ and r its residual, x = −(r_1 … r_D)/r_{D+1}.

use marginflow::limit::{Certifier, Potential, Separability, angle, max_margin, minimise};
use marginflow::scenario;
use marginflow::spectrum::Basis;
use nalgebra::{DMatrix, DVector};
use std::path::Path;

fn least_distance(g: &DMatrix<f64>) -> DVector<f64> {
    let (n, d) = (g.nrows(), g.ncols());
    let e =
        ndarray::Array2::from_shape_fn((d + 1, n), |(i, j)| if i < d { g[(j, i)] } else { 1.0 });
    let f = ndarray::Array1::from_shape_fn(d + 1, |i| f64::from(u8::from(i == d)));
    let (u, _) = nnls::nnls(e.view(), f.view());
    let r = e.dot(&u) - f;
    DVector::from_fn(d, |i, _| -r[i] / r[d])
}

#[test]
fn real_data_agree_with_least_distance_programming() {
    for name in ["iris-dfa", "digits01-dfa", "fc-dfa", "fc-dfa-random-init"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
        let problem = scenario::load(&path, &[]).unwrap().build().unwrap();
        let g = problem.dataset().signed_samples();
        let Separability::Separable(limit) = max_margin(g) else {
            panic!("{name} is separable")
        };
        let reference = least_distance(g);
        let between = angle(limit.beta.as_slice(), reference.as_slice());
        assert!(between <= 1e-8, "{name}: {between:.1e}");
        assert!((g * &limit.beta).min() >= 1.0 - 1e-12, "{name}");
        assert!(limit.duality_gap.unwrap() <= 1e-12, "{name}");
        println!("{name}: {between:.1e} rad");
    }
}

#[test]
fn every_potential_is_certified_on_the_digits() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/digits01-dfa.toml");
    let problem = scenario::load(&path, &[]).unwrap().build().unwrap();
    let g = problem.dataset().signed_samples();
    let frequencies = Basis::Fourier.frequencies(g.ncols()).len();
    // Uneven weights over two decades.
    let weights: Vec<f64> = (0..frequencies)
        .map(|d| 10f64.powf((1.7 * d as f64).sin()))
        .collect();
    for p in [4.0 / 3.0, 8.0 / 7.0, 1.0, 3.0] {
        let potential = Potential::spectral(Basis::Fourier, g.ncols(), p, &weights);
        let clock = std::time::Instant::now();
        let Separability::Separable(limit) = minimise(g, &potential) else {
            panic!("the digits are separable")
        };
        println!("p = {p}: {} in {:?}", limit.proof(), clock.elapsed());
        assert!(limit.duality_gap.unwrap() <= 1e-12);
        let mut certifier = Certifier::new(g, &potential);
        let own = certifier.best_multipliers(&limit.beta);
        assert!(
            certifier.duality_gap(&limit.beta, &own).unwrap() <= 1e-12,
            "p = {p}"
        );
    }
}
