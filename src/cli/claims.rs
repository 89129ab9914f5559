//! `claims`

use super::{Format, print};
use crate::claims::CLAIMS;
use crate::error::{Result, exit};
use clap::Args;

#[derive(Args)]
pub(super) struct ClaimsArgs {
    /// What to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Print the table of docs/claims.md
    #[arg(long, conflicts_with = "format")]
    markdown: bool,
}

impl ClaimsArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let text = if self.markdown {
            crate::claims::markdown()
        } else if self.format == Format::Json {
            let list: Vec<_> = CLAIMS
                .iter()
                .map(|c| {
                    serde_json::json!({
                        "id": c.id, "printed": c.printed, "corrected": c.corrected, "check": c.check,
                    })
                })
                .collect();
            format!("{:#}\n", serde_json::Value::from(list))
        } else {
            let width = CLAIMS.iter().map(|c| c.id.len()).max().unwrap_or(0) + 2;
            CLAIMS
                .iter()
                .map(|c| format!("{:<width$}{}\n", c.id, c.printed))
                .collect()
        };
        print(&text)?;
        Ok(exit::DONE)
    }
}
