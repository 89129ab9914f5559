//! `explain ID`

use super::print;
use crate::claims;
use crate::error::{Error, Result};
use clap::Args;

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// Id of a claim, as `marginflow claims` lists them
    id: String,
}

impl ExplainArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let claim = claims::find(&self.id).ok_or_else(|| {
            let known: Vec<_> = claims::ids().collect();
            Error::Usage(format!(
                "there is no claim \"{}\"; the claims are {}",
                self.id,
                known.join(", ")
            ))
        })?;
        print(&format!(
            "{}\n\nAs printed:  {}\n\nWhat is true:  {}\n\nHow it is checked:  {}\n",
            claim.id, claim.printed, claim.corrected, claim.check
        ))?;
        Ok(0)
    }
}
