//! The table `[network.relu]`: the widths of its layers, and the keys contributed by the registry of activations.

use super::numbers::{AtLeast, shown};
use crate::activation::{Activation, ExactRelu, Parameter, parameters};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;
use toml::Spanned;

/// `[network.relu]`.
#[derive(Debug, Clone)]
pub(super) struct ReluTable {
    /// Widths of layers 1 … L−1.
    pub hidden: Spanned<Vec<AtLeast<1>>>,
    pub activation: Activation,
}

const HIDDEN: &str = "hidden";

static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let of_activations = parameters().map(|parameter| parameter.key);
    std::iter::once(HIDDEN).chain(of_activations).collect()
});

impl<'de> Deserialize<'de> for ReluTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("ReluTable", &KEYS, TableVisitor)
    }
}

struct TableVisitor;

impl<'de> Visitor<'de> for TableVisitor {
    type Value = ReluTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("struct ReluTable")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ReluTable, A::Error> {
        let mut hidden = None;
        let mut chosen = None;
        while let Some(key) = map.next_key()? {
            match key {
                Key::Hidden => hidden = Some(map.next_value()?),
                Key::Of(parameter) => {
                    let activation = map.next_value_seed(Choice { parameter, chosen })?;
                    if activation != ExactRelu.into() {
                        chosen = Some((parameter.key, activation));
                    }
                }
            }
        }
        Ok(ReluTable {
            hidden: hidden.ok_or_else(|| de::Error::missing_field(HIDDEN))?,
            activation: chosen.map_or(ExactRelu.into(), |(_, activation)| activation),
        })
    }
}

/// A key of the table.
enum Key {
    Hidden,
    Of(&'static Parameter),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        if name == HIDDEN {
            return Ok(Self::Hidden);
        }
        parameters()
            .find(|parameter| parameter.key == name)
            .map(Self::Of)
            .ok_or_else(|| de::Error::unknown_field(&name, &KEYS))
    }
}

/// Reads a parameter's value, where another may have chosen an activation already; errors point at the value.
struct Choice {
    parameter: &'static Parameter,
    chosen: Option<(&'static str, Activation)>,
}

impl<'de> DeserializeSeed<'de> for Choice {
    type Value = Activation;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Activation, D::Error> {
        let value = f64::deserialize(deserializer)?;
        let activation = (self.parameter.activation(value))
            .map_err(|e| de::Error::custom(format!("{} is not {}", shown(e.value), e.expected)))?;
        match self.chosen {
            Some((other, _)) if activation != ExactRelu.into() => Err(de::Error::custom(format!(
                "`{}` and `{other}` choose different activations: keep one of them",
                self.parameter.key
            ))),
            _ => Ok(activation),
        }
    }
}

impl JsonSchema for ReluTable {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Relu".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        let widths = json!({
            "description": "Widths of layers 1 … L−1.",
            "type": "array",
            "items": { "type": "integer", "minimum": 1 }
        });
        properties.insert(HIDDEN.into(), widths);
        for parameter in parameters() {
            let maximum = if parameter.bound_included {
                "maximum"
            } else {
                "exclusiveMaximum"
            };
            let number = json!({
                "description": parameter.documentation,
                "type": "number",
                "minimum": 0,
                maximum: parameter.bound,
                "default": 0.0
            });
            properties.insert(parameter.key.into(), number);
        }
        json_schema!({
            "type": "object",
            "properties": Value::Object(properties),
            "additionalProperties": false,
            "required": [HIDDEN]
        })
    }
}
