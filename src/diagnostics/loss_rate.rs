//! Rate of change of the loss, from the vector field itself rather than from differences between saves.
//!
//! With `a_n = α_n (1+t) = exp(p_n + κ(m_n))`, the multipliers in the clock τ = ln(1+t), the loss changes by
//! `d𝓛/dτ = −Σ_n α_n dm_n/dτ`, and the margin rates are linear in the multipliers, by [`Kernel::velocity`]. Relative to
//! `Σ α_n`, which is 𝓛 itself for the exponential loss, that is minus the mean rate of the margins under the weights
//! `α_n/Σ α_n`, which do not underflow.
//!
//! [`Kernel::velocity`]: crate::network::Kernel::velocity

use crate::problem::Problem;
use crate::trajectory::Trajectory;

/// Log-multipliers p this far above those of the start do not occur on separable data.
const ROUNDED: f64 = 12.0;

/// `(d𝓛/dτ)/Σ_n α_n` at every save, length T: `d ln 𝓛/dτ` for the exponential loss, and of the sign of 𝓛' for either.
///
/// Zero at a fixed point, and once a run without a separator amplifies rounding; −1 while the loss falls like 1/t;
/// positive where it rises.
pub fn loss_rate(problem: &Problem, trajectory: &Trajectory) -> Vec<f64> {
    let kernel = problem.kernel();
    let samples = kernel.samples();
    let mut margins = vec![0.0; samples];
    let mut velocity = vec![0.0; kernel.parameters()];
    let mut rates = vec![0.0; samples];
    // On data without a separator multipliers grow like t: what they multiply sinks below rounding, and so does the
    // rate.
    let strongest = |k: usize| trajectory.log_multipliers.column(k).max();
    let meaningless = ROUNDED + strongest(0).max(0.0);
    (0..trajectory.len())
        .map(|k| {
            if strongest(k) > meaningless {
                return 0.0;
            }
            let theta = trajectory.theta.column(k);
            let mut log_multipliers = trajectory.log_multipliers.column(k).into_owned();
            if !problem.loss().log_correction_is_zero() {
                kernel.margins(theta.as_slice(), &mut margins);
                let groups = problem.dataset().groups();
                problem.loss().log_corrections(groups, &mut margins);
                for (p, correction) in log_multipliers.iter_mut().zip(&margins) {
                    *p += correction;
                }
            }
            let multipliers = log_multipliers.map(f64::exp);
            // Where the field has kinks, use the piece the flow is in: its gates on the kinks are those that hold the
            // flow there.
            let mut at = theta.into_owned();
            let entered = kernel
                .pieces()
                .and_then(|pieces| pieces.enter(at.as_mut_slice(), multipliers.as_slice()).ok());
            let field = entered.as_ref().map_or(&kernel, |entered| &entered.kernel);
            field.velocity(
                at.as_slice(),
                multipliers.as_slice(),
                &mut velocity,
                &mut rates,
            );
            let largest = log_multipliers.max();
            let weights = log_multipliers.map(|p| (p - largest).exp());
            let fall: f64 = weights.iter().zip(&rates).map(|(w, m_dot)| w * m_dot).sum();
            -fall / weights.sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::gaussian_teacher;
    use crate::flow::{FlowOptions, SaveAt, integrate};
    use crate::loss::Loss;
    use crate::network::Network;
    use crate::rule::Rule;
    use nalgebra::{DVector, dvector};

    fn problem(loss: Loss) -> Problem {
        let b = dvector![0.7, -0.4, 0.9, 0.2, -1.1];
        let network = Network::convolutional(5, 3);
        let theta0 = DVector::from_fn(15, |i, _| 0.3 * ((7 * i + 2) as f64).sin());
        Problem::new(
            gaussian_teacher(5, 4, 1),
            network,
            Rule::direct_feedback_alignment(vec![b.clone(), 0.5 * b]),
            loss,
            theta0,
        )
        .unwrap()
    }

    /// Compared with central differences of ln 𝓛 over neighbouring saves, times 𝓛/Σα.
    #[test]
    fn is_the_slope_of_the_loss() {
        for loss in [Loss::Exponential, Loss::Logistic] {
            let problem = problem(loss);
            let options = FlowOptions {
                saves: SaveAt::Uniform(2001),
                ..FlowOptions::to(3.0)
            };
            let run = integrate(&problem, &options, &mut |_| {}).unwrap();
            let margins = |k: usize| {
                let theta = run.theta.column(k);
                problem
                    .network()
                    .margins(theta.as_slice(), problem.dataset())
            };
            let log_loss = |k: usize| loss.log_loss(margins(k).iter().copied());
            let rate = loss_rate(&problem, &run);
            let mut smallest = f64::INFINITY;
            for k in (1..2000).step_by(50) {
                let slope = (log_loss(k + 1) - log_loss(k - 1))
                    / (run.log_time(k + 1) - run.log_time(k - 1));
                let sum: f64 = margins(k)
                    .iter()
                    .map(|m| (loss.log_correction(*m) - m).exp())
                    .sum();
                let expected = slope * log_loss(k).exp() / sum;
                smallest = smallest.min(expected.abs());
                assert!(
                    (rate[k] - expected).abs() < 1e-4 * (1.0 + expected.abs()),
                    "{loss:?}, save {k}: {} {expected}",
                    rate[k]
                );
            }
            assert!(smallest > 1e-3, "{smallest}");
        }
    }

    #[test]
    fn is_zero_at_zero_weights_and_minus_one_far_out() {
        let problem = problem(Loss::Exponential);
        let zero = problem.theta0() * 0.0;
        let problem = problem.with_start(zero).unwrap();
        let run = integrate(&problem, &FlowOptions::to(30.0), &mut |_| {}).unwrap();
        let rate = loss_rate(&problem, &run);
        assert_eq!(rate[0], 0.0);
        assert!((rate[rate.len() - 1] + 1.0).abs() < 1e-6);
    }
}
