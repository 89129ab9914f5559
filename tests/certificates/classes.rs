//! Statements about networks with several outputs, and about the loss that rises.

use super::bases::{class_problems, loss_that_rises, of_limit, of_run, with_classes};
use super::mutations::{code, codes_of_python};
use super::truth::is_true;
use marginflow::certify::check::{LossRises, Norm, Proof};
use marginflow::certify::{Certificate, Certified, Dyadic, check};
use marginflow::dataset::gaussian_class_teacher;
use serde_json::{Value, json};
use std::time::Instant;

fn proved(certificate: &Certificate) -> bool {
    check(certificate).is_ok_and(|verdicts| verdicts.iter().all(Result::is_ok))
}

fn scaled(bound: &Dyadic, factor: f64) -> Dyadic {
    Dyadic::from_f64(bound.to_f64() * factor).unwrap()
}

#[test]
fn limits_of_networks_with_classes_are_proved() {
    for problem in class_problems() {
        let certificate = of_limit(&problem);
        assert!(proved(&certificate));
        is_true(&certificate).unwrap();
        let certified = Certified::of(&certificate);
        let (gap, angle) = (certified.gap.unwrap(), certified.limit_angle);
        println!(
            "{:?}: gap {gap:.1e}, {angle:?}",
            certificate.statements[0].proof.name()
        );
        match &certificate.statements[0].proof {
            Proof::LeastNuclear(_) => assert!(gap < 1e-9 && angle.is_none()),
            Proof::LeastSchatten(proof) => {
                assert!(gap < 1e-30 && proof.angle.as_ref().unwrap().to_f64() < 1e-14);
                // of the limit as stored: solvers accept a gap of 1e-12, which is an angle of 1e-6
                assert!(angle.unwrap() < 1e-6);
            }
            Proof::LeastNorm(proof) => {
                assert_eq!(proof.norm, Norm::Euclidean);
                assert!(gap < 1e-30 && angle.unwrap() < 1e-14);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A bound that is lower by a thousandth is refused.
#[test]
fn bounds_are_tight() {
    for problem in class_problems() {
        let certificate = of_limit(&problem);
        for part in 0..3 {
            let mut changed = certificate.clone();
            match (&mut changed.statements[0].proof, part) {
                (Proof::LeastSchatten(p), 0) => p.gap = scaled(&p.gap, 0.999),
                (Proof::LeastSchatten(p), 1) => {
                    p.angle = p.angle.as_ref().map(|x| scaled(x, 0.999))
                }
                (Proof::LeastSchatten(p), _) => {
                    p.directions[0].angle = scaled(&p.directions[0].angle, 0.999);
                }
                (Proof::LeastNuclear(p), 0) => p.bound = scaled(&p.bound, 1.0 - 1e-14),
                (Proof::LeastNuclear(p), _) if p.directions[0].gap.to_f64() > 0.0 => {
                    p.directions[0].gap = scaled(&p.directions[0].gap, 0.999);
                }
                _ => continue,
            }
            assert!(!proved(&changed), "part {part}");
        }
    }
}

/// What a run is certified to be near.
#[test]
fn ends_of_runs_are_near_their_limits() {
    let all = class_problems();
    let certified = Certified::of(&of_run(&all[1], 20.0));
    assert!(certified.angle.unwrap() < 0.02 && certified.gap.unwrap() < 1e-30);
    let certified = Certified::of(&of_run(&all[4], 20.0));
    assert!(certified.run_gap.unwrap() < 0.02 && certified.angle.is_none());
}

/// Features are in the place of samples, and rows are made of them: with the samples as features nothing changes.
#[test]
fn rows_of_features_are_made_as_those_of_samples() {
    let mut certificate = of_limit(&class_problems()[0]);
    let samples = certificate.data.signed_samples.clone();
    let Proof::LeastNorm(proof) = &mut certificate.statements[0].proof else {
        panic!()
    };
    proof.features = Some(samples);
    assert!(proved(&certificate));
    let codes = codes_of_python(&[&certificate.json()]);
    assert!(codes.is_none_or(|codes| codes == [0]));
    let Proof::LeastNorm(proof) = &mut certificate.statements[0].proof else {
        panic!()
    };
    proof.features.as_mut().unwrap().pop();
    assert!(!proved(&certificate));
}

/// Refused by both checkers.
#[test]
fn what_does_not_fit_classes_is_refused() {
    let of = |i: usize| -> Value {
        serde_json::from_str(&of_limit(&class_problems()[i]).json()).unwrap()
    };
    let (svm, schatten) = (of(0), of(1));
    let changed = |document: &Value, place: &str, to: Value| {
        let mut document = document.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        let table = document.pointer_mut(parent).unwrap().as_object_mut();
        table.unwrap().insert(key.into(), to);
        document.to_string()
    };
    let mut plain = schatten.clone();
    plain["data"].as_object_mut().unwrap().remove("classes");
    let mut gated: Value = svm.clone();
    gated["statements"][0]["proof"] = json!({"kind": "feedback-margin", "slope": "0x0p+0",
        "labels": [1, 1, 1, 1, 1], "earlier": {"hidden": [["0x1p+0"]], "output": ["0x1p+0"]},
        "later": {"hidden": [["0x1p+0"]], "output": ["0x1p+0"]}});
    let proof = "/statements/0/proof";
    let texts = [
        plain.to_string(),
        gated.to_string(),
        changed(&svm, "/data/classes", Value::Null),
        changed(&svm, "/data/classes", json!([3, [0, 1, 2, 0, 1]])),
        changed(&svm, "/data/classes/outputs", json!(1)),
        changed(&svm, "/data/classes/outputs", json!(2)),
        changed(&svm, "/data/classes/outputs", json!(4)),
        changed(&svm, "/data/classes/outputs", json!(5000)),
        changed(&svm, "/data/classes/outputs", json!(3.0)),
        changed(&svm, "/data/classes/labels", json!([0, 1, 2])),
        changed(&svm, "/data/classes/labels", json!([0, 1, 2, 0, -1])),
        changed(&svm, "/data/classes/labels", json!([true, 1, 2, 0, 1])),
        changed(&svm, "/data/feedback", json!([vec!["0x1p+0"; 12]])),
        changed(&svm, &format!("{proof}/norm"), json!("entries-sum")),
        changed(&schatten, &format!("{proof}/depth"), json!(1)),
        changed(&schatten, &format!("{proof}/depth"), json!(6)),
        changed(&schatten, &format!("{proof}/angle"), Value::Null),
    ];
    for text in &texts {
        assert_eq!(code(text).0, 1, "{text:.400}");
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let codes = codes_of_python(&texts);
    assert!(codes.is_none_or(|codes| codes.iter().all(|code| *code == 1)));
}

/// With another class for one sample it is another problem: the same multipliers prove nothing tight of it.
#[test]
fn a_statement_is_about_the_classes_as_stored() {
    for problem in class_problems() {
        let mut certificate = of_limit(&problem);
        let labels = &mut certificate.data.classes.as_mut().unwrap().labels;
        labels[0] = (labels[0] + 1) % 3;
        assert!(!proved(&certificate));
    }
}

/// At zero weights, at the start, nothing rises; where it rises the statement is proved, and it is lost once the loss
/// falls again.
#[test]
fn a_loss_that_rises_is_proved_to() {
    let certificate = loss_that_rises();
    let at = (certificate.statements.iter())
        .position(|s| s.proof.name() == "loss-rises")
        .expect("it rises");
    assert!(proved(&certificate));
    is_true(&certificate).unwrap();
    let alone = |change: &dyn Fn(&mut LossRises)| {
        let mut changed = certificate.clone();
        changed.statements = vec![changed.statements.swap_remove(at)];
        let Proof::LossRises(proof) = &mut changed.statements[0].proof else {
            panic!()
        };
        change(proof);
        changed
    };
    let zero = alone(&|p| {
        p.layers
            .iter_mut()
            .flatten()
            .for_each(|w| *w = Dyadic::from_f64(0.0).unwrap())
    });
    let first_alone = alone(&|p| {
        p.layers[1..]
            .iter_mut()
            .flatten()
            .for_each(|w| *w = Dyadic::from_f64(0.0).unwrap())
    });
    let short = alone(&|p| drop(p.layers.pop()));
    // real spectra of one sign: the loss falls
    let one = |i: usize| Dyadic::from_f64(f64::from(u8::from(i == 0))).unwrap();
    let falls = alone(&|p| p.layers = vec![(0..3).map(one).collect(); 3]);
    let refused = [zero, first_alone, short, falls];
    assert!(proved(&alone(&|_| ())));
    assert!(refused.iter().all(|changed| !proved(changed)));
    let texts: Vec<String> = refused.iter().map(Certificate::json).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let codes = codes_of_python(&texts);
    assert!(codes.is_none_or(|codes| codes.iter().all(|code| *code == 1)));
}

/// N = 400, D = 200, three classes: checked within a second where a core is free (this test allows for others).
#[test]
fn large_limits_with_classes_are_checked_quickly() {
    let data = gaussian_class_teacher(200, 400, 3, 3).unwrap();
    for (depth, is_descent) in [(1, true), (2, false), (2, true)] {
        let start = Instant::now();
        let certificate = of_limit(&with_classes(data.clone(), depth, is_descent));
        let made = start.elapsed();
        let start = Instant::now();
        assert!(proved(&certificate));
        let checked = start.elapsed();
        let gap = Certified::of(&certificate).gap.unwrap();
        let name = certificate.statements[0].proof.name();
        println!("{name}: made in {made:.2?}, checked in {checked:.2?}, gap {gap:.1e}");
        let bound = if depth == 2 && is_descent {
            1e-9
        } else {
            1e-12
        };
        assert!(gap < bound && checked.as_secs_f64() < 20.0);
    }
}
