//! SHA-256 of the numbers scenarios draw: data, feedback, initial weights.
//!
//! **A change here changes every published figure.** The draws are part of what a scenario means. Should a test of this
//! file fail after an update of a dependency (`rand_pcg`, `rand_distr`, `nalgebra`, `rustfft`) or a change of ours,
//! then the same scenario no longer computes what it did: keep the old draws, or say in the changelog that all results
//! are new.
//!
//! Hashed are the little-endian bytes of the numbers, matrices column by column. Numbers that go through a Fourier
//! transform depend in their last digits on the instructions of the processor, and are hashed in units of 2^−32.

use marginflow::dataset::{Dataset, gaussian_random_labels, gaussian_teacher};
use marginflow::dataset::{gaussian_teacher_vector, standard_normals};
use marginflow::problem::Problem;
use marginflow::scenario;
use sha2::{Digest, Sha256};

/// SHA-256 of the bytes of these numbers, in hexadecimal.
fn hash<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> String {
    hexadecimal(numbers.into_iter().flat_map(|x| x.to_le_bytes()).collect())
}

/// SHA-256 of these numbers in units of 2^−32.
fn coarse_hash<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> String {
    let units = numbers.into_iter().map(|x| {
        let units = x * 2f64.powi(32);
        // A transform is right to 1e-15, a tiny part of a unit: nearer to the edge a processor would decide.
        let edge = (units - units.floor() - 0.5).abs();
        assert!(edge > 1e-3, "{x} is at an edge: hash other draws");
        units.round() as i64
    });
    hexadecimal(units.flat_map(i64::to_le_bytes).collect())
}

fn hexadecimal(bytes: Vec<u8>) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All differences at once, so that one run shows what has changed.
fn assert_all(found: &[(String, String)], expected: &[(&str, &str)]) {
    let listed = |pairs: &mut dyn Iterator<Item = (String, String)>| -> String {
        pairs
            .map(|(what, hash)| format!("    (\"{what}\", \"{hash}\"),\n"))
            .collect()
    };
    let expected = expected
        .iter()
        .map(|(what, hash)| ((*what).to_owned(), (*hash).to_owned()));
    let (found, expected) = (
        listed(&mut found.iter().cloned()),
        listed(&mut expected.into_iter()),
    );
    assert!(
        found == expected,
        "the draws have changed; now they are\n{found}"
    );
}

/// Samples, then labels.
fn of_data(data: &Dataset) -> String {
    hash(data.samples().iter().chain(data.labels().iter()))
}

#[test]
fn data_stay_what_they_are() {
    let mut found = Vec::new();
    for (dimension, samples, seed) in [(20, 30, 1), (8, 5, 7), (200, 100, 42)] {
        let size = format!("{dimension} x {samples}, seed {seed}");
        let teacher = gaussian_teacher_vector(dimension, seed);
        found.push((format!("teacher {size}"), hash(teacher.iter())));
        let taught = gaussian_teacher(dimension, samples, seed);
        found.push((format!("taught {size}"), of_data(&taught)));
        let random = gaussian_random_labels(dimension, samples, seed);
        found.push((format!("random labels {size}"), of_data(&random)));
    }
    assert_all(
        &found,
        &[
            (
                "teacher 20 x 30, seed 1",
                "1b71def20fea5808f2524290b605327d4a970365351b3317463ad58da0e4fd27",
            ),
            (
                "taught 20 x 30, seed 1",
                "5ea7b4138bda1bbd04a97861bbea39ed7a54ac27f5c513d025663e553a45ff88",
            ),
            (
                "random labels 20 x 30, seed 1",
                "aa134b9d6ab5821a27144b53e46e34b8508ad4b2c3a6e4782f5e0cda79dee5d1",
            ),
            (
                "teacher 8 x 5, seed 7",
                "23062cb75bea2b7988344c3900bc922e5b5fbbc6330ab9b433804926971216fc",
            ),
            (
                "taught 8 x 5, seed 7",
                "f2430cbbc4cd10b441de9c1d21ea38093179793ac6695da469fef427e0ac8b62",
            ),
            (
                "random labels 8 x 5, seed 7",
                "65c8e62033c33d879bc2be566f2d037f5c8f38623ce2b2f7c84b22e60c30e906",
            ),
            (
                "teacher 200 x 100, seed 42",
                "21504f4e9d072e5baf1f99c1bcbeca15c16fd115fe0d2294ab4870bb679c1179",
            ),
            (
                "taught 200 x 100, seed 42",
                "806b3d3d152be0f138ded4407351b67a1fcc9c27de9a78a45265b184db72e08f",
            ),
            (
                "random labels 200 x 100, seed 42",
                "1fda097a2f4283249594923de75b9141323ef523a1c02413c7a6d67b5f61f0df",
            ),
        ],
    );
}

/// Seeds at both ends of what a scenario can ask for.
#[test]
fn streams_stay_what_they_are() {
    let mut found = Vec::new();
    for purpose in ["feedback", "initial", "gaussian-teacher", "random-labels"] {
        for seed in [0, 7, i64::MAX as u64] {
            let draws: Vec<f64> = standard_normals(purpose, seed).take(10_000).collect();
            found.push((format!("{purpose} {seed}"), hash(&draws)));
        }
    }
    assert_all(
        &found,
        &[
            (
                "feedback 0",
                "2920f0d156f7a97444902c53baf99fd9e9c5158e664ffc9e2315cb4d81751c31",
            ),
            (
                "feedback 7",
                "16d874dd2a5ae48bf0821ac1d74a031a26c2fafb135edce1b572799c0e30a22f",
            ),
            (
                "feedback 9223372036854775807",
                "86d804519c80daf3563f4bc9443617e9569fa5be519f89ac1c721209a5247a64",
            ),
            (
                "initial 0",
                "786e57c153268906b3e4b6b720a443bab499e0145b3adab599e74b08b61dc2ca",
            ),
            (
                "initial 7",
                "f6ebc1242de7eb3c583c9760efe7ad763fa2063b419ff8040568a7e1694ca769",
            ),
            (
                "initial 9223372036854775807",
                "62efb905422217b6887072a079b71ce7eff7ab0a507841a0f11f963f2af01b3e",
            ),
            (
                "gaussian-teacher 0",
                "cc242fb0530671c2f79dac04b53f9c9ca132f7d7f0a72b6376d21a35be7eefc5",
            ),
            (
                "gaussian-teacher 7",
                "5f1369d21253d1ff9f50804081f84527a894aab89ede7ed8a778407bc8054312",
            ),
            (
                "gaussian-teacher 9223372036854775807",
                "84d18a68a21975ca44acf821e965786e05c3fd6a567b4d71a7abba6998f54464",
            ),
            (
                "random-labels 0",
                "31b1c60de29b95667e304c24367faa0be643a4f1739273594d1404a836f80899",
            ),
            (
                "random-labels 7",
                "c39930d1a1a588d2baa4716cbcd859efb5e112d45d9a07fc265f1a1646e56898",
            ),
            (
                "random-labels 9223372036854775807",
                "1036e4e4b0d77bed5ee2cad958fdd019897e921b1dab6a5a161262fb26d5c71f",
            ),
        ],
    );
}

/// A scenario of these tables; D = 9, N = 12.
fn built(network: &str, rule: &str, initial: &str) -> Problem {
    let text = format!(
        "dataset.gaussian-teacher = {{ dimension = 9, samples = 12, seed = 1 }}\n\
         network.{network}\n{rule}\n{initial}\nflow.until.log-log-time = 5"
    );
    let scenario = scenario::parse("golden.toml".as_ref(), &text, &[]);
    let scenario = scenario.unwrap_or_else(|error| panic!("{error}"));
    scenario.build().unwrap_or_else(|error| panic!("{error}"))
}

const NETWORKS: [(&str, &str); 4] = [
    (
        "fully connected",
        "fully-connected-linear = { depth = 3, hidden = [7, 5] }",
    ),
    ("convolutional", "convolutional-linear.depth = 3"),
    ("diagonal", "diagonal-linear.depth = 3"),
    ("relu", "relu.hidden = [7, 5]"),
];

#[test]
fn feedback_stays_what_it_is() {
    let mut found = Vec::new();
    for (name, network) in NETWORKS {
        for rule in ["direct-feedback-alignment", "feedback-alignment"] {
            for draw in [
                "gaussian.seed = 7",
                "gaussian = { seed = 1, scale = 0.25 }",
                "unit-modulus.seed = 7",
            ] {
                let of = format!("rule.{rule}.feedback.{draw}");
                let problem = built(network, &of, "initial = 'zero'");
                let numbers = problem.rule().signals().numbers().concat();
                let transformed = name == "convolutional" && draw.starts_with("unit-modulus");
                let hash = if transformed {
                    coarse_hash(&numbers)
                } else {
                    hash(&numbers)
                };
                found.push((format!("{name}, {rule}, {draw}"), hash));
            }
        }
    }
    assert_all(
        &found,
        &[
            (
                "fully connected, direct-feedback-alignment, gaussian.seed = 7",
                "2c36af294a736989d950f9ebc896f8099511c4562c766ad565c65e3575d7dc4b",
            ),
            (
                "fully connected, direct-feedback-alignment, gaussian = { seed = 1, scale = 0.25 }",
                "6fa67121033bc867ec01ceccc59514103127cd18995924c7a59c1df6d2f09e8f",
            ),
            (
                "fully connected, direct-feedback-alignment, unit-modulus.seed = 7",
                "3ff7952a8900dfc4f60e9b5bb5d38b8324fa4e1b6fe015b80128bf9480987e46",
            ),
            (
                "fully connected, feedback-alignment, gaussian.seed = 7",
                "54731abf9670ca710e95c1e0301facfb7f5ceafd61e0438a13c2a24960ba0d45",
            ),
            (
                "fully connected, feedback-alignment, gaussian = { seed = 1, scale = 0.25 }",
                "5c45992aadd3f6a8c6ef1a7c4bde721084c5b14315ca3ace1c7d911158e44e87",
            ),
            (
                "fully connected, feedback-alignment, unit-modulus.seed = 7",
                "e799e4da3e69358001e8685ab1b2f8cdbbe225dae76fe82a2245a36154ebfbe7",
            ),
            (
                "convolutional, direct-feedback-alignment, gaussian.seed = 7",
                "3ef21c0659d2e07ff941e9bd706f6d0e17073d0357c11e3f20eeaa048381ce58",
            ),
            (
                "convolutional, direct-feedback-alignment, gaussian = { seed = 1, scale = 0.25 }",
                "33b6545f39f6ad2e19aefc4f6958df060c6818db2fccb513046a679f64806b8e",
            ),
            (
                "convolutional, direct-feedback-alignment, unit-modulus.seed = 7",
                "6b35452f26bd2febe87f6995acd2c8c929bc377143de660bcc5f0d42b0fb9dcd",
            ),
            (
                "convolutional, feedback-alignment, gaussian.seed = 7",
                "3ef21c0659d2e07ff941e9bd706f6d0e17073d0357c11e3f20eeaa048381ce58",
            ),
            (
                "convolutional, feedback-alignment, gaussian = { seed = 1, scale = 0.25 }",
                "33b6545f39f6ad2e19aefc4f6958df060c6818db2fccb513046a679f64806b8e",
            ),
            (
                "convolutional, feedback-alignment, unit-modulus.seed = 7",
                "6b35452f26bd2febe87f6995acd2c8c929bc377143de660bcc5f0d42b0fb9dcd",
            ),
            (
                "diagonal, direct-feedback-alignment, gaussian.seed = 7",
                "3ef21c0659d2e07ff941e9bd706f6d0e17073d0357c11e3f20eeaa048381ce58",
            ),
            (
                "diagonal, direct-feedback-alignment, gaussian = { seed = 1, scale = 0.25 }",
                "33b6545f39f6ad2e19aefc4f6958df060c6818db2fccb513046a679f64806b8e",
            ),
            (
                "diagonal, direct-feedback-alignment, unit-modulus.seed = 7",
                "9af4045efc0d052a13e2e5c9b5908aca686c6159b8df60f3079bd3959eb21632",
            ),
            (
                "diagonal, feedback-alignment, gaussian.seed = 7",
                "3ef21c0659d2e07ff941e9bd706f6d0e17073d0357c11e3f20eeaa048381ce58",
            ),
            (
                "diagonal, feedback-alignment, gaussian = { seed = 1, scale = 0.25 }",
                "33b6545f39f6ad2e19aefc4f6958df060c6818db2fccb513046a679f64806b8e",
            ),
            (
                "diagonal, feedback-alignment, unit-modulus.seed = 7",
                "9af4045efc0d052a13e2e5c9b5908aca686c6159b8df60f3079bd3959eb21632",
            ),
            (
                "relu, direct-feedback-alignment, gaussian.seed = 7",
                "2c36af294a736989d950f9ebc896f8099511c4562c766ad565c65e3575d7dc4b",
            ),
            (
                "relu, direct-feedback-alignment, gaussian = { seed = 1, scale = 0.25 }",
                "6fa67121033bc867ec01ceccc59514103127cd18995924c7a59c1df6d2f09e8f",
            ),
            (
                "relu, direct-feedback-alignment, unit-modulus.seed = 7",
                "3ff7952a8900dfc4f60e9b5bb5d38b8324fa4e1b6fe015b80128bf9480987e46",
            ),
            (
                "relu, feedback-alignment, gaussian.seed = 7",
                "54731abf9670ca710e95c1e0301facfb7f5ceafd61e0438a13c2a24960ba0d45",
            ),
            (
                "relu, feedback-alignment, gaussian = { seed = 1, scale = 0.25 }",
                "5c45992aadd3f6a8c6ef1a7c4bde721084c5b14315ca3ace1c7d911158e44e87",
            ),
            (
                "relu, feedback-alignment, unit-modulus.seed = 7",
                "e799e4da3e69358001e8685ab1b2f8cdbbe225dae76fe82a2245a36154ebfbe7",
            ),
        ],
    );
}

#[test]
fn initial_weights_stay_what_they_are() {
    let rule = "rule.direct-feedback-alignment.feedback.gaussian.seed = 7";
    let mut found = Vec::new();
    for (name, network) in NETWORKS {
        for seed in [3, 8] {
            let initial = format!("initial.gaussian = {{ scale = 0.1, seed = {seed} }}");
            let problem = built(network, rule, &initial);
            let theta = problem.theta0().as_slice();
            let hash = if name == "convolutional" {
                coarse_hash(theta)
            } else {
                hash(theta)
            };
            found.push((format!("{name}, seed {seed}"), hash));
        }
    }
    let initial = "initial.gaussian = { scale = 0.5, seed = 3, level-set = true }";
    for (name, network) in [("two layers", "relu.hidden = [6]"), NETWORKS[3]] {
        let problem = built(network, rule, initial);
        found.push((
            format!("level set, {name}"),
            hash(problem.theta0().as_slice()),
        ));
    }
    assert_all(
        &found,
        &[
            (
                "fully connected, seed 3",
                "a3460d210871d686853ef8a738c2a8fa6318a0c582181829823531db119bd5f4",
            ),
            (
                "fully connected, seed 8",
                "ca5f8d021efcfca64d45ce8594c394ed63cb295c08b511277e7427349716a014",
            ),
            (
                "convolutional, seed 3",
                "9ccefb8726b07f00ba68a52e8f6379124e2b347b7e2d3e18c9c61cce2dbfe889",
            ),
            (
                "convolutional, seed 8",
                "b077ab02824707d63b275a1a2500ede93becf48a4ccff63d8599da9420cf3352",
            ),
            (
                "diagonal, seed 3",
                "d6f9e4cac1c8253d4b2874263dfa98f780e82fa86d99a472b752095134eb74c6",
            ),
            (
                "diagonal, seed 8",
                "77aeacb28b6acf671d72e1cacf1c65004540bd74f8215a7bef80bea37988f53d",
            ),
            (
                "relu, seed 3",
                "a3460d210871d686853ef8a738c2a8fa6318a0c582181829823531db119bd5f4",
            ),
            (
                "relu, seed 8",
                "ca5f8d021efcfca64d45ce8594c394ed63cb295c08b511277e7427349716a014",
            ),
            (
                "level set, two layers",
                "052d475517975b419b66d6df11de77fb400bdb25f53790c99c10f00801c30b6b",
            ),
            (
                "level set, relu",
                "8c1f7f42f59a16710db86001b8a91537c0bfa82b0dd05a831b6f874d84382628",
            ),
        ],
    );
}
