use marginflow::{dataset::Dataset, flow::*, loss::Loss, network::*, problem::Problem, rule::Rule};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (d, n, l, s): (usize, usize, usize, f64) = (a[1].parse().unwrap(), a[2].parse().unwrap(), a[3].parse().unwrap(), a[4].parse().unwrap());
    let rule = &a[5];
    let init: f64 = a[6].parse().unwrap();
    let seed: u64 = a[7].parse().unwrap();
    let rng = &mut rand_pcg::Pcg64::seed_from_u64(seed);
    let mut g = |k: usize| -> Vec<f64> { (0..k).map(|_| rng.sample(StandardNormal)).collect() };
    let x = DMatrix::from_vec(n, d, g(n * d));
    let t = DVector::from_vec(g(d));
    let y = (&x * &t).map(|v| v.signum());
    let hidden = vec![d; l - 1];
    let net = Network::FullyConnectedLinear(FullyConnectedLinear::new(d, &hidden));
    let rule = if rule == "bp" { Rule::GradientDescent } else { Rule::DirectFeedbackAlignment(hidden.iter().map(|h| DVector::from_vec(g(*h))).collect()) };
    let theta0 = DVector::from_vec(g(net.parameters())) * init;
    let p = Problem { dataset: Dataset::new(x, y), network: net, rule, loss: Loss::Exponential, theta0 };
    let mut o = FlowOptions::to(s);
    if let Some(r) = a.get(8) { o.rtol = r.parse().unwrap(); o.atol = o.rtol / 100.0; }
    if let Some(m) = a.get(9) { o.method = match m.as_str() { "esdirk34" => Method::Esdirk34, "tr-bdf2" => Method::TrBdf2, "tsit45" => Method::Tsit45, _ => Method::Bdf }; }
    let tr = integrate(&p, &o, &mut |_| {}).unwrap();
    println!("{:?} {:?} {:?}", tr.status, tr.message, tr.solver);
    let k = tr.len() - 1;
    let beta = p.network.predictor(tr.theta.column(k).as_slice());
    let m = p.dataset.signed_samples() * &beta;
    let tau = tr.log_time(k);
    let drift = (0..n).map(|i| (tr.log_multipliers[(i, k)] - (tau - m[i])).abs() / (1.0 + tau)).fold(0.0, f64::max);
    println!("drift {drift:e}");
    // angle to SVM by active set from p
    let act: Vec<usize> = (0..n).filter(|&i| tr.log_multipliers[(i, k)] > -2.0 * s - 20.0).collect();
    let ga = p.dataset.signed_samples().select_rows(&act);
    let gram = &ga * ga.transpose();
    if let Some(c) = gram.cholesky() {
        let lam = c.solve(&DVector::from_element(act.len(), 1.0));
        let svm = ga.transpose() * &lam;
        let (u, v) = (beta.normalize(), svm.normalize());
        println!("support {act:?} min lam {:e} angle {:e}", lam.min(), (&u - &v).norm());
    }
}
