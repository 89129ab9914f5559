//! `limit SCENARIO`

use super::{Format, ScenarioArgs, print};
use crate::error::Result;
use crate::run::separable_limit;
use crate::scenario;
use clap::Args;

#[derive(Args)]
pub(super) struct LimitArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// What to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl LimitArgs {
    pub fn execute(self) -> Result<u8> {
        let problem = scenario::load(&self.scenario.scenario, &self.scenario.overrides)?.build()?;
        let limit = separable_limit(&problem, self.scenario.allow_nonseparable)?;
        let text = match (self.format, &limit) {
            (Format::Json, Some(limit)) => {
                let value = serde_json::json!({
                    "kind": limit.kind.name(),
                    "beta": limit.beta.as_slice(),
                    "multipliers": limit.multipliers.as_slice(),
                    "duality_gap": limit.duality_gap,
                    "stationarity": limit.stationarity,
                    "support": limit.support,
                });
                format!("{value:#}\n")
            }
            (Format::Json, None) => "{\n  \"kind\": \"none\"\n}\n".to_owned(),
            (Format::Text, Some(limit)) => format!(
                "{}: margin {:.6e} at unit norm, {} support vectors (from 0: {:?}), {}\nbeta = {:?}\n",
                limit.kind.name(),
                1.0 / limit.beta.norm(),
                limit.support.len(),
                limit.support,
                limit.proof(),
                limit.beta.as_slice(),
            ),
            (Format::Text, None) => "no limit: the data are not separable\n".to_owned(),
        };
        print(&text)?;
        Ok(0)
    }
}
