//! The table `[network.layers]`: layers from the input to the output, and how kinks are rounded.

use super::build::Builder;
use super::numbers::{AtLeast, Depth, shown};
use crate::activation::{ACTIVATIONS, Activation, Identity, OfLayers};
use crate::error;
use crate::network::{Connection, LayerSpec, Misfit, Network};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use toml::Spanned;

/// `[network.layers]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LayersTable {
    /// Hidden layers from the input to the output, each in braces; a linear output layer follows.
    #[schemars(with = "Vec<LayerEntry>")]
    pub layers: Spanned<Vec<Spanned<LayerEntry>>>,
    /// Half width ε over which the kinks of relu and leaky-relu are rounded off, in units of preactivations; 0: exact
    /// kinks. 0.1 if absent; 0 if absent in dense layers of one such activation, without biases and to one output:
    /// these are [network.relu].
    #[schemars(with = "Option<f64>")]
    pub smoothing: Option<Spanned<f64>>,
}

/// ε where a scenario names none, unless its network is one of [network.relu].
const SMOOTHING: f64 = 0.1;

/// One layer as it is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LayerEntry {
    /// Units of a dense layer; not a dense layer if absent.
    dense: Option<AtLeast<1>>,
    /// A circular convolution, `{ kernel = 3, channels = 4 }`, over all positions and divided by the root of the
    /// kernel; not one if absent.
    convolution: Option<Convolution>,
    /// Neighbouring positions that are averaged, with nothing else in the braces; not an average if absent.
    average_pooling: Option<AtLeast<1>>,
    /// "identity", "relu", "quadratic", { leaky-relu = 0.1 } or { relu-power = 2 }; linear if absent.
    activation: Option<Named>,
    /// Whether every unit (or channel) has a bias; not if absent.
    bias: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Convolution {
    /// k, the number of positions that one unit sees.
    kernel: AtLeast<1>,
    /// Units at every position.
    channels: AtLeast<1>,
}

/// An activation by its name, and number.
#[derive(Debug, Clone, Copy)]
struct Named(Activation);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameVisitor)
    }
}

struct NameVisitor;

/// Names of activations that need a number, or of those that need none.
fn names(with_number: bool) -> impl Iterator<Item = &'static str> {
    let asked = move |of: &Option<OfLayers>| match of {
        Some(OfLayers::Name(_)) => !with_number,
        Some(OfLayers::Number { .. }) => with_number,
        None => false,
    };
    ACTIVATIONS
        .iter()
        .filter(move |a| asked(&a.of_layers))
        .map(|a| a.name)
}

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain: Vec<String> = names(false).map(|name| format!("\"{name}\"")).collect();
        let tables: Vec<String> = names(true)
            .map(|name| format!("{{ {name} = … }}"))
            .collect();
        write!(
            f,
            "an activation: {} or {}",
            plain.join(", "),
            tables.join(", ")
        )
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Named, E> {
        let registered = ACTIVATIONS.iter().find(|a| a.name == name);
        match registered.and_then(|a| a.of_layers) {
            Some(OfLayers::Name(make)) => Ok(Named(make())),
            Some(OfLayers::Number { about, .. }) => Err(E::custom(format!(
                "`{name}` needs a number: {{ {name} = … }}, {about}"
            ))),
            None => Err(E::invalid_value(de::Unexpected::Str(name), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        let registered = ACTIVATIONS.iter().find(|a| a.name == name);
        let Some(OfLayers::Number { make, .. }) = registered.and_then(|a| a.of_layers) else {
            let known: Vec<&str> = names(true).collect();
            let problem = format!(
                "unknown activation `{name}` with a number, expected {}",
                known.join(" or ")
            );
            return Err(de::Error::custom(problem));
        };
        let number: f64 = map.next_value()?;
        let activation = make(number)
            .map_err(|e| de::Error::custom(format!("{} is not {}", shown(e.value), e.expected)))?;
        match map.next_key::<String>()? {
            None => Ok(Named(activation)),
            Some(other) => Err(de::Error::custom(format!(
                "`{name}` and `{other}`: a layer has one activation"
            ))),
        }
    }
}

impl JsonSchema for Named {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "LayerActivation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let plain: Vec<&str> = names(false).collect();
        let numbered = ACTIVATIONS.iter().filter_map(|a| match a.of_layers {
            Some(OfLayers::Number { about, .. }) => Some(json_schema!({
                "type": "object",
                "properties": { a.name: { "type": "number", "description": about } },
                "required": [a.name],
                "additionalProperties": false
            })),
            _ => None,
        });
        let mut choices = vec![json_schema!({ "type": "string", "enum": plain })];
        choices.extend(numbered);
        json_schema!({ "oneOf": choices })
    }
}

impl Builder<'_> {
    /// A general network on D inputs.
    pub(super) fn layers(
        &self,
        (dimension, outputs): (usize, usize),
        table: &LayersTable,
    ) -> error::Result<Network> {
        let (hidden, pooling, written) = self.hidden_layers(table)?;
        let output = LayerSpec {
            pooling,
            ..LayerSpec::dense(outputs, Identity)
        };
        let smoothing = self.smoothing((dimension, &hidden, &output), table)?;
        let entries = table.layers.get_ref();
        Network::layers(dimension, &hidden, &output, smoothing).map_err(|(l, misfit)| {
            let span = written
                .get(l)
                .map_or_else(|| table.layers.span(), |entry| entries[*entry].span());
            let advice = match misfit {
                Misfit::Pooling { .. } => {
                    "average over a number that divides the positions: features at first, after \
                                           a dense layer its units"
                }
                Misfit::SingleWeight => {
                    "use a longer kernel, several channels below, a bias, or an activation without a kink"
                }
                Misfit::Kernel { .. } => {
                    "use a kernel of at most as many entries as there are positions: features at \
                                          first, after a dense layer its units"
                }
            };
            self.source.error(span, &misfit.to_string(), advice)
        })
    }

    /// Hidden layers, what is averaged before the output layer, and the entry of every layer.
    fn hidden_layers(
        &self,
        table: &LayersTable,
    ) -> error::Result<(Vec<LayerSpec>, Vec<usize>, Vec<usize>)> {
        let entries = table.layers.get_ref();
        let (mut hidden, mut pooling, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for (i, entry) in entries.iter().enumerate() {
            let refused =
                |problem: &str, advice: &str| Err(self.source.error(entry.span(), problem, advice));
            let LayerEntry {
                dense,
                convolution,
                average_pooling,
                activation,
                bias,
            } = entry.get_ref();
            let connection = match (dense, convolution, average_pooling) {
                (Some(units), None, None) => Connection::Dense { units: units.get() },
                (None, Some(c), None) => Connection::Convolution {
                    kernel: c.kernel.get(),
                    channels: c.channels.get(),
                },
                (None, None, Some(size)) => {
                    if activation.is_some() || bias.is_some() {
                        return refused(
                            "an average has no weights, and so no activation and no bias",
                            "remove these keys, or give them to the layer before or after it",
                        );
                    }
                    pooling.push(size.get());
                    continue;
                }
                _ => {
                    return refused(
                        "a layer is one of dense, convolution and average-pooling",
                        "write one layer per pair of braces, e.g. { dense = 20, activation = \"relu\" }",
                    );
                }
            };
            hidden.push(LayerSpec {
                pooling: std::mem::take(&mut pooling),
                connection,
                activation: activation.map_or(Identity.into(), |named| named.0),
                bias: bias.unwrap_or(false),
            });
            written.push(i);
        }
        if hidden.len() >= Depth::MOST {
            let problem = format!(
                "{} hidden layers make a network deeper than {}",
                hidden.len(),
                Depth::MOST
            );
            return Err(self
                .source
                .error(table.layers.span(), &problem, "use fewer layers"));
        }
        Ok((hidden, pooling, written))
    }

    /// ε, from the table or as needed.
    fn smoothing(
        &self,
        (dimension, hidden, output): (usize, &[LayerSpec], &LayerSpec),
        table: &LayersTable,
    ) -> error::Result<f64> {
        let Some(given) = &table.smoothing else {
            let mixed = Network::layers_have_mixed_kinks(dimension, hidden, output);
            return Ok(if mixed { SMOOTHING } else { 0.0 });
        };
        let smoothing = *given.get_ref();
        if !(0.0..=1e100).contains(&smoothing) {
            let problem = format!("{} is not a smoothing >= 0 and <= 1e100", shown(smoothing));
            return Err(self
                .source
                .error(given.span(), &problem, "e.g. smoothing = 0.1"));
        }
        Ok(smoothing)
    }
}
