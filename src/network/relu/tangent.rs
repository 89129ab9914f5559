//! Directional derivatives of the passes: forward mode through the formulas of [`passes`](super::passes), line by line.
//!
//! Sliding sets stay where they are: the derivative of the forces is what keeps `a' = 0` on them.

use super::Signals;
use super::passes::{
    Curve, Forces, Forward, Motion, column_products, over_units, scale_columns, scale_rows,
};
use crate::network::{View, views};
use nalgebra::{DMatrix, DVector};

/// Directional derivative of a [`Motion`].
pub(super) struct Change {
    pub velocity: Vec<DMatrix<f64>>,
    /// Of the outputs f, length N.
    pub outputs: DVector<f64>,
    pub output_rates: DVector<f64>,
    a_dot: Vec<DMatrix<f64>>,
}

impl Forward<'_> {
    /// Derivative of `motion` along `(dθ, dα)`, sliding sets staying where they are.
    pub fn change(
        &self,
        motion: &Motion,
        forces: Option<&Forces>,
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Change {
        let y = &self.setting.labels;
        let dw = views(&self.setting.shapes, d_theta);
        let d_output = DMatrix::from_fn(1, y.len(), |_, n| y[n] * d_multipliers[n]);
        let turned = self.turned(&dw);
        let Some(forces) = forces else {
            return self.change_with(motion, &dw, &turned, &d_output, &DVector::zeros(0));
        };
        let none = DVector::zeros(forces.count);
        let free = self.change_with(motion, &dw, &turned, &d_output, &none);
        let nu = forces.matrix.solve(&self.on_sliding(&free.a_dot)) * -1.0;
        self.change_with(motion, &dw, &turned, &d_output, &nu.column(0).into_owned())
    }

    /// Derivative of the forward pass along dθ.
    fn turned(&self, dw: &[View<'_>]) -> Turned {
        let mut turned = Turned {
            h: vec![DMatrix::zeros(self.h[0].nrows(), self.h[0].ncols())],
            curves: Vec::new(),
        };
        for (l, dw) in dw.iter().enumerate().take(self.hidden()) {
            let mut a = dw.transpose() * &self.h[l];
            if l > 0 {
                a += self.w[l].transpose() * &turned.h[l];
            }
            let mut h = a.component_mul(&self.gates[l]);
            if let Some(curve) = self.curves.get(l) {
                let widths = column_products(&self.w[l].clone_owned(), &dw.clone_owned());
                let sizes = column_products(&self.h[l], &turned.h[l]);
                h += scale_rows(curve.kappa.clone(), &widths);
                h += scale_columns(curve.mu.clone(), &sizes);
                turned.curves.push(TurnedCurve::new(
                    self.setting.smoothing,
                    curve,
                    &self.a[l],
                    &a,
                    widths,
                    sizes,
                ));
            }
            turned.h.push(h);
        }
        turned
    }

    fn change_with(
        &self,
        motion: &Motion,
        dw: &[View<'_>],
        turned: &Turned,
        d_output: &DMatrix<f64>,
        d_forces: &DVector<f64>,
    ) -> Change {
        let hidden = self.hidden();
        let mut d_signals: Vec<DMatrix<f64>> = Vec::with_capacity(hidden);
        let mut d_errors: Vec<DMatrix<f64>> = Vec::with_capacity(hidden);
        for l in (0..hidden).rev() {
            let d_above = d_errors.last().unwrap_or(d_output);
            let above = motion.errors.get(l + 1).unwrap_or(&motion.output);
            let ds = match &self.setting.signals {
                Signals::Backward => {
                    let mut ds = self.w[l + 1] * d_above + dw[l + 1] * above;
                    if let (Some(curve), Some(d_curve), Some(ds_above)) = (
                        self.curves.get(l + 1),
                        turned.curves.get(l + 1),
                        d_signals.last(),
                    ) {
                        let s_above = &motion.signals[l + 1];
                        let through = over_units(&curve.mu.component_mul(s_above));
                        let d_through = over_units(&curve.mu.component_mul(ds_above))
                            + over_units(&d_curve.mu.component_mul(s_above));
                        ds += scale_columns(turned.h[l + 1].clone(), &through);
                        ds += scale_columns(self.h[l + 1].clone(), &d_through);
                    }
                    ds
                }
                Signals::Layerwise(f) => &f[l] * d_above,
                Signals::Direct(b) => &b[l] * d_output,
            };
            let mut d_delta = ds.component_mul(&self.gates[l]);
            if let Some(d_curve) = turned.curves.get(l) {
                d_delta += d_curve.gates.component_mul(&motion.signals[l]);
            }
            self.add_forces(l, d_forces, &mut d_delta);
            d_signals.push(ds);
            d_errors.push(d_delta);
        }
        d_signals.reverse();
        d_errors.reverse();

        let mut velocity = Vec::with_capacity(hidden + 1);
        let mut a_dot = Vec::with_capacity(hidden);
        let mut dh_dot = DMatrix::zeros(self.h[0].nrows(), self.h[0].ncols());
        for l in 0..hidden {
            let (h, dh, v) = (&self.h[l], &turned.h[l], &motion.velocity[l]);
            let mut dv = dh * motion.errors[l].transpose() + h * d_errors[l].transpose();
            let w = self.w[l].clone_owned();
            if let (Some(curve), Some(d_curve)) = (self.curves.get(l), turned.curves.get(l)) {
                let s = &motion.signals[l];
                let pull = curve.kappa.component_mul(s).column_sum();
                let d_pull = curve.kappa.component_mul(&d_signals[l]).column_sum()
                    + d_curve.kappa.component_mul(s).column_sum();
                dv += scale_columns(dw[l].clone_owned(), &pull) + scale_columns(w.clone(), &d_pull);
            }
            let mut rate = dv.transpose() * h + v.transpose() * dh;
            if l > 0 {
                rate += dw[l].transpose() * &motion.h_dot[l] + w.transpose() * &dh_dot;
            }
            let mut moved = rate.component_mul(&self.gates[l]);
            if let (Some(curve), Some(d_curve)) = (self.curves.get(l), turned.curves.get(l)) {
                moved += d_curve.gates.component_mul(&motion.a_dot[l]);
                let along = column_products(&w, v);
                let d_along = column_products(&dw[l].clone_owned(), v) + column_products(&w, &dv);
                moved += scale_rows(d_curve.kappa.clone(), &along)
                    + scale_rows(curve.kappa.clone(), &d_along);
                let h_dot = &motion.h_dot[l];
                let inward = column_products(h, h_dot);
                let d_inward = column_products(dh, h_dot) + column_products(h, &dh_dot);
                moved += scale_columns(d_curve.mu.clone(), &inward)
                    + scale_columns(curve.mu.clone(), &d_inward);
            }
            velocity.push(dv);
            a_dot.push(rate);
            dh_dot = moved;
        }
        let (h, dh) = (&self.h[hidden], &turned.h[hidden]);
        let (w, dw, v) = (&self.w[hidden], &dw[hidden], &motion.velocity[hidden]);
        let last = dh * motion.output.transpose() + h * d_output.transpose();
        let output_rates = h.tr_mul(&last.column(0))
            + dh.tr_mul(&v.column(0))
            + motion.h_dot[hidden].tr_mul(&dw.column(0))
            + dh_dot.tr_mul(&w.column(0));
        velocity.push(last);
        Change {
            velocity,
            outputs: h.tr_mul(&dw.column(0)) + dh.tr_mul(&w.column(0)),
            output_rates,
            a_dot,
        }
    }
}

/// Derivative of the forward pass.
struct Turned {
    h: Vec<DMatrix<f64>>,
    curves: Vec<TurnedCurve>,
}

struct TurnedCurve {
    gates: DMatrix<f64>,
    kappa: DMatrix<f64>,
    mu: DMatrix<f64>,
}

impl TurnedCurve {
    /// From da, `w·dw` and `h·dh`: `q dq = a da + ε²(‖h‖² w·dw + ‖w‖² h·dh)`.
    fn new(
        epsilon: f64,
        curve: &Curve,
        a: &DMatrix<f64>,
        da: &DMatrix<f64>,
        widths: DVector<f64>,
        sizes: DVector<f64>,
    ) -> Self {
        let k = epsilon * epsilon;
        let shape = a.shape();
        let per_q = |value: &dyn Fn(usize, usize, f64, f64) -> f64| {
            DMatrix::from_fn(shape.0, shape.1, |j, n| {
                let q = curve.q[(j, n)];
                if q == 0.0 {
                    return 0.0;
                }
                let turn = curve.sizes[n] * widths[j] + curve.widths[j] * sizes[n];
                let dq = (a[(j, n)] * da[(j, n)] + k * turn) / q;
                value(j, n, q, dq / q)
            })
        };
        Self {
            gates: per_q(&|j, n, q, grows| 0.5 * (da[(j, n)] - a[(j, n)] * grows) / q),
            kappa: per_q(&|j, n, q, grows| k * sizes[n] / q - curve.kappa[(j, n)] * grows),
            mu: per_q(&|j, n, q, grows| k * widths[j] / q - curve.mu[(j, n)] * grows),
        }
    }
}
