//! Where two directions stand before one potential: what a run proves about points it is said to tend to.
//!
//! Any multipliers a ≥ 0 bound the least value of ψ from below, `ψ(β)/γ(β) ≥ 1ᵀa/ψ*(Gᵀa)` for every separating β
//! (`limit`), and `gap(β) = (ψ(β)/γ)(ψ*(Gᵀa)/1ᵀa) − 1` is how far β is above that bound. Of two directions under the
//! *same* multipliers the one with the smaller gap is the cheaper one, whatever the multipliers are worth:
//!
//! ```text
//! gap(u) < gap(v)   ⟺   ψ(u)/γ(u) < ψ(v)/γ(v)
//! ```
//!
//! So a run whose gap is far below that of a point proves that the point does not minimise ψ, and where ψ has many
//! minimisers, all of them have the same gap, and none is told from another.

use crate::limit::Certifier;
use nalgebra::{DMatrix, DVector};

/// The gaps of the end of a run and of a point under the same multipliers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Of the run.
    pub run: f64,
    /// Of the point, less what rounding of its margins can be; infinite if it does not separate the data.
    pub point: f64,
}

/// Rounding of a margin, relative to `‖g_n‖‖β‖`.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

impl Standing {
    /// Of the direction `beta` and a point before the potential of `certifier`, on signed samples G (N × D), under
    /// whichever multipliers say more of `beta`: its own best ones or `known`.
    pub(super) fn of(
        certifier: &mut Certifier,
        g: &DMatrix<f64>,
        beta: &DVector<f64>,
        point: &DVector<f64>,
        known: &DVector<f64>,
    ) -> Option<Self> {
        let own = certifier.best_multipliers(beta);
        let usable = [&own, known].into_iter().filter(|a| a.len() == g.nrows());
        let certified = usable.filter_map(|a| Some((certifier.duality_gap(beta, a)?, a)));
        let (run, multipliers) = certified.min_by(|x, y| x.0.total_cmp(&y.0))?;
        let margins = g * point;
        let longest = g.row_iter().map(|row| row.norm()).fold(0.0, f64::max);
        let (smallest, rounding) = (margins.min(), ROUNDING * longest * point.norm());
        if smallest < -rounding {
            return Some(Self {
                run,
                point: f64::INFINITY,
            });
        }
        if smallest <= rounding {
            return None;
        }
        let gap = certifier.duality_gap(point, multipliers)?;
        Some(Self {
            run,
            point: (gap - rounding / smallest).max(0.0),
        })
    }

    /// Whether the run is cheaper than the point by so large a factor of the gaps.
    pub fn beats_by(self, factor: f64) -> bool {
        self.point > factor * self.run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Potential;
    use nalgebra::{dmatrix, dvector};

    #[test]
    fn the_cheaper_direction_has_the_smaller_gap() {
        let g = dmatrix![1.0, 0.2; 0.3, 1.0];
        let euclidean = Potential::euclidean(2);
        let stand = |u: &DVector<f64>, v: &DVector<f64>| {
            let mut certifier = Certifier::new(&g, &euclidean);
            Standing::of(&mut certifier, &g, u, v, &DVector::zeros(0))
        };
        let cost = |u: &DVector<f64>| u.norm() / (&g * u).min();
        let (near, far) = (dvector![0.9, 0.8], dvector![1.0, 0.1]);
        assert!(cost(&near) < cost(&far));
        let found = stand(&near, &far).unwrap();
        let ratio = (1.0 + found.point) / (1.0 + found.run);
        assert!((ratio - cost(&far) / cost(&near)).abs() < 1e-12);
        assert!(found.beats_by(2.0) && !stand(&far, &near).unwrap().beats_by(1.0));
        // what does not separate is no minimiser; what hardly does is left undecided
        let behind = stand(&near, &dvector![-1.0, 0.1]).unwrap();
        assert_eq!(behind.point, f64::INFINITY);
        assert_eq!(stand(&near, &dvector![1.0, -0.3]), None);
        assert_eq!(
            stand(&dvector![-1.0, 0.0], &near),
            None,
            "nothing is certified"
        );
    }

    /// Two equal columns: every split between them is a minimiser of ℓ₁.
    #[test]
    fn many_minimisers_stand_alike() {
        use crate::spectrum::Basis;
        let g = dmatrix![1.0, 1.0, 0.1; 1.0, 1.0, -0.2];
        let sparse = Potential::spectral(Basis::Standard, 3, 1.0, &[1.0; 3]);
        let (one, other) = (dvector![1.0, 0.0, 0.0], dvector![0.3, 0.7, 0.0]);
        let mut certifier = Certifier::new(&g, &sparse);
        let known = dvector![0.0, 1.0];
        let found = Standing::of(&mut certifier, &g, &one, &other, &known).unwrap();
        assert!(found.run < 1e-12 && found.point < 1e-12, "{found:?}");
    }
}
