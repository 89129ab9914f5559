//! Theorem 3 without its hidden hypothesis: features whose limits have no margin.
//!
//! ```text
//! cargo run --release --example theorem_3_needs_a_margin
//! ```
//!
//! The report's Theorem 3 says: if the output layer follows its gradient, the loss tends to zero and the other layers
//! converge in direction, then the output weights converge in direction. It needs besides that the *limits* of the
//! features can be separated. Here they cannot: two samples of label +1 have the features
//! ```text
//! φ_± = (±ρ, u),    u in the plane,    |u| ∝ √ρ,
//! ```
//! with limits (±1, 0) in direction. What separates them is u, which turns for ever: with the multipliers' sum
//! S = α_+ + α_−, the layers below learn by the rule
//! ```text
//! ρ' = S,    u' = (½ u + κ J u) S/ρ    (J: a quarter turn),
//! ```
//! that is ρ = ρ_0 + ∫S, |u| ∝ √ρ, and the angle of u is κ ln ρ. The output layer follows its gradient, so the plane's
//! part of w is ∫ S u ∝ ρ^{3/2 + iκ}/(3/2 + iκ): it follows u at a constant distance of arctan(2κ/3), while the first
//! entry is pulled back to nothing. Margins grow like ρ², so ln ρ ≈ ½ ln ln t: the direction of w turns by κ/2 per unit
//! of log-log-time, without end, and it is never that of the features' support vector machine, which is u.

use marginflow::flow::{FlowOptions, NewtonSolver, integrate_kernel};
use marginflow::limit::{angle, feature_max_margin};
use marginflow::loss::Loss;
use marginflow::network::{Kernel, Tangent};
use marginflow::trajectory::Status;
use nalgebra::{DVector, dmatrix};
use std::error::Error;
use std::sync::Arc;

/// How far u turns per unit of ln ρ.
const TURN: f64 = 0.6;

/// θ = (w_1, w_2, w_3, ρ, u_1, u_2).
struct Turning;

/// `½ u + κ J u`
fn pull(u: &[f64]) -> [f64; 2] {
    [0.5 * u[0] - TURN * u[1], 0.5 * u[1] + TURN * u[0]]
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x[0] * y[0] + x[1] * y[1]
}

/// Sum and difference of the two multipliers.
fn sums(a: &[f64]) -> (f64, f64) {
    (a[0] + a[1], a[0] - a[1])
}

/// Rates of both margins `±ρ w_1 + u·(w_2, w_3)` at θ under the velocity v.
fn rates(theta: &[f64], v: &[f64]) -> [f64; 2] {
    let across = theta[3] * v[0] + v[3] * theta[0];
    let along = dot(&theta[4..], &v[1..]) + dot(&v[4..], &theta[1..]);
    [along + across, along - across]
}

fn velocity(theta: &[f64], a: &[f64]) -> [f64; 6] {
    let (sum, difference) = sums(a);
    let (rho, u) = (theta[3], &theta[4..]);
    let pull = pull(u).map(|x| x * sum / rho);
    [
        rho * difference,
        sum * u[0],
        sum * u[1],
        sum,
        pull[0],
        pull[1],
    ]
}

impl Kernel for Turning {
    fn parameters(&self) -> usize {
        6
    }

    fn samples(&self) -> usize {
        2
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let (across, along) = (theta[3] * theta[0], dot(&theta[4..], &theta[1..]));
        margins.copy_from_slice(&[along + across, along - across]);
    }

    fn velocity(&self, theta: &[f64], multipliers: &[f64], out: &mut [f64], rate: &mut [f64]) {
        let v = velocity(theta, multipliers);
        out.copy_from_slice(&v);
        rate.copy_from_slice(&rates(theta, &v));
    }

    fn tangent(&self, theta: &[f64], a: &[f64], d_theta: &[f64], d_a: &[f64]) -> Tangent {
        let v = velocity(theta, a);
        let ((sum, difference), rho) = (sums(a), theta[3]);
        // the velocity is linear in the multipliers
        let mut dv = velocity(theta, d_a);
        dv[0] += d_theta[3] * difference;
        for i in 0..2 {
            dv[1 + i] += sum * d_theta[4 + i];
            dv[4 + i] += pull(&d_theta[4..])[i] * sum / rho - v[4 + i] * d_theta[3] / rho;
        }
        let (moved, turned) = (rates(theta, &dv), rates(d_theta, &v));
        Tangent {
            velocity: dv.to_vec(),
            margins: DVector::from_column_slice(&rates(theta, d_theta)),
            rates: DVector::from_fn(2, |n, _| moved[n] + turned[n]),
        }
    }
}

pub fn main() -> Result<(), Box<dyn Error>> {
    let start = DVector::from_vec(vec![0.3, 0.1, 0.2, 1.0, 1.0, 0.0]);
    let kernel: Arc<dyn Kernel> = Arc::new(Turning);
    let options = FlowOptions::to(40.0);
    let structured = NewtonSolver::Structured;
    let run = integrate_kernel(
        &kernel,
        Loss::Exponential,
        &start,
        &options,
        structured,
        &mut |_| {},
    )?;
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    println!("log-log-time     ln loss  features off limit  w against their SVM  w has turned");
    let lag = (2.0 * TURN / 3.0).atan();
    let mut turned = 0.0;
    let mut before = run.theta.column(0).into_owned();
    for (k, s) in run.log_log_time.iter().enumerate() {
        let theta = run.theta.column(k).into_owned();
        let (w, rho, u) = (theta.rows(0, 3), theta[3], theta.rows(4, 2));
        turned += angle(
            before.rows(0, 3).into_owned().as_slice(),
            w.into_owned().as_slice(),
        );
        before.clone_from(&theta);
        let features = dmatrix![rho, u[0], u[1]; -rho, u[0], u[1]];
        let machine = feature_max_margin(&features).expect("u separates them");
        let apart = angle(w.into_owned().as_slice(), machine.beta.as_slice());
        let off = (u.norm() / rho).atan();
        let mut margins = [0.0; 2];
        kernel.margins(theta.as_slice(), &mut margins);
        let log_loss = Loss::Exponential.log_loss(margins.into_iter());
        if k % 20 == 0 {
            println!("{s:12.1} {log_loss:11.3e} {off:19.3e} {apart:20.6} {turned:13.4}");
        }
        if *s > 30.0 {
            assert!(log_loss < -1e12 && off < 1e-3);
            assert!((apart - lag).abs() < 1e-3, "{apart} {lag}");
        }
    }
    // κ/2 per unit of log-log-time, from when the start is forgotten
    assert!(turned > 0.5 * TURN * 30.0, "{turned}");
    println!("the loss vanishes, the features converge, and w follows u at {lag:.6} rad for ever");
    Ok(())
}
