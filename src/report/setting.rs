//! What was run, for `report.json`: network, rule, loss, and what was assigned on the command line.

use crate::activation::Formula;
use crate::network::Layered;
use crate::run::Run;
use serde::Serialize;

/// The setting of a report.
#[derive(Serialize)]
pub(super) struct Setting<'a> {
    /// `run`, or `compare`.
    verb: &'static str,
    /// The assignments of `--set`, in their order.
    overrides: &'a [String],
    /// The scenario after them, paths as written.
    scenario_text: &'a str,
    network: NetworkReport<'a>,
    rule: RuleReport,
    loss: &'static str,
}

#[derive(Serialize)]
struct NetworkReport<'a> {
    kind: &'static str,
    /// L
    depth: usize,
    /// (inputs, units) of every layer.
    shapes: &'a [(usize, usize)],
    parameters: usize,
    /// What distinguishes the activation from the plain ReLU; empty if nothing does, null for linear networks.
    activation: Option<String>,
    /// Of ReLU networks, the slope of inactive units.
    #[serde(skip_serializing_if = "Option::is_none")]
    negative_slope: Option<f64>,
    /// Of general networks, the layers in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<String>,
}

#[derive(Serialize)]
struct RuleReport {
    kind: &'static str,
    /// `none`, `vectors` (b_l) or `matrices` (F_l): `feedback_1 …` in `trajectory.npz`.
    feedback: &'static str,
    /// Whether the feedback learns.
    evolves: bool,
}

impl<'a> Setting<'a> {
    pub(super) fn of(run: &'a Run) -> Self {
        let (network, rule) = (run.problem.network(), run.problem.rule());
        Self {
            verb: run.verb,
            overrides: &run.scenario.overrides,
            scenario_text: run.scenario.text(),
            network: NetworkReport {
                kind: network.key(),
                depth: network.depth(),
                shapes: network.shapes(),
                parameters: network.parameters(),
                activation: network.units().map(|n| n.activation().description()),
                negative_slope: (network.units())
                    .map(|n| n.activation().kink().map_or(0.0, |kink| kink.inactive)),
                layers: network.general().map(Layered::description),
            },
            rule: RuleReport {
                kind: rule.key(),
                feedback: match run.problem.feedback_entries().first() {
                    None => "none",
                    Some((axes, _)) if axes.len() == 1 => "vectors",
                    Some(_) => "matrices",
                },
                evolves: run.trajectory.theta.nrows() > network.parameters(),
            },
            loss: run.problem.loss().name(),
        }
    }
}
