//! `completions SHELL`

use super::{Cli, print};
use crate::error::{Result, exit};
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

#[derive(Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "marginflow", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        Ok(exit::DONE)
    }
}
