//! The independent integrator that flows of whole networks are held against.

use nalgebra::DMatrix;

/// The weights at τ = ln(1+t) from `w` at zero under `dw/dt = velocity(w)`, by that many steps of the classical
/// Runge–Kutta method in τ.
pub fn in_log_time(
    mut w: Vec<DMatrix<f64>>,
    (tau, steps): (f64, usize),
    velocity: impl Fn(&[DMatrix<f64>]) -> Vec<DMatrix<f64>>,
) -> Vec<DMatrix<f64>> {
    let h = tau / steps as f64;
    let rates = |w: &[DMatrix<f64>], at: f64| -> Vec<DMatrix<f64>> {
        let velocity = velocity(w).into_iter();
        velocity.map(|v| v * at.exp()).collect()
    };
    let moved = |w: &[DMatrix<f64>], v: &[DMatrix<f64>], h: f64| -> Vec<DMatrix<f64>> {
        w.iter().zip(v).map(|(w, v)| w + v * h).collect()
    };
    for step in 0..steps {
        let at = step as f64 * h;
        let k1 = rates(&w, at);
        let k2 = rates(&moved(&w, &k1, h / 2.0), at + h / 2.0);
        let k3 = rates(&moved(&w, &k2, h / 2.0), at + h / 2.0);
        let k4 = rates(&moved(&w, &k3, h), at + h);
        for (l, w_l) in w.iter_mut().enumerate() {
            *w_l += (&k1[l] + &k2[l] * 2.0 + &k3[l] * 2.0 + &k4[l]) * (h / 6.0);
        }
    }
    w
}
