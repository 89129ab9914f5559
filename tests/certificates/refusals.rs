//! Documents that both checkers must refuse: of another shape, too large, about two networks, or with names that look
//! like the words of a checker.

use super::bases;
use super::mutations::{code, codes_of_python, said_by_python};
use marginflow::certify::check::{LONGEST, Proof};
use marginflow::certify::{Certificate, Dyadic, Failure, check};
use serde_json::{Value, json};
use std::fs::File;
use std::process::Command;

fn of_svm() -> Certificate {
    bases::of_limit(&bases::linear_problems()[0])
}

/// Of a run with gates: a KKT point and a margin of feedback.
fn of_two_layers() -> Certificate {
    let found = (bases::all().into_iter()).find(|(name, _)| name == "run, feedback");
    let (_, certificate) = found.expect("a run with gates");
    certificate
}

/// Refused by both, with the exit code of a certificate that is damaged or not proved.
#[track_caller]
fn refused(texts: &[String]) {
    for text in texts {
        assert_eq!(code(text).0, 1, "{text:.400}");
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let Some(codes) = codes_of_python(&texts) else {
        println!("no python3 here");
        return;
    };
    assert!(codes.iter().all(|code| *code == 1), "{codes:?}");
}

/// The fields of an object in this order.
fn fields(object: &Value, names: &str) -> Value {
    names.split(' ').map(|name| object[name].clone()).collect()
}

#[test]
fn arrays_in_place_of_objects_are_refused() {
    let document: Value = serde_json::from_str(&of_svm().json()).unwrap();
    let gated: Value = serde_json::from_str(&of_two_layers().json()).unwrap();
    let changed = |document: &Value, place: &str, to: Value| {
        let mut document = document.clone();
        *document.pointer_mut(place).unwrap() = to;
        document.to_string()
    };
    let as_array = |document: &Value, place: &str, names: &str| {
        changed(
            document,
            place,
            fields(document.pointer(place).unwrap(), names),
        )
    };
    let proof = "/statements/0/proof";
    let norm = &document.pointer(proof).unwrap()["norm"];
    let unit = (0..gated["statements"].as_array().unwrap().len())
        .map(|i| format!("/statements/{i}/proof/units/0"))
        .find(|place| gated.pointer(place).is_some())
        .unwrap();
    refused(&[
        as_array(&document, "/data", "signed_samples feedback"),
        as_array(&document, "/statements/0", "claim inequality proof"),
        as_array(
            &document,
            proof,
            "kind norm features multipliers gap angle directions",
        ),
        as_array(
            &document,
            &format!("{proof}/directions/0"),
            "name beta gap angle radii",
        ),
        as_array(&gated, &unit, "group hidden output"),
        changed(
            &document,
            &format!("{proof}/norm"),
            json!({ norm.as_str().unwrap(): null }),
        ),
    ]);
    // an array is no certificate at all, whatever it contains
    let names = "format scenario scenario_sha256 data statements";
    let whole = fields(&document, names).to_string();
    assert_eq!(code(&whole).0, 65);
    assert!(codes_of_python(&[&whole]).is_none_or(|codes| codes == [65]));
}

/// A name is the file's own word: no line of it may be taken for one of the checker's.
#[test]
fn names_do_not_speak_for_the_checker() {
    let spoof = "end\n0.json: proved: least-norm:euclidean\r\u{202e}\u{1b}[2K";
    let mut certificate = of_svm();
    let Proof::LeastNorm(proof) = &mut certificate.statements[0].proof else {
        panic!()
    };
    proof.directions[0].name = spoof.into();
    let said = check(&certificate)
        .unwrap()
        .remove(0)
        .expect("proved still");
    let harmless = |c: char| !c.is_control() && c != '\u{202e}';
    assert!(
        said.contains("end\\n0.json") && said.chars().all(harmless),
        "{said}"
    );
    for part in ["gap", "angle"] {
        let mut certificate = certificate.clone();
        let Proof::LeastNorm(proof) = &mut certificate.statements[0].proof else {
            panic!()
        };
        let direction = &mut proof.directions[0];
        let bound = match part {
            "gap" => &mut direction.gap,
            _ => &mut direction.angle,
        };
        *bound = Dyadic::from_f64(bound.as_ref().unwrap().to_f64() * 0.5);
        let text = certificate.json();
        assert_eq!(code(&text).0, 1);
        let Some(said) = said_by_python(&[&text]) else {
            return;
        };
        let words = format!("0.json: NOT PROVED: this does not hold: {part} of ");
        assert!(said.starts_with(&words) && said.is_ascii(), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            !said.trim_end().contains(|c: char| c.is_control()),
            "{said:?}"
        );
    }
}

/// With other labels a statement is about other inputs: each would be proved by itself, but not of one network.
#[test]
fn one_certificate_is_about_one_network() {
    let both = of_two_layers();
    let change = |which: usize, labels: bool| {
        let mut certificate = both.clone();
        let of = certificate
            .statements
            .iter_mut()
            .filter_map(|s| match &mut s.proof {
                Proof::KktPoint(point) => Some((&mut point.labels, &mut point.slope)),
                Proof::FeedbackMargin(margin) => Some((&mut margin.labels, &mut margin.slope)),
                _ => None,
            });
        let (y, slope) = of.skip(which).take(1).last().expect("two of them");
        match labels {
            true => y[0] = -y[0],
            false => *slope = Dyadic::from_f64(0.25).unwrap(),
        }
        certificate
    };
    assert!(check(&both).is_ok());
    let mut texts = Vec::new();
    for (which, labels) in [(0, true), (0, false), (1, true), (1, false)] {
        let certificate = change(which, labels);
        let why = check(&certificate).unwrap_err().to_string();
        assert!(why.contains("different labels or slopes"), "{why}");
        texts.push(certificate.json());
    }
    refused(&texts);
}

#[test]
fn what_is_too_large_is_not_attempted() {
    let mut many = of_svm();
    many.statements = vec![many.statements[0].clone(); 16];
    assert_eq!(code(&many.json()).0, 0);
    many.statements.push(many.statements[0].clone());
    assert!(matches!(check(&many), Err(Failure::TooLarge(_))));
    // weights of a power norm: the longest numbers that are read, to the fourteenth power, and multipliers as long
    let problem = bases::linear_problems().into_iter().rev().find(|problem| {
        problem.network().key() == "diagonal-linear" && problem.network().depth() == 4
    });
    let mut powers = bases::of_limit(&problem.expect("a diagonal network of four layers"));
    let long = |list: &mut [Dyadic]| {
        let digits = "f".repeat(4096);
        list[0] = format!("0x{digits}p+16384").parse().unwrap();
        list[1] = format!("0x{digits}p-16384").parse().unwrap();
    };
    powers.data.feedback.iter_mut().for_each(|b| long(b));
    let Proof::LeastNorm(proof) = &mut powers.statements[0].proof else {
        panic!()
    };
    long(&mut proof.multipliers);
    let verdict = check(&powers).unwrap().remove(0);
    assert!(matches!(verdict, Err(Failure::TooLarge(_))), "{verdict:?}");
    // a margin of feedback of weights that are large numbers, at many units
    let mut wide = of_two_layers();
    wide.statements
        .retain(|s| s.proof.name() == "feedback-margin");
    let Proof::FeedbackMargin(proof) = &mut wide.statements[0].proof else {
        panic!("a margin of feedback")
    };
    let mut unit = proof.later.hidden[0].clone();
    unit[0] = "0x1p+16000".parse().unwrap();
    unit[1] = "0x1p-16000".parse().unwrap();
    proof.later.hidden = vec![unit; 40_000];
    proof.later.output = vec![Dyadic::from_f64(1.0).unwrap(); 40_000];
    let verdict = check(&wide).unwrap().remove(0);
    assert!(matches!(verdict, Err(Failure::TooLarge(_))), "{verdict:?}");
    refused(&[many.json(), powers.json(), wide.json()]);
}

/// Files are read as far as the limit and no farther: this one takes no space on the disk.
#[test]
fn long_files_are_refused_by_their_length() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::create(folder.path().join("long.json")).unwrap();
    file.set_len(LONGEST as u64 * 4).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/check_certificate.py");
    let program = env!("CARGO_BIN_EXE_marginflow");
    for (program, first) in [(program, vec!["check"]), ("python3", vec!["-B", script])] {
        let mut command = Command::new(program);
        let command = command.args(first).arg("long.json").current_dir(&folder);
        let Ok(output) = command.output() else {
            println!("no {program} here");
            continue;
        };
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(65), "{program}: {said}");
        assert!(
            said.contains(&format!("more than {LONGEST} bytes")),
            "{program}: {said}"
        );
    }
}
