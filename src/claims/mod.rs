//! The claims of the report, checked one by one. (stub)

use serde::{Deserialize, Serialize};

/// What a check can come out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Holds,
    Violated,
    NotApplicable,
    Inconclusive,
}

/// Ids of every claim this version can check, in the order of the table.
pub fn ids() -> impl Iterator<Item = &'static str> {
    ["prop-1", "thm-1", "gd-fc", "rate-dfa", "rate-bp"].into_iter()
}
