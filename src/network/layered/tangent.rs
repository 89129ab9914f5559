//! Derivatives of the passes along directions of θ.

use super::passes::{Forward, Motion, Seen, add_columns, column_products};
use crate::activation::{Direction, Formula, Turn};
use crate::network::View;
use crate::network::layer::reshaped;
use crate::network::signals::Held;
use nalgebra::{DMatrix, DVector};

/// The derivative of a [`Forward`] along a direction of θ.
pub(super) struct Moved {
    /// Changes of patches, per layer, the output layer included.
    pub x: Vec<DMatrix<f64>>,
    /// Changes of preactivations of hidden layers.
    pub a: Vec<DMatrix<f64>>,
    /// `w·dw` of every channel, and `x·dx` of every patch, of hidden layers with rounded kinks.
    pub along: Vec<Option<(DVector<f64>, DVector<f64>)>>,
    /// Changes of outputs, C × N.
    pub outputs: DMatrix<f64>,
}

/// Derivatives of gates along a direction.
struct Turned {
    gates: DMatrix<f64>,
    kappa: DMatrix<f64>,
    mu: DMatrix<f64>,
}

/// Changes of the signals that reach a layer, and of its gates.
struct Above {
    signals: DMatrix<f64>,
    gates: Option<Turned>,
}

/// `m_jn + k_j c_jn`
fn add_rows(m: &mut DMatrix<f64>, k: &DVector<f64>, c: &DMatrix<f64>) {
    for (mut m, c) in m.column_iter_mut().zip(c.column_iter()) {
        m.zip_zip_apply(k, &c, |m, k, c| *m += k * c);
    }
}

impl Forward<'_> {
    /// The derivative along `dw_1 … dw_L`.
    pub(super) fn moved(&self, dw: &[View<'_>]) -> Moved {
        let depth = self.hidden.len() + 1;
        let mut moved = Moved {
            x: Vec::with_capacity(depth),
            a: Vec::with_capacity(depth - 1),
            along: Vec::with_capacity(depth - 1),
            outputs: DMatrix::zeros(0, 0),
        };
        let mut dx = DMatrix::zeros(self.first_patch_rows(), self.first_patch_columns());
        for (l, seen) in self.hidden.iter().enumerate() {
            let mut da = dw[l].transpose() * &seen.x;
            if l > 0 {
                da += seen.w.transpose() * &dx;
            }
            let along = seen.is_rounded().then(|| {
                let turned = (seen.w.column_iter()).zip(dw[l].column_iter());
                let turned: Vec<f64> = turned.map(|(w, dw)| w.dot(&dw)).collect();
                (DVector::from_vec(turned), column_products(&seen.x, &dx))
            });
            let mut dh = da.component_mul(&seen.gates);
            if let Some((of_weights, of_inputs)) = &along {
                add_rows(&mut dh, of_weights, &seen.kappa);
                add_columns(&mut dh, of_inputs, &seen.mu);
            }
            moved.x.push(dx);
            moved.a.push(da);
            moved.along.push(along);
            dx = self.next_patches(l, dh);
        }
        moved.outputs = dw[depth - 1].transpose() * &self.features;
        if depth > 1 {
            moved.outputs += self.output.transpose() * &dx;
        }
        moved.x.push(dx);
        moved
    }

    fn first_patch_rows(&self) -> usize {
        self.hidden
            .first()
            .map_or(self.features.nrows(), |seen| seen.x.nrows())
    }

    fn first_patch_columns(&self) -> usize {
        self.hidden
            .first()
            .map_or(self.features.ncols(), |seen| seen.x.ncols())
    }

    /// Patches that the layer above hidden layer l (from 0) sees of changes of its outputs.
    fn next_patches(&self, l: usize, dh: DMatrix<f64>) -> DMatrix<f64> {
        let dh = reshaped(dh, self.hidden[l].layer.above().units());
        let above = self
            .hidden
            .get(l + 1)
            .map_or(self.field.last(), |seen| seen.layer);
        above.take(&dh, false)
    }

    /// The change of outputs of second order, C × N: along `dw` and the changes `turn` of the direction `v`, of which
    /// the first-order parts are `along_v` and `along_w`.
    pub(super) fn mixed(
        &self,
        (v, along_v): (&[View<'_>], &Moved),
        (dw, along_w): (&[View<'_>], &Moved),
        turn: &[View<'_>],
    ) -> DMatrix<f64> {
        let depth = self.hidden.len() + 1;
        let mut ddx = DMatrix::zeros(self.first_patch_rows(), self.first_patch_columns());
        for (l, seen) in self.hidden.iter().enumerate() {
            let mut dda = seen.w.transpose() * &ddx + turn[l].transpose() * &seen.x;
            dda += dw[l].transpose() * &along_v.x[l] + v[l].transpose() * &along_w.x[l];
            let turned = self.turned(l, along_w);
            let mut ddh = dda.component_mul(&seen.gates);
            if let Some(turned) = &turned {
                ddh += turned.gates.component_mul(&along_v.a[l]);
            }
            if let (Some((of_weights, of_inputs)), Some(turned)) = (&along_v.along[l], &turned) {
                add_rows(&mut ddh, of_weights, &turned.kappa);
                add_columns(&mut ddh, of_inputs, &turned.mu);
                let second = (dw[l].column_iter().zip(v[l].column_iter()))
                    .zip(seen.w.column_iter().zip(turn[l].column_iter()));
                let second: Vec<f64> = second
                    .map(|((dw, v), (w, turn))| dw.dot(&v) + w.dot(&turn))
                    .collect();
                add_rows(&mut ddh, &DVector::from_vec(second), &seen.kappa);
                let second =
                    column_products(&along_w.x[l], &along_v.x[l]) + column_products(&seen.x, &ddx);
                add_columns(&mut ddh, &second, &seen.mu);
            }
            ddx = self.next_patches(l, ddh);
        }
        let last = depth - 1;
        self.output.transpose() * &ddx
            + turn[last].transpose() * &self.features
            + dw[last].transpose() * &along_v.x[last]
            + v[last].transpose() * &along_w.x[last]
    }

    /// How the gates of hidden layer l turn; `None` where they do not.
    fn turned(&self, l: usize, moved: &Moved) -> Option<Turned> {
        let seen = &self.hidden[l];
        let g = seen.layer.activation;
        if !g.curved() {
            return None;
        }
        let none = |seen: &Seen<'_>| {
            (
                DVector::zeros(seen.at.nrows()),
                DVector::zeros(seen.at.ncols()),
            )
        };
        let (of_weights, of_inputs) = moved.along[l].clone().unwrap_or_else(|| none(seen));
        let turns = DMatrix::from_fn(seen.at.nrows(), seen.at.ncols(), |j, n| {
            let along = Direction {
                preactivation: moved.a[l][(j, n)],
                weights: of_weights[j],
                inputs: of_inputs[n],
            };
            g.turn(seen.at[(j, n)], along)
        });
        let part = |of: fn(&Turn) -> f64| turns.map(|turn| of(&turn));
        Some(Turned {
            gates: part(|turn| turn.gate),
            kappa: part(|turn| turn.of_weights),
            mu: part(|turn| turn.of_inputs),
        })
    }

    /// The derivative of the velocities along `dw` (with its [`Moved`]) and `de`.
    pub(super) fn turned_motion(
        &self,
        motion: &Motion,
        e: &DMatrix<f64>,
        (dw, moved): (&[View<'_>], &Moved),
        de: &DMatrix<f64>,
    ) -> Vec<DMatrix<f64>> {
        let last = self.hidden.len();
        let mut velocity = vec![&moved.x[last] * e.transpose() + &self.features * de.transpose()];
        let (mut d_errors, mut above): (DMatrix<f64>, Option<Above>) = (de.clone(), None);
        for (l, seen) in self.hidden.iter().enumerate().rev() {
            let ds = match &self.field.signals {
                Held::Direct(b) => &b[l] * de,
                Held::Layerwise(f) => self.passed_down(l + 1, &f[l].as_view(), &d_errors),
                Held::Backward => {
                    let errors = motion.errors.get(l + 1).unwrap_or(e);
                    let mut ds = self.passed_down(l + 1, &self.weights(l + 1), &d_errors)
                        + self.passed_down(l + 1, &dw[l + 1], errors);
                    if let (Some(upper), Some(above)) = (self.hidden.get(l + 1), &above)
                        && upper.is_rounded()
                    {
                        ds += self.turned_lengths(
                            upper,
                            &motion.signals[l + 1],
                            above,
                            &moved.x[l + 1],
                        );
                    }
                    ds
                }
            };
            let ds = reshaped(ds, seen.at.nrows());
            let turned = self.turned(l, moved);
            let (s, delta) = (&motion.signals[l], &motion.errors[l]);
            let mut d_delta = ds.component_mul(&seen.gates);
            if let Some(turned) = &turned {
                d_delta += turned.gates.component_mul(s);
            }
            let mut dv = &seen.x * d_delta.transpose() + &moved.x[l] * delta.transpose();
            if seen.is_rounded() {
                let longer = seen.kappa.component_mul(s).column_sum();
                let mut d_longer = seen.kappa.component_mul(&ds).column_sum();
                if let Some(turned) = &turned {
                    d_longer += turned.kappa.component_mul(s).column_sum();
                }
                add_columns(&mut dv, &d_longer, &seen.w.clone_owned());
                add_columns(&mut dv, &longer, &dw[l].clone_owned());
            }
            velocity.push(dv);
            d_errors = d_delta;
            above = Some(Above {
                signals: ds,
                gates: turned,
            });
        }
        velocity.reverse();
        velocity
    }

    /// The change of what the lengths of patches of `upper` are to blame for, under the signals s.
    fn turned_lengths(
        &self,
        upper: &Seen<'_>,
        s: &DMatrix<f64>,
        above: &Above,
        dx: &DMatrix<f64>,
    ) -> DMatrix<f64> {
        let mut dc = upper.mu.component_mul(&above.signals);
        if let Some(turned) = &above.gates {
            dc += turned.mu.component_mul(s);
        }
        self.through_lengths(upper, &dc, &upper.x)
            + self.through_lengths(upper, &upper.mu.component_mul(s), dx)
    }
}
