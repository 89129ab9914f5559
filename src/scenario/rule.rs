//! The key `rule` of a scenario: one of the registered learning rules, with the feedback it needs.

use super::schema::Feedback;
use crate::rule::{Entry, Needs, RULES};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{EnumAccess, Error, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

/// A rule, and its feedback.
#[derive(Debug, Clone)]
pub(super) struct LearningRule {
    pub entry: &'static Entry,
    /// `None` for rules that need none.
    pub feedback: Option<Feedback>,
}

/// The table of a rule with feedback.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Keys {
    feedback: Feedback,
}

/// Keys of all rules.
static KEYS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| RULES.iter().map(|rule| rule.key).collect());

/// Keys of the rules with feedback.
pub(super) fn with_feedback() -> impl Iterator<Item = &'static str> {
    let needs_some = |rule: &&Entry| !matches!(rule.needs, Needs::Nothing(_));
    RULES.iter().filter(needs_some).map(|rule| rule.key)
}

impl<'de> Deserialize<'de> for LearningRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("LearningRule", KEYS.as_slice(), OneOfRules)
    }
}

struct OneOfRules;

impl<'de> Visitor<'de> for OneOfRules {
    type Value = LearningRule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a learning rule")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<LearningRule, A::Error> {
        let (key, content) = data.variant::<Key>()?;
        let entry = key.0;
        let feedback = match entry.needs {
            Needs::Nothing(_) => {
                content.unit_variant()?;
                None
            }
            Needs::Direct(_) | Needs::Matrices(_) => {
                Some(content.newtype_variant::<Keys>()?.feedback)
            }
        };
        Ok(LearningRule { entry, feedback })
    }
}

/// The name of a rule; an error points at the name itself.
struct Key(&'static Entry);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match RULES.iter().find(|rule| rule.key == name) {
            Some(entry) => Ok(Self(entry)),
            None => Err(D::Error::unknown_variant(&name, KEYS.as_slice())),
        }
    }
}

impl JsonSchema for LearningRule {
    fn schema_name() -> Cow<'static, str> {
        "LearningRule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let alternatives: Vec<Schema> = RULES
            .iter()
            .map(|rule| match rule.needs {
                Needs::Nothing(_) => json_schema!({
                    "description": rule.about,
                    "type": "string",
                    "const": rule.key,
                }),
                Needs::Direct(_) | Needs::Matrices(_) => {
                    let mut feedback = generator.subschema_for::<Feedback>();
                    let keys = feedback.ensure_object();
                    let about = serde_json::Value::from(rule.about_feedback);
                    keys.shift_insert(0, "description".into(), about);
                    json_schema!({
                        "description": rule.about,
                        "type": "object",
                        "properties": {
                            rule.key: {
                                "type": "object",
                                "properties": { "feedback": feedback },
                                "additionalProperties": false,
                                "required": ["feedback"],
                            },
                        },
                        "required": [rule.key],
                        "additionalProperties": false,
                    })
                }
            })
            .collect();
        json_schema!({ "oneOf": alternatives })
    }
}
