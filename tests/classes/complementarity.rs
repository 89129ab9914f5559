//! Feedback that is no multiple of orthonormal columns.

use crate::judged::judged;
use crate::{Kind, problem, product};
use marginflow::claims::Outcome;
use marginflow::dataset::gaussian_class_teacher;
use marginflow::flow::FlowOptions;
use marginflow::loss::Loss;
use marginflow::trajectory::Status;

/// Feedback that selects no norm: what theory says instead holds, and of that feedback only.
#[test]
fn gaussian_feedback_ends_at_a_solution_of_a_complementarity_problem() {
    for (seed, hidden) in [(1, &[4][..]), (2, &[5]), (3, &[4, 5])] {
        let data = gaussian_class_teacher(6, 8, 3, seed).unwrap();
        let problem = problem(&data, hidden, Kind::Gaussian, Loss::Exponential, 0.0);
        let horizon = if hidden.len() == 1 { 40.0 } else { 90.0 };
        let run = judged(&problem, &FlowOptions::to(horizon), false).unwrap();
        assert_eq!(run.status, Status::Completed, "{:?}", run.message);
        let of = |id: &str| run.verdicts.iter().find(|v| v.id == id).unwrap();
        let verdict = of("dfa-complementarity");
        assert_eq!(verdict.outcome, Outcome::Holds, "{}", verdict.evidence);
        assert!(verdict.residual.unwrap() < 1e-3, "{}", verdict.evidence);
        assert_eq!(of("thm-1-vector").outcome, Outcome::NotApplicable);

        // β and Z from the weights, K from the feedback, cone and predictor written out
        let theta = run.trajectory.theta.column(run.trajectory.len() - 1);
        let w = problem.network().weights(theta.as_slice());
        let f = problem.feedback_matrices().unwrap();
        let beta = product(&w, w.len()).normalize();
        let z = (&w[0] * f[0].clone().pseudo_inverse(1e-12).unwrap().transpose()).normalize();
        let k: Vec<_> = f.iter().map(|f| f.tr_mul(f)).collect();
        let mut c = z.tr_mul(&z);
        let mut settled = &z * &k[0] * &c;
        if let [below, above] = &k[..] {
            c = c.tr_mul(&(below * &c));
            settled = settled * above * c;
        }
        let off = (&beta - settled.normalize()).norm();
        assert!((off / verdict.residual.unwrap()) < 1.0 + 1e-6, "{off:e}");
        // of the identity in the place of K it is not
        let euclidean = &z * z.tr_mul(&z);
        assert!((beta - euclidean.normalize()).norm() > 0.01);
    }
    let data = gaussian_class_teacher(6, 8, 3, 1).unwrap();
    let orthonormal = problem(&data, &[4], Kind::Orthonormal, Loss::Exponential, 0.0);
    let run = judged(&orthonormal, &FlowOptions::to(20.0), false).unwrap();
    let verdict = (run.verdicts.iter()).find(|v| v.id == "dfa-complementarity");
    assert_eq!(verdict.unwrap().outcome, Outcome::NotApplicable);
}
