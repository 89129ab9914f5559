//! `explain ID`

use super::print;
use crate::claims;
use crate::error::{Result, UsageError, exit};
use clap::Args;

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// Id of a claim, as listed by `marginflow claims`
    id: String,
}

impl ExplainArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let claim = claims::find(&self.id).ok_or_else(|| UsageError::UnknownClaim {
            id: self.id.clone(),
            known: claims::ids().collect(),
        })?;
        print(&format!(
            "{}\n\nAs printed:  {}\n\nWhat is true:  {}\n\nHow it is checked:  {}\n",
            claim.id, claim.printed, claim.corrected, claim.check
        ))?;
        Ok(exit::DONE)
    }
}
