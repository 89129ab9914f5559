//! A proof that the loss of a run of finite steps falls for ever, from where the run has got to.
//!
//! Steps of constant size η, the exponential loss, a fully connected linear network of two layers or more under fixed
//! feedback, from zero weights: Z and φ_2 … φ_L tell all that matters, `β = P Z` with `P = ∏_{k<L}‖b_k‖² ∏_l φ_l`, and
//! ```text
//! Z ← Z + δ,    Δφ_2 = Z·δ,    Δφ_{l+1} = ‖b_{l−1}‖² φ_l Δφ_l,    δ = η Σ_n α_n g_n.
//! ```
//! Let every φ_l be positive, `ℓ = ln(1/𝓛) ≥ 2` (so that no margin is below ℓ), `G = max‖g_n‖`,
//! `q ≥ max(4, ‖b_{l−1}‖²φ_l²/φ_{l+1})` and `Θ = 1 + q + ⋯ + q^{L−2}`. If
//! ```text
//! (A)  8 Θ η 𝓛 (ℓ + ln N)² ≤ P φ_2        and        (B)  5 η P G² 𝓛 ≤ 1,
//! ```
//! then the loss falls at this step and at all later ones.
//!
//! *Proof.* Write S₁ = Σα_n m_n, S₂ = Σα_n m_n². Margins are positive, so Z·δ = η S₁/P is, and φ_l and P grow: φ_2 by
//! the share r_2 = η S₁/(P φ_2), φ_{l+1} by at most q r_l, so P by a share ρ ≤ exp(Θ r_2) − 1. Σα = 𝓛 and concavity
//! give S₂ ≤ 𝓛(ℓ + ln N)², and S₁ ≤ S₂/2 as margins are at least 2: by (A) Θ r_2 ≤ 1/16, so ρ ≤ 2Θ r_2 ≤ 1/8. Margins
//! change by x_n = ρ m_n + (1+ρ)P g_n·δ ≥ −ε with ε ≤ (1+ρ)P η G² 𝓛 < 1/4 by (B), and e^{−x} ≤ 1 − x + ½e^ε x², so
//! ```text
//! 𝓛 − 𝓛⁺ ≥ ρS₁ + (1+ρ)P‖δ‖²/η − e^ε(ρ²S₂ + (1+ρ)²P²G²‖δ‖²𝓛) ≥ ½ρS₁ + ½(1+ρ)P‖δ‖²/η > 0.
//! ```
//! All conditions hold again: ℓ has grown; 𝓛(ℓ + ln N)² has fallen and Pφ_2 grown; P𝓛 has not grown, because
//! (1+ρ)(1 − ½ρℓ) ≤ 1; and φ_{l+1} ≥ ‖b_{l−1}‖²φ_l²/q persists, because the left side grows by ‖b_{l−1}‖²φ_lΔφ_l and
//! the right side by (2 + r_l)/q ≤ 1 times that. ∎
//!
//! A loss that falls for ever is bounded, and from zero weights that is all Theorem 1 needs (docs/theory.md, section
//! 9): the direction tends to the hard-margin SVM, however slowly.

use super::{Descent, Schedule};
use crate::problem::Problem;
use crate::theory;
use crate::trajectory::Status;

/// The conditions of the proof, as met by a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastingFall {
    /// The step of the record at which they are met.
    pub step: u64,
    /// ln 𝓛 there.
    pub log_loss: f64,
    /// The left side of (A) over its right side, ≤ 1.
    pub growth: f64,
    /// The left side of (B), ≤ 1.
    pub step_size: f64,
}

/// ℓ of the module's proof.
const LEAST_LOG: f64 = 2.0;

/// The first record of a run from which on the loss provably falls for ever, if there is one; `None` also for runs the
/// proof does not cover.
pub fn lasting_fall(problem: &Problem, descent: &Descent) -> Option<LastingFall> {
    let covered = descent.schedule == Schedule::Constant
        && descent.trajectory.status == Status::Completed
        && problem.loss().log_correction_is_zero()
        && problem.theta0().amax() == 0.0;
    let law = covered.then(|| theory::of(problem).alignment)??;
    let law = law.outer_products()?;
    let squares: Vec<f64> = law.feedback.iter().map(|b| b.norm_squared()).collect();
    let g = problem.dataset().signed_samples();
    let longest = g.row_iter().map(|g| g.norm_squared()).fold(0.0, f64::max);
    let network = problem.network();
    let records = descent.trajectory.theta.column_iter().zip(&descent.steps);
    records.into_iter().find_map(|(theta, step)| {
        let margins = network.margins(theta.as_slice(), problem.dataset());
        let log_loss = problem.loss().log_loss(margins.iter().copied());
        let phi = law.phi(&network.weights(theta.as_slice()));
        if -log_loss < LEAST_LOG || phi.iter().any(|phi| *phi <= 0.0) {
            return None;
        }
        let ratios = phi
            .windows(2)
            .zip(&squares)
            .map(|(phi, b)| b * phi[0] * phi[0] / phi[1]);
        let q = ratios.fold(4.0, f64::max);
        let theta = (1..phi.len()).fold(1.0, |sum, _| 1.0 + q * sum);
        // sizes in logarithms: they span the range of doubles
        let log_p = phi.iter().chain(&squares).map(|x| x.ln()).sum::<f64>();
        let log_size = descent.size.ln() + log_loss;
        let logs = (margins.len() as f64).ln() - log_loss;
        let growth = (8.0 * theta * logs * logs).ln() + log_size - log_p - phi[0].ln();
        let step_size = (5.0 * longest).ln() + log_size + log_p;
        (growth <= 0.0 && step_size <= 0.0).then(|| LastingFall {
            step: *step,
            log_loss,
            growth: growth.exp(),
            step_size: step_size.exp(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Control;
    use crate::dataset::{gaussian_teacher, standard_normals};
    use crate::descent::{State, StepOptions, descend};
    use crate::loss::Loss;
    use crate::network::Network;
    use crate::rule::Rule;
    use nalgebra::DVector;

    fn problem(depth: usize, seed: u64) -> Problem {
        let network = Network::fully_connected(6, &vec![6; depth - 1]);
        let draw = |l: u64| DVector::from_iterator(6, standard_normals("lasting", l).take(6));
        let signals = (1..depth as u64).map(draw).collect();
        let zero = DVector::zeros(network.parameters());
        Problem::new(
            gaussian_teacher(6, 20, seed),
            network,
            Rule::direct_feedback_alignment(signals),
            Loss::Exponential,
            zero,
        )
        .unwrap()
    }

    fn steps(problem: &Problem, size: f64, count: u64) -> Descent {
        let options = StepOptions {
            sizes: vec![size],
            count,
            schedule: Schedule::Constant,
            state: State::Full,
        };
        descend(problem, &options, &Control::none())
            .unwrap()
            .remove(0)
    }

    /// ln 𝓛 after each of `count` steps, by plain loops over Z and φ; infinite from an overflow on.
    fn losses(problem: &Problem, size: f64, count: usize) -> Vec<f64> {
        let g = problem.dataset().signed_samples();
        let b: Vec<f64> = problem
            .feedback()
            .unwrap()
            .iter()
            .map(|b| b.norm_squared())
            .collect();
        let (mut z, mut phi) = (DVector::zeros(g.ncols()), vec![0.0; b.len()]);
        let mut losses = Vec::new();
        for _ in 0..count {
            let p: f64 = phi.iter().chain(&b).product();
            let margins = g * &z * p;
            let least = margins.min();
            losses.push(margins.map(|m| (least - m).exp()).sum().ln() - least);
            let delta = g.tr_mul(&margins.map(|m| size * (-m).exp()));
            let mut change = z.dot(&delta);
            for (l, phi) in phi.iter_mut().enumerate() {
                let old = *phi;
                *phi += change;
                change *= b[l] * old;
            }
            z += delta;
        }
        losses
            .iter()
            .map(|x| if x.is_finite() { *x } else { f64::INFINITY })
            .collect()
    }

    /// Sizes below, at and above the critical ones, and far above: what is proved within three thousand steps is true
    /// of the next twenty thousand.
    #[test]
    fn what_is_proved_early_is_true_later() {
        let (mut proved, mut overflown) = (0, 0);
        for depth in [2, 3, 4] {
            for seed in 1..=4 {
                let problem = problem(depth, seed);
                for k in 0..24 {
                    let size = 1e-3 * 1.25f64.powi(k);
                    let losses = losses(&problem, size, 20_000);
                    overflown += usize::from(losses.contains(&f64::INFINITY));
                    let Some(proof) = lasting_fall(&problem, &steps(&problem, size, 3000)) else {
                        continue;
                    };
                    proved += 1;
                    assert!(proof.growth <= 1.0 && proof.step_size <= 1.0, "{proof:?}");
                    let later = &losses[proof.step as usize..];
                    assert!((later[0] - proof.log_loss).abs() < 1e-6 * proof.log_loss.abs());
                    // steps that no longer change a double do not count as rises
                    let fall = later
                        .windows(2)
                        .all(|pair| pair[1] <= pair[0] + 1e-12 * pair[0].abs());
                    assert!(fall, "depth {depth}, seed {seed}, size {size}: {proof:?}");
                }
            }
        }
        assert!(proved > 30 && overflown > 30, "{proved} {overflown}");
    }

    #[test]
    fn small_steps_come_to_it_sooner_or_later() {
        for depth in [2, 3] {
            let problem = problem(depth, 1);
            assert!(lasting_fall(&problem, &steps(&problem, 1e-3, 3)).is_none());
            let proof = lasting_fall(&problem, &steps(&problem, 1e-3, 100_000)).expect("a proof");
            assert!(proof.step > 3 && proof.log_loss <= -LEAST_LOG, "{proof:?}");
        }
    }

    #[test]
    fn other_runs_are_not_covered() {
        let problem = problem(2, 1);
        let run = steps(&problem, 1e-2, 50_000);
        assert!(lasting_fall(&problem, &run).is_some());
        assert_eq!(
            lasting_fall(&problem.clone().with_loss(Loss::Logistic), &run),
            None
        );
        let elsewhere = problem.theta0().add_scalar(1e-3);
        let elsewhere = problem.clone().with_start(elsewhere).unwrap();
        assert_eq!(lasting_fall(&elsewhere, &run), None);
        let normalised = Descent {
            schedule: Schedule::LossNormalised,
            ..run
        };
        assert_eq!(lasting_fall(&problem, &normalised), None);
    }
}
