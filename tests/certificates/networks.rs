//! KKT points of networks with gates.

use super::bases::{feedback_of_units, of_run, two_layers};
use super::truth::is_true;
use marginflow::certify::check::{KktPoint, Proof};
use marginflow::certify::{Certificate, Dyadic, check};
use marginflow::rule::Rule;

fn point(certificate: &mut Certificate) -> (usize, &mut KktPoint) {
    let found = certificate
        .statements
        .iter_mut()
        .enumerate()
        .find_map(|(i, s)| match &mut s.proof {
            Proof::KktPoint(point) => Some((i, point)),
            _ => None,
        });
    found.expect("a KKT point")
}

fn both() -> [Certificate; 2] {
    let feedback = Rule::direct_feedback_alignment(vec![feedback_of_units()]);
    [feedback, Rule::gradient_descent()].map(|rule| of_run(&two_layers(rule), 20.0))
}

#[test]
fn ends_of_runs_are_near_exact_kkt_points() {
    for mut certificate in both() {
        is_true(&certificate).unwrap();
        assert!(check(&certificate).unwrap().iter().all(Result::is_ok));
        let (_, found) = point(&mut certificate);
        let distance = found.distance.to_f64();
        println!(
            "{:?}: {} groups, distance {distance:.1e}",
            found.objective,
            found.groups.len()
        );
        assert!(distance < 0.05 && distance > 0.0);
    }
}

/// What would make each condition fail, one at a time.
#[test]
fn every_condition_counts() {
    type Change = fn(&mut KktPoint);
    let changes: [(&str, Change); 7] = [
        ("Krawczyk", |p| {
            p.radii
                .iter_mut()
                .for_each(|r| *r = Dyadic::from_f64(r.to_f64() * 1e-30).unwrap())
        }),
        ("Krawczyk", |p| {
            p.centre[0] = Dyadic::from_f64(p.centre[0].to_f64() * (1.0 + 1e-9)).unwrap()
        }),
        ("Krawczyk", |p| {
            p.inverse
                .iter_mut()
                .flatten()
                .for_each(|c| *c = Dyadic::from_f64(0.0).unwrap())
        }),
        ("distance", |p| {
            p.distance = Dyadic::from_f64(p.distance.to_f64() * 0.999).unwrap()
        }),
        ("sign of their group", |p| {
            p.groups[0].sign = -p.groups[0].sign
        }),
        ("", |p| p.labels[0] = -p.labels[0]),
        ("", |p| {
            p.groups[0].gates = p.groups[0]
                .gates
                .replace('1', "2")
                .replace('0', "1")
                .replace('2', "0")
        }),
    ];
    for certificate in both() {
        for (reason, change) in &changes {
            let mut changed = certificate.clone();
            let (at, found) = point(&mut changed);
            change(found);
            // by itself: beside others its labels would have to be theirs
            changed.statements = vec![changed.statements.swap_remove(at)];
            let verdict = check(&changed).unwrap().swap_remove(0);
            let why = verdict.expect_err("a condition fails").to_string();
            assert!(why.contains(reason), "{why} does not mention {reason}");
        }
    }
}
