//! The keys of `[study]`, as serde reads them.

use crate::scenario::numbers::AtLeast;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor, value::MapAccessDeserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use toml::{Spanned, Value};

/// Many runs of a scenario with some of its keys varied, for the verb `study`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::scenario) struct Study {
    /// Key of the scenario, in quotes = its values: a list, or a range `{ from = 1, to = 9, count = 5 }`, with
    /// `log = true` of constant ratio; nothing is varied if absent.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Values>")]
    pub vary: BTreeMap<String, Spanned<Values>>,
    /// How the values of several keys are combined; `grid` if absent.
    #[serde(default)]
    pub combine: Combine,
    /// Name of a variant = the keys (in quotes) it sets; every variant is combined with all values of `vary`. None if
    /// absent.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, BTreeMap<String, Values>>")]
    pub variants: BTreeMap<String, Spanned<BTreeMap<String, Value>>>,
    /// Key of a seed, in quotes = how many, from 1 on. Several keys are varied together; those that a case does not
    /// have are passed over. The scenario's own seeds if absent.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, AtLeast<1>>")]
    pub seeds: BTreeMap<String, Spanned<AtLeast<1>>>,
    /// The varied key (or `variant`) whose values are compared in pairs, each with the first, on the same seed and the
    /// same other keys; no pairs if absent.
    #[schemars(with = "Option<String>")]
    pub pair: Option<Spanned<String>>,
    /// Names of the curves that are kept; every one that is measured if absent.
    #[schemars(with = "Option<Vec<String>>")]
    pub curves: Option<Spanned<Vec<String>>>,
    /// Name of a figure = what it shows; the angles, the loss and the pairs if absent.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, FigureKeys>")]
    pub figures: BTreeMap<String, Spanned<FigureKeys>>,
    /// Whether data that no hyperplane through the origin separates are run all the same.
    #[serde(default)]
    pub allow_nonseparable: bool,
}

/// How the values of several keys are combined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum Combine {
    /// Every value of one with every value of the others.
    #[default]
    Grid,
    /// The first of all, the second of all, …: lists of one length.
    Zip,
}

/// The values of a key.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum Values {
    List(Vec<Spanned<Value>>),
    Range(Range),
}

/// Numbers at equal distances or ratios.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Range {
    /// The first one.
    #[schemars(with = "f64")]
    pub from: Value,
    /// The last one.
    #[schemars(with = "f64")]
    pub to: Value,
    /// How many, both ends included.
    pub count: AtLeast<2>,
    /// Whether their ratios are equal, not their distances.
    #[serde(default)]
    pub log: bool,
}

/// One figure of a study: one of `overlay`, `points`, `map` and `differences`, and how it is laid out. Keys that the
/// figure has no use for are refused, and so are curves that the study does not keep.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::scenario) struct FigureKeys {
    /// A curve over log time: medians over seeds, with bands from the 10 % to the 90 % quantile; absent if the
    /// figure shows something else.
    #[schemars(with = "Option<String>")]
    pub overlay: Option<Spanned<String>>,
    /// A number of the table against the key `x`: means over seeds with 95 % confidence intervals; absent if the
    /// figure shows something else.
    pub points: Option<String>,
    /// A number of the table over the keys `x` and `y`, or a curve over the key `x` and another curve `y`, read off
    /// where that reaches the `levels`: medians over seeds in shades; absent if the
    /// figure shows something else.
    pub map: Option<String>,
    /// Differences of a number of the table between the values of `pair`, against the key `x`; absent if the
    /// figure shows something else.
    pub differences: Option<String>,
    /// The key on the horizontal axis, of every figure but an overlay. If absent, the first one of numbers; under
    /// differences every point of the study has a place of its own, as it must where a third key is varied.
    #[schemars(with = "Option<String>")]
    pub x: Option<Spanned<String>>,
    /// The key or the curve on the vertical axis of a map; the second key if absent.
    #[schemars(with = "Option<String>")]
    pub y: Option<Spanned<String>>,
    /// The levels of the curve `y`, as a range of `count` values from `from` to `to`, of constant ratio with `log`;
    /// required for a curve, absent for a key.
    #[schemars(with = "Option<Values>")]
    pub levels: Option<Spanned<Values>>,
    /// The key that chooses the colour, of an overlay or of points; the first that is not used otherwise if absent.
    #[schemars(with = "Option<String>")]
    pub colour: Option<Spanned<String>>,
    /// The key that chooses the panel, of an overlay or of points; a single panel if absent.
    #[schemars(with = "Option<String>")]
    pub panel: Option<Spanned<String>>,
    /// Power laws y = factor · x^power to be drawn over a map; none if absent.
    #[serde(default)]
    pub lines: Vec<PowerLaw>,
    /// The title; one made of what is shown if absent.
    pub title: Option<String>,
    /// The text below the figure in reports; one made of what is shown if absent.
    pub caption: Option<String>,
}

/// y = factor · x^power.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PowerLaw {
    /// In the legend.
    pub label: String,
    /// y at x = 1.
    pub factor: f64,
    /// The exponent.
    pub power: f64,
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrRange;

        impl<'de> Visitor<'de> for ListOrRange {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values, or a range { from, to, count }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Values, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Values::List(list))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Values, A::Error> {
                let table = toml::Table::deserialize(MapAccessDeserializer::new(map))?;
                let known = ["from", "to", "count", "log"];
                if let Some(other) = table.keys().find(|key| !known.contains(&key.as_str())) {
                    return Err(A::Error::custom(format!(
                        "`{other}` is no key of a range, which are from, to, count and log; a key with dots in it is \
                         written in quotes: \"flow.rtol\" = [1e-6, 1e-8]"
                    )));
                }
                Range::deserialize(table)
                    .map(Values::Range)
                    .map_err(|e| A::Error::custom(e.message()))
            }
        }

        deserializer.deserialize_any(ListOrRange)
    }
}

impl JsonSchema for Values {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["array", "object"], "items": {} })
    }
}
