//! `[network.layers]`: what is built, and what is refused where.

use super::*;
use crate::network::Network;

const MIXED: &str = r#"
[dataset.gaussian-teacher]
dimension = 8
samples = 6
seed = 1
[network.layers]
layers = [
  { convolution = { kernel = 3, channels = 4 }, activation = "relu" },
  { average-pooling = 2 },
  { dense = 20, activation = { leaky-relu = 0.1 }, bias = true },
  { dense = 10, activation = { relu-power = 2 } },
]
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[initial.gaussian]
scale = 0.3
seed = 3
[flow]
until.log-log-time = 4
"#;

fn built(text: &str, overrides: &[&str]) -> Result<Problem> {
    let overrides: Vec<String> = overrides.iter().map(|o| o.to_string()).collect();
    parse(Path::new("mixed.toml"), text, &overrides)?.build()
}

fn network(text: &str, overrides: &[&str]) -> Network {
    built(text, overrides).unwrap().network().clone()
}

/// The scenario with these layers.
fn with_layers(layers: &str) -> String {
    let (before, rest) = MIXED.split_once("layers = [\n").unwrap();
    let (_, after) = rest.split_once("]\n").unwrap();
    format!("{before}layers = [{layers}]\n{after}")
}

#[test]
fn kinks_are_exact_if_asked_for_and_relu_networks_have_an_output_per_class() {
    let exact = network(MIXED, &["network.layers.smoothing=0.0"]);
    assert_eq!(exact.general().unwrap().softness(), 0.0);
    let two = MIXED.split_once("[network.layers]").unwrap().0.to_owned()
        + "[network.relu]\nhidden = [5, 4]\n[rule.gradient-descent]\n[initial.gaussian]\nscale = 0.3\nseed = 3\n\
           [flow]\nuntil.log-log-time = 4\n";
    assert!(network(&two, &[]).units().is_some());
    let three = network(&two, &["dataset.gaussian-teacher.classes=3"]);
    assert_eq!(three.key(), "layers");
    assert_eq!(three.shapes(), [(8, 5), (5, 4), (4, 3)]);
    assert_eq!(three.general().unwrap().softness(), 0.0);
    let rounded = network(
        &two,
        &[
            "dataset.gaussian-teacher.classes=3",
            "network.relu.smoothing=0.1",
        ],
    );
    assert_eq!(rounded.general().unwrap().softness(), 0.1);
}

#[test]
fn layers_are_those_of_the_keys() {
    let mixed = network(MIXED, &[]);
    assert_eq!(mixed.key(), "layers");
    assert_eq!(mixed.shapes(), [(3, 4), (17, 20), (20, 10), (10, 1)]);
    assert_eq!(mixed.signal_shapes(), [(32, 1), (20, 1), (10, 1)]);
    let layers = mixed.general().unwrap();
    assert_eq!(
        layers.description(),
        "convolution 3 to 4 channels (ReLU, ε = 0.1), average over 2, dense 20 with bias (ReLU, negative slope 0.1, \
         ε = 0.1), dense 10 (ReLU to the power 2), dense 1"
    );
    assert_eq!(layers.softness(), 0.1);
    let sharper = network(MIXED, &["network.layers.smoothing=0.01"]);
    assert_eq!(sharper.general().unwrap().softness(), 0.01);
    // an output per class, and pooling before the output layer
    let classes = with_layers("{ dense = 6, activation = \"quadratic\" }, { average-pooling = 3 }");
    let classes = network(
        &classes,
        &[
            "dataset.gaussian-teacher.classes=3",
            "dataset.gaussian-teacher.samples=20",
        ],
    );
    assert_eq!(classes.shapes(), [(8, 6), (2, 3)]);
    // no hidden layer at all
    assert_eq!(network(&with_layers(""), &[]).shapes(), [(8, 1)]);
}

#[test]
fn dense_layers_of_one_activation_are_relu_networks() {
    let relu = "{ dense = 5, activation = \"relu\" }, { dense = 3, activation = \"relu\" }";
    let text = with_layers(relu);
    assert_eq!(network(&text, &[]), Network::relu(8, &[5, 3], 0.0));
    assert_eq!(
        network(&text, &["network.layers.smoothing=0.2"]),
        Network::relu(8, &[5, 3], 0.2)
    );
    let leaky = with_layers("{ dense = 5, activation = { leaky-relu = 0.25 } }");
    let own = built(
        MIXED,
        &["network.relu={ hidden = [5], negative-slope = 0.25 }"],
    )
    .unwrap();
    assert_eq!(&network(&leaky, &[]), own.network());
}

#[test]
fn layers_that_make_no_sense_are_refused_where_they_are_written() {
    for (layers, parts) in [
        ("{ dense = 0 }", &["0 is not a whole number >= 1"][..]),
        (
            "{ dense = 3, convolution = { kernel = 2, channels = 1 } }",
            &["a layer is one of dense"],
        ),
        ("{ activation = \"relu\" }", &["a layer is one of dense"]),
        (
            "{ average-pooling = 2, activation = \"relu\" }",
            &["an average has no weights"],
        ),
        (
            "{ average-pooling = 3 }, { dense = 2 }",
            &["an average over 3 positions of 8", "{ dense = 2 }"],
        ),
        (
            "{ dense = 5 }, { average-pooling = 2 }",
            &["an average over 2 positions of 5"],
        ),
        (
            "{ convolution = { kernel = 9, channels = 1 } }",
            &["a kernel of 9 on 8 positions"],
        ),
        (
            "{ convolution = { kernel = 1, channels = 2 }, activation = \"relu\" }",
            &["units with a single weight"],
        ),
        (
            "{ convolution = { kernel = 3 } }",
            &["missing key `channels`"],
        ),
        (
            "{ dense = 3, activation = \"gelu\" }",
            &["\"gelu\"", "\"identity\"", "{ relu-power = … }"],
        ),
        (
            "{ dense = 3, activation = \"leaky-relu\" }",
            &["needs a number: { leaky-relu = … }"],
        ),
        (
            "{ dense = 3, activation = { relu = 1 } }",
            &["unknown activation `relu` with a number"],
        ),
        (
            "{ dense = 3, activation = { leaky-relu = 1.5 } }",
            &["1.5 is not a negative slope >= 0 and < 1"],
        ),
        (
            "{ dense = 3, activation = { relu-power = 2.5 } }",
            &["2.5 is not a power: a whole number from 2 to 8"],
        ),
        (
            "{ dense = 3, activation = { leaky-relu = 0.1, relu-power = 2 } }",
            &["a layer has one activation"],
        ),
        ("{ dense = 3, units = 2 }", &["unknown key `units`"]),
    ] {
        let error = built(&with_layers(layers), &[]).unwrap_err();
        assert_eq!(error.exit_code(), 65, "{layers}");
        for part in parts {
            assert!(error.to_string().contains(part), "{layers}: {error}");
        }
    }
    let smoothings = [
        ("-1.0", "-1 is not a smoothing"),
        ("nan", "is not a smoothing"),
    ];
    for (smoothing, part) in smoothings {
        let error = built(MIXED, &[&format!("network.layers.smoothing={smoothing}")]).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    let wide = "{ dense = 2 },".repeat(50);
    let error = built(&with_layers(&wide), &[]).unwrap_err();
    assert!(error.to_string().contains("deeper than 50"), "{error}");
}
