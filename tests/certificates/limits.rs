//! Limits of linear networks: proved, and as tightly as they are known.

use super::bases::{linear_problems, not_separable, of_limit, with_feedback};
use marginflow::certify::check::{Norm, Proof};
use marginflow::certify::{Certificate, Dyadic, check};
use marginflow::dataset::gaussian_teacher;
use marginflow::network::Network;
use std::time::Instant;

#[track_caller]
fn proved(certificate: &Certificate) {
    for (statement, verdict) in certificate
        .statements
        .iter()
        .zip(check(certificate).unwrap())
    {
        assert!(verdict.is_ok(), "{}: {verdict:?}", statement.proof.name());
    }
}

#[test]
fn limits_of_linear_networks_are_proved() {
    for problem in linear_problems() {
        let certificate = of_limit(&problem);
        proved(&certificate);
        let Proof::LeastNorm(proof) = &certificate.statements[0].proof else {
            panic!()
        };
        let value = |bound: &Option<Dyadic>| bound.as_ref().expect("a bound").to_f64();
        let stored = &proof.directions[0];
        match proof.norm {
            Norm::EntriesSum | Norm::FrequenciesSum => assert!(value(&stored.gap) < 1e-12),
            _ => {
                assert!(
                    value(&proof.gap) < 1e-30 && value(&stored.gap) < 1e-14,
                    "{proof:?}"
                );
                assert!(
                    value(&proof.angle) < 1e-14 && value(&stored.angle) < 1e-14,
                    "{proof:?}"
                );
            }
        }
    }
}

/// A bound that is lower by a thousandth is refused, so what is stated is nearly the least that could be.
#[test]
fn bounds_are_tight() {
    for problem in linear_problems() {
        let certificate = of_limit(&problem);
        let lower = |bound: &mut Option<Dyadic>| {
            let Some(value) = bound.as_ref().map(Dyadic::to_f64).filter(|x| *x > 0.0) else {
                return false;
            };
            *bound = Dyadic::from_f64(value * 0.999);
            true
        };
        for part in 0..4 {
            let mut changed = certificate.clone();
            let Proof::LeastNorm(proof) = &mut changed.statements[0].proof else {
                panic!()
            };
            let stored = &mut proof.directions[0];
            let is_lower = match part {
                0 => lower(&mut stored.gap),
                1 => lower(&mut stored.angle),
                2 => lower(&mut proof.gap),
                _ => lower(&mut proof.angle),
            };
            let verdict = &check(&changed).unwrap()[0];
            assert!(
                !is_lower || verdict.is_err(),
                "part {part} of {:?}",
                problem.network()
            );
        }
    }
}

/// Certificates that earlier versions have written stay what they are.
#[test]
fn certificates_in_the_repository_are_accepted() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/samples");
    for name in [
        "fc-dfa",
        "conv-dfa-2",
        "conv-bp-2",
        "conv-bp-3",
        "diagonal-dfa",
        "relu-dfa",
    ] {
        let bytes = std::fs::read(format!("{folder}/{name}.json")).unwrap();
        proved(&marginflow::certify::read(&bytes).unwrap());
    }
}

#[test]
fn data_that_are_not_separable_are_proved_so() {
    let certificate = not_separable();
    assert_eq!(certificate.statements[0].proof.name(), "non-separable");
    proved(&certificate);
}

/// N = 400, D = 200: a certificate is checked within a second where a core is free (this test allows for others).
#[test]
fn large_limits_are_checked_quickly() {
    for (network, name) in [
        (Network::fully_connected(200, &[2]), "fully connected"),
        (Network::convolutional(200, 2), "convolutional, L = 2"),
    ] {
        let data = gaussian_teacher(200, 400, 3);
        let is_spectral = network.spectrum().is_some();
        let problem = if is_spectral {
            with_feedback(network, data)
        } else {
            super::bases::plain(network, data)
        };
        let certificate = of_limit(&problem);
        let start = Instant::now();
        proved(&certificate);
        let checked = start.elapsed();
        let Proof::LeastNorm(proof) = &certificate.statements[0].proof else {
            panic!()
        };
        let gap = proof.gap.as_ref().unwrap().to_f64();
        println!("{name}: checked in {checked:.2?}, gap {gap:.1e}");
        assert!(gap < 1e-12 && checked.as_secs_f64() < 20.0);
    }
}
