//! Samples that contradict each other, with several outputs.

use super::*;

/// The same sample with two labels: the two rows that tell these classes apart come to rest at margins zero, by
/// symmetry, whatever the loss couples them with, and all others grow.
#[test]
fn samples_that_contradict_each_other_are_held() {
    let drawn = gaussian_class_teacher(5, 6, 3, 3).unwrap();
    let first = drawn.samples().row(0).into_owned();
    let mut samples = drawn.samples().clone().insert_row(6, 0.0);
    samples.set_row(6, &first);
    let own = drawn.class_of(0);
    let other = (own + 1) % 3;
    let classes: Vec<usize> = (0..6).map(|n| drawn.class_of(n)).chain([other]).collect();
    let data = Dataset::of_classes(samples, &classes, 3).unwrap();
    // the place of class k among the rows of a sample of class c
    let row = |n: usize, c: usize, k: usize| 2 * n + k - usize::from(k > c);
    let held = [row(0, own, other), row(6, other, own)];
    for (kind, hidden) in [(Kind::Orthonormal, &[5][..]), (Kind::Descent, &[])] {
        for loss in [Loss::Exponential, Loss::CrossEntropy] {
            let problem = problem(&data, hidden, kind, loss, 0.0);
            let (trajectory, d) = run(&problem, &FlowOptions::to(30.0));
            assert_eq!(
                trajectory.status,
                Status::Completed,
                "{kind:?} {loss:?} {:?}",
                trajectory.message
            );
            let since = trajectory.held.as_ref().expect("two rows are held").since;
            assert!(since < 10.0, "{since}");
            let last = d.margins.column(d.margins.ncols() - 1);
            let tau = 30f64.exp_m1();
            for (n, m) in last.iter().enumerate() {
                match held.contains(&n) {
                    true => assert!(m.abs() < 1e-6, "{kind:?} {loss:?} {n} {m}"),
                    false => assert!(*m > 0.9 * tau, "{kind:?} {loss:?} {n} {m}"),
                }
            }
        }
    }
}

/// Three species of iris: setosa is far from the others, which no hyperplane separates. In the limit the loss is that
/// of the logistic regression of versicolor against virginica (its optimum by SciPy's BFGS, to 1e-12).
#[test]
fn the_loss_of_iris_tends_to_that_of_its_two_near_species() {
    let text = "initial = 'zero'\nloss = 'cross-entropy'\n[dataset.table]\npath = 'iris.csv'\nlabel = 'species'\n\
                classes = ['setosa', 'versicolor', 'virginica']\nstandardise = true\nconstant-feature = true\n\
                [network.fully-connected-linear]\ndepth = 2\n[rule.direct-feedback-alignment]\n\
                feedback.orthonormal.seed = 7\n[flow]\nuntil.log-log-time = 30.0\n";
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scenarios/data/iris-classes.toml"
    );
    let scenario = marginflow::scenario::parse(path.as_ref(), text, &[]).unwrap();
    let problem = scenario.build().unwrap();
    let (trajectory, d) = run(&problem, &scenario.flow);
    assert_eq!(trajectory.status, Status::Completed);
    let last = |series: &[f64]| series[series.len() - 1];
    assert!((last(&d.log_loss) - 1.783_269_093_727).abs() < 1e-9);
    assert!((last(&d.min_margin) + 1.880_163_383_67).abs() < 1e-8);
}
