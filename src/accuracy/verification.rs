//! The same run at a hundredth of the tolerances, and whether it ends in the same direction.

use super::judge;
use crate::control::Control;
use crate::diagnostics::{Diagnostics, diagnose};
use crate::error::Result;
use crate::flow::{FlowOptions, SaveAt, integrate_under};
use crate::limit::{Limit, angle};
use crate::problem::Problem;
use crate::trajectory::Status;
use nalgebra::DVector;
use serde::Serialize;

/// The same run at a hundredth of the tolerances, compared at the end.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    pub rtol: f64,
    pub status: Status,
    /// Angle between the two final predictors (for ReLU networks: their outputs on the N samples), radians.
    pub angle_between: f64,
    /// The tighter run's final angle to the limit (for ReLU networks: of its output weights to the SVM of its own
    /// features), radians.
    pub angle_to_limit: Option<f64>,
    /// Relative difference of the two smallest margins.
    pub relative_difference_of_min_margin: f64,
    /// What `angle_between` is compared with: 100 rtol, at most 1 %, of the angle to the limit (1e-4 of it at the
    /// default tolerance), or of one radian without a limit, plus 1e-12.
    pub stated_accuracy: f64,
    pub agrees: bool,
}

/// Fraction of the angle to the limit by which two runs may differ at any tolerance; a larger difference is an error.
const MOST_OF_ANGLE: f64 = 0.01;

/// Integrates a run again at a hundredth of its tolerances and compares the two ends; its checkpoint is called
/// `verify`.
///
/// # Errors
/// As [`integrate_under`].
pub fn verify(
    problem: &Problem,
    limit: Option<&Limit>,
    options: &FlowOptions,
    diagnostics: &Diagnostics,
    control: &Control<'_>,
) -> Result<Verification> {
    let tight = FlowOptions {
        saves: SaveAt::Uniform(2),
        ..options.tightened()
    };
    let trajectory = integrate_under(problem, &tight, "verify", control)?;
    let reference = diagnose(problem, &trajectory, limit);
    let conclusion = judge(problem, &tight, &trajectory, &reference);
    let angle_between = angle(
        learned(problem, diagnostics).as_slice(),
        learned(problem, &reference).as_slice(),
    );
    let to_limit = match &reference.homogeneous {
        None => reference.final_angle(),
        Some(h) => h.feature_angle.last().copied().flatten(),
    };
    let share = (100.0 * options.rtol).min(MOST_OF_ANGLE);
    let stated_accuracy = share * to_limit.unwrap_or(1.0) + 1e-12;
    let last = |d: &Diagnostics| d.min_margin.last().copied().unwrap_or(0.0);
    Ok(Verification {
        rtol: tight.rtol,
        status: conclusion.status,
        angle_between,
        angle_to_limit: to_limit,
        relative_difference_of_min_margin: relative_difference(last(diagnostics), last(&reference)),
        stated_accuracy,
        agrees: conclusion.completed() && angle_between <= stated_accuracy,
    })
}

/// What a run has learned, as a direction: the predictor, or for ReLU networks the outputs `f(x_n)`, length N.
fn learned(problem: &Problem, diagnostics: &Diagnostics) -> DVector<f64> {
    if problem.network().is_linear() {
        return diagnostics.final_beta();
    }
    let margins = &diagnostics.margins;
    margins
        .column(margins.ncols() - 1)
        .component_mul(problem.dataset().labels())
}

/// `|x − y|` over the larger of the two, 0 if they are equal.
fn relative_difference(x: f64, y: f64) -> f64 {
    if x == y {
        0.0
    } else {
        (x - y).abs() / x.abs().max(y.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::gaussian_teacher;
    use crate::flow::integrate;
    use crate::limit::{Separability, max_margin};
    use crate::network::{FullyConnectedLinear, Network};
    use crate::rule::Rule;

    /// The angle to the limit falls like e^{−s/2}: a run that ends δ earlier differs by δ/2 of it.
    #[test]
    fn however_loose_the_tolerance_one_percent_of_the_angle_is_too_much() {
        let network = Network::new(FullyConnectedLinear::new(6, &[6]));
        let dataset = gaussian_teacher(6, 4, 2);
        let theta0 = DVector::from_fn(network.parameters(), |i, _| 0.1 * (1.0 + i as f64).sin());
        let problem = Problem::new(
            dataset,
            network,
            Rule::gradient_descent(),
            crate::loss::Loss::Exponential,
            theta0,
        )
        .unwrap();
        let g = problem.dataset().signed_samples();
        let Separability::Separable(limit) = max_margin(g) else {
            panic!("a teacher separates");
        };
        let loose = FlowOptions {
            rtol: 0.1,
            atol: 1e-3,
            ..FlowOptions::to(16.0)
        };
        for (early, agrees) in [(0.0, true), (0.01, true), (0.04, false), (0.5, false)] {
            let shorter = FlowOptions::to(16.0 - early);
            let trajectory = integrate(&problem, &shorter, &mut |_| {}).unwrap();
            let diagnostics = diagnose(&problem, &trajectory, Some(&limit));
            let found = verify(
                &problem,
                Some(&limit),
                &loose,
                &diagnostics,
                &Control::none(),
            )
            .unwrap();
            assert_eq!(found.agrees, agrees, "{early}: {found:?}");
        }
    }
}
