//! Directional derivatives of the passes: forward mode through the formulas of [`passes`](super::passes), line by line.
//!
//! The set of sliding pairs does not change: the derivative of the forces keeps `a' = 0` on them.

use super::forces::Forces;
use super::passes::{
    Curve, Forward, Motion, column_products, over_units, scale_columns, scale_rows,
};
use crate::activation::{Activation, Argument, Direction, Formula, Turn};
use crate::network::View;
use crate::network::signals::Held;
use nalgebra::{DMatrix, DVector};

/// Directional derivative of a [`Motion`].
pub(super) struct Change {
    pub velocity: Vec<DMatrix<f64>>,
    /// Of the outputs f, C × N.
    pub outputs: DMatrix<f64>,
    pub output_rates: DMatrix<f64>,
    a_dot: Vec<DMatrix<f64>>,
    signals: Vec<DMatrix<f64>>,
}

impl Forward<'_> {
    /// Derivative of `motion` along `(dθ, dα)`, with the set of sliding pairs fixed.
    pub(super) fn change(
        &self,
        motion: &Motion,
        forces: Option<&Forces>,
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Change {
        let dw = self.setting.layout.views(d_theta);
        let d_output = self.setting.errors(d_multipliers);
        let along = Displacement {
            turned: self.turned(&dw),
            w: dw,
            output: d_output,
        };
        let Some(forces) = forces else {
            return self.change_with(motion, &along, &DVector::zeros(0));
        };
        let free = self.change_with(motion, &along, &DVector::zeros(forces.count));
        let nu = self.turned_forces(motion, forces, (&free.a_dot, &free.signals));
        self.change_with(motion, &along, &nu)
    }

    /// Derivative of the forward pass along dθ.
    fn turned(&self, dw: &[View<'_>]) -> Turned {
        let mut turned = Turned {
            h: vec![DMatrix::zeros(self.h[0].nrows(), self.h[0].ncols())],
            gates: Vec::new(),
            curves: Vec::new(),
        };
        for (l, dw) in dw.iter().enumerate().take(self.hidden()) {
            let mut a = dw.transpose() * &self.h[l];
            if l > 0 {
                a += self.w[l].transpose() * &turned.h[l];
            }
            let mut h = a.component_mul(&self.gates[l]);
            let g = self.setting.layers[l].activation;
            turned.gates.push(None);
            if let Some(curve) = self.curves.get(l) {
                let widths = column_products(&self.w[l].clone_owned(), &dw.clone_owned());
                let sizes = column_products(&self.h[l], &turned.h[l]);
                h += scale_rows(curve.kappa.clone(), &widths);
                h += scale_columns(curve.mu.clone(), &sizes);
                let (gates, curve) = TurnedCurve::new(g, curve, &self.a[l], |j, n| Direction {
                    preactivation: a[(j, n)],
                    weights: widths[j],
                    inputs: sizes[n],
                });
                turned.gates[l] = Some(gates);
                turned.curves.push(curve);
            } else if g.curved() {
                turned.gates[l] = Some(self.a[l].zip_map(&a, |a, preactivation| {
                    let along = Direction {
                        preactivation,
                        weights: 0.0,
                        inputs: 0.0,
                    };
                    g.turn(Argument::of(a), along).gate
                }));
            }
            turned.h.push(self.setting.taken(l + 1, h, false));
        }
        turned
    }

    /// Derivatives of the error signals and errors of the hidden layers.
    fn turned_signals_and_errors(
        &self,
        motion: &Motion,
        along: &Displacement<'_>,
        d_forces: &DVector<f64>,
    ) -> (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>) {
        let hidden = self.hidden();
        let mut d_signals: Vec<DMatrix<f64>> = Vec::with_capacity(hidden);
        let mut d_errors: Vec<DMatrix<f64>> = Vec::with_capacity(hidden);
        for l in (0..hidden).rev() {
            let d_above = d_errors.last().unwrap_or(&along.output);
            let ds = match &self.setting.signals {
                Held::Backward => {
                    let above = motion.errors.get(l + 1).unwrap_or(&motion.output);
                    let blame = self.w[l + 1] * d_above + along.w[l + 1] * above;
                    let mut ds = self.setting.given_back(l + 1, blame);
                    if let Some(ds_above) = d_signals.last() {
                        self.add_turned_inward(l + 1, motion, &along.turned, ds_above, &mut ds);
                    }
                    ds
                }
                Held::Layerwise(f) => self.setting.given_back(l + 1, &f[l] * d_above),
                Held::Direct(b) => self.setting.arrived(l, &b[l] * &along.output),
            };
            let mut d_delta = ds.component_mul(&self.gates[l]);
            if let Some(d_gates) = &along.turned.gates[l] {
                d_delta += d_gates.component_mul(&motion.signals[l]);
            }
            self.add_forces(l, d_forces, &mut d_delta);
            d_signals.push(ds);
            d_errors.push(d_delta);
        }
        d_signals.reverse();
        d_errors.reverse();
        (d_signals, d_errors)
    }

    /// Adds what a curved layer (index `layer`) contributes to the derivatives of the signals below it through the
    /// lengths of its inputs: the derivative of `h_l ∘ (1 1ᵀ(μ_{l+1} ∘ s_{l+1}))`.
    fn add_turned_inward(
        &self,
        layer: usize,
        motion: &Motion,
        turned: &Turned,
        d_signals: &DMatrix<f64>,
        below: &mut DMatrix<f64>,
    ) {
        let (Some(curve), Some(d_curve)) = (self.curves.get(layer), turned.curves.get(layer))
        else {
            return;
        };
        let signals = &motion.signals[layer];
        let through = over_units(&curve.mu.component_mul(signals));
        let d_through = over_units(&curve.mu.component_mul(d_signals))
            + over_units(&d_curve.mu.component_mul(signals));
        *below += scale_columns(turned.h[layer].clone(), &through);
        *below += scale_columns(self.h[layer].clone(), &d_through);
    }

    fn change_with(
        &self,
        motion: &Motion,
        along: &Displacement<'_>,
        d_forces: &DVector<f64>,
    ) -> Change {
        let hidden = self.hidden();
        let (dw, turned, d_output) = (&along.w, &along.turned, &along.output);
        let (d_signals, d_errors) = self.turned_signals_and_errors(motion, along, d_forces);
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
            if let Some(d_gates) = &turned.gates[l] {
                moved += d_gates.component_mul(&motion.a_dot[l]);
            }
            if let (Some(curve), Some(d_curve)) = (self.curves.get(l), turned.curves.get(l)) {
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
            dh_dot = self.setting.taken(l + 1, moved, false);
        }
        let (h, dh) = (&self.h[hidden], &turned.h[hidden]);
        let (w, dw, v) = (&self.w[hidden], &dw[hidden], &motion.velocity[hidden]);
        let last = dh * motion.output.transpose() + h * d_output.transpose();
        let output_rates =
            last.tr_mul(h) + v.tr_mul(dh) + dw.tr_mul(&motion.h_dot[hidden]) + w.tr_mul(&dh_dot);
        velocity.push(last);
        Change {
            velocity,
            outputs: dw.tr_mul(h) + w.tr_mul(dh),
            output_rates,
            a_dot,
            signals: d_signals,
        }
    }
}

/// A direction in (θ, α): `dw_1 … dw_L`, and the derivatives of the forward pass and of e along it.
struct Displacement<'a> {
    w: Vec<View<'a>>,
    turned: Turned,
    output: DMatrix<f64>,
}

/// Derivative of the forward pass.
struct Turned {
    h: Vec<DMatrix<f64>>,
    /// Of layers whose gates change with a.
    gates: Vec<Option<DMatrix<f64>>>,
    curves: Vec<TurnedCurve>,
}

struct TurnedCurve {
    kappa: DMatrix<f64>,
    mu: DMatrix<f64>,
}

impl TurnedCurve {
    /// The derivative for a layer with preactivations `a`, every unit and sample moving as `along` says, and that of
    /// its gates.
    fn new(
        activation: Activation,
        curve: &Curve,
        a: &DMatrix<f64>,
        along: impl Fn(usize, usize) -> Direction,
    ) -> (DMatrix<f64>, Self) {
        let turns = DMatrix::from_fn(a.nrows(), a.ncols(), |j, n| {
            activation.turn(curve.arguments.at((j, n), a[(j, n)]), along(j, n))
        });
        let part = |of: fn(&Turn) -> f64| turns.map(|turn| of(&turn));
        let curve = Self {
            kappa: part(|turn| turn.of_weights),
            mu: part(|turn| turn.of_inputs),
        };
        (part(|turn| turn.gate), curve)
    }
}
