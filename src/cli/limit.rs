//! `limit SCENARIO`

use super::{Format, ScenarioArgs, note, print};
use crate::error::{Result, UsageError, exit};
use crate::limit::{Limit, LimitKind, angle};
use crate::problem::Problem;
use crate::reference::reference_limit;
use crate::report::{data, limit_json};
use crate::scenario;
use crate::storage::{Folder, write_file};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct LimitArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Also say how far the limit of this scenario is from it
    #[arg(long, value_name = "SCENARIO")]
    beside: Option<PathBuf>,
    /// Also write it to DIR/limit.json
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl LimitArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let scenario = scenario::load(&self.scenario.scenario, &self.scenario.overrides)?;
        let here = match &self.out {
            Some(folder) => Some((Folder::alone(folder)?, folder)),
            None => None,
        };
        let problem = scenario.build()?;
        // before the limit, which may be refused
        match self.format {
            Format::Json => problem
                .dataset()
                .cautions()
                .iter()
                .for_each(|caution| note(&format!("caution: {caution}"))),
            Format::Text => {
                let data = data::facts(problem.dataset()).into_iter();
                let data: String = data
                    .map(|(name, fact)| format!("{name}: {fact}\n"))
                    .collect();
                print(&data)?;
            }
        }
        let reference = reference_limit(&problem, self.scenario.allow_nonseparable)?;
        let limit = reference.alone(&problem, &scenario.flow)?;
        let beside = match &self.beside {
            Some(path) => Some(self.angle_to(path, limit.as_ref())?),
            None => None,
        };
        let document = limit_json(&problem, limit.as_ref(), beside);
        if let Some((_, folder)) = &here {
            write_file(&folder.join("limit.json"), document.as_bytes())?;
        }
        match self.format {
            Format::Json => print(&document)?,
            Format::Text => print(&sentence(&problem, limit.as_ref()))?,
        }
        if let (Format::Text, Some(path), Some(angle)) = (self.format, &self.beside, beside) {
            print(&format!(
                "angle to the limit of {}: {angle:.6e} rad\n",
                path.display()
            ))?;
        }
        Ok(exit::DONE)
    }

    /// The angle between a limit and that of another scenario, radians.
    fn angle_to(&self, path: &Path, limit: Option<&Limit>) -> Result<f64> {
        let other = scenario::load(path, &[])?;
        let problem = other.build()?;
        let reference = reference_limit(&problem, self.scenario.allow_nonseparable)?;
        let found = reference.alone(&problem, &other.flow)?;
        let is_of_inputs = |limit: &&Limit| limit.kind != LimitKind::FeatureMaxMargin;
        match (
            limit.filter(is_of_inputs),
            found.as_ref().filter(is_of_inputs),
        ) {
            (Some(x), Some(y)) if x.beta.len() == y.beta.len() => {
                Ok(angle(x.beta.as_slice(), y.beta.as_slice()))
            }
            _ => Err(UsageError::Beside {
                scenario: path.to_owned(),
                why: "the two limits are not directions in one input space".into(),
            }
            .into()),
        }
    }
}

fn sentence(problem: &Problem, limit: Option<&Limit>) -> String {
    let Some(limit) = limit else {
        let why = match problem.network().is_linear() {
            true => {
                "the data are not separable, or not through the frequencies the feedback reaches"
            }
            false => {
                "at the end of the run some sample has no positive margin, or the features could not be shown to be \
                 separable"
            }
        };
        return format!("no limit: {why}\n");
    };
    let caution = match (limit.duality_gap, limit.unique) {
        _ if limit.kind == LimitKind::FeatureMaxMargin => {
            "\nof the features at the end of the run: the direction of the output weights, one entry per unit below"
        }
        (None, _) => {
            "\na stationary point of a potential that is not convex: where this run goes, others exist"
        }
        (Some(_), false) => "\nother minimisers may exist",
        (Some(_), true) => "",
    };
    let rows = match &problem.dataset().rows_of(&limit.support)[..] {
        [] => String::new(),
        rows => format!("; rows {rows:?} of the file"),
    };
    let effective = (problem.network().spectrum())
        .and_then(|spectrum| spectrum.effective_entries(&limit.beta))
        .map_or_else(String::new, |k| {
            format!(", {k:.2} entries of the spectrum in effect")
        });
    format!(
        "{} (exponent {:.6}): margin {:.6e} at unit norm, {} support vectors (from 0: {:?}{rows}){effective}, \
         {}{caution}\nbeta = {:?}\n",
        limit.kind.name(),
        limit.potential.exponent,
        1.0 / limit.beta.norm(),
        limit.support.len(),
        limit.support,
        limit.proof(),
        limit.beta.as_slice(),
    )
}
