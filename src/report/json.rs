//! `report.json`, format `marginflow-report/1`.

use super::data::DataReport;
#[cfg(feature = "figures")]
use super::drawn::DrawnFigure;
use super::setting::Setting;
use crate::accuracy::Verification;
use crate::certify::Certified;
use crate::claims::Verdict;
use crate::descent::Beside;
use crate::diagnostics::{FeatureMachine, Homogeneous, Sandwich};
#[cfg(feature = "figures")]
use crate::figures::Figure;
use crate::limit::{Limit, LimitKind};
use crate::run::Run;
use crate::trajectory::{Kinks, SolverStatistics, Status};
use nalgebra::DVector;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    version: &'static str,
    scenario: &'a str,
    title: &'a str,
    scenario_sha256: &'a str,
    status: Status,
    message: Option<&'a str>,
    #[serde(flatten)]
    setting: Setting<'a>,
    dataset: DataReport<'a>,
    #[serde(rename = "final")]
    last: Last<'a>,
    limit: LimitReport<'a>,
    /// Other limits that have been claimed, or would hold under another rule.
    candidates: Vec<CandidateReport>,
    invariants: BTreeMap<&'a str, f64>,
    rate: Option<RateReport>,
    /// Null for networks without kinks.
    kinks: Option<&'a Kinks>,
    claims: &'a [Verdict],
    steps: Vec<StepsReport>,
    /// How the distance from the flow shrinks with the step size; null with fewer than two sizes.
    order: Option<OrderReport<'a>>,
    verification: Option<&'a Verification>,
    /// Bounds that `certificate.json` proves; null what it does not.
    certified: &'a Certified,
    solver: &'a SolverStatistics,
    /// What every figure shows; empty without figures.
    #[cfg(feature = "figures")]
    figures: Vec<DrawnFigure<'a>>,
}

#[derive(Serialize)]
struct Last<'a> {
    log_log_time: f64,
    log_time: f64,
    min_margin: f64,
    log_loss: f64,
    /// Empty for networks that are not linear in their input.
    beta: Coefficients,
    /// Of β, the largest first; null where there is one output.
    singular_values: Option<Vec<f64>>,
    /// How many of them β uses, effectively.
    effective_rank: Option<f64>,
    layer_norms: Vec<f64>,
    /// The smallest margin over the product of the layers' norms; null while one of them is zero.
    margin_over_layer_norms: Option<f64>,
    /// Radians.
    angle_to_limit: Option<f64>,
    kkt_residual: Option<f64>,
    duality_gap: Option<f64>,
    /// With the multipliers accumulated along the run.
    accumulated_duality_gap: Option<f64>,
    /// Fixed feedback on linear networks: what the first layer has learned, between its bounds.
    sandwich: Option<SandwichReport>,
    /// How many entries of the spectrum β uses, effectively; null where layers do not act entry by entry.
    effective_entries: Option<f64>,
    /// The output weights beside the SVM of the features; null without a hidden layer.
    output_layer: Option<OutputLayerReport>,
    /// Null for linear networks.
    homogeneous: Option<HomogeneousReport<'a>>,
}

/// β: D numbers, or D rows of C numbers where there are C > 1 outputs.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Coefficients {
    Vector(Vec<f64>),
    Matrix(Vec<Vec<f64>>),
}

impl Coefficients {
    /// Of a predictor that is stored output after output.
    pub(crate) fn of(beta: &[f64], outputs: usize) -> Self {
        if outputs == 1 {
            return Self::Vector(beta.to_vec());
        }
        let inputs = beta.len() / outputs;
        let row = |i: usize| beta.iter().skip(i).step_by(inputs).copied().collect();
        Self::Matrix((0..inputs).map(row).collect())
    }
}

/// The last entries of [`FeatureMachine`].
#[derive(Serialize)]
struct OutputLayerReport {
    /// Radians.
    feature_angle: Option<f64>,
    feature_margin: Option<f64>,
    duality_gap: Option<f64>,
}

impl OutputLayerReport {
    fn at_the_end_of(machine: &FeatureMachine) -> Self {
        let last = |series: &[Option<f64>]| series.last().copied().flatten();
        Self {
            feature_angle: last(&machine.angle),
            feature_margin: last(&machine.margin),
            duality_gap: last(&machine.gap),
        }
    }
}

#[derive(Serialize)]
struct CandidateReport {
    id: &'static str,
    label: &'static str,
    /// Of the end of the run to its minimiser, radians.
    angle: Option<f64>,
    /// Of its minimiser, as for the run.
    effective_entries: Option<f64>,
}

/// The last entries of [`Homogeneous`].
#[derive(Serialize)]
struct HomogeneousReport<'a> {
    /// Radians.
    feature_angle: Option<f64>,
    feature_margin: Option<f64>,
    feedback_kkt: Option<f64>,
    gradient_kkt: Option<f64>,
    epsilon: Option<f64>,
    delta: Option<f64>,
    normalised_margin: Option<f64>,
    smoothed_margin: Option<f64>,
    /// γ̃ of two layers with fixed feedback.
    feedback_margin: Option<f64>,
    /// Samples, from 0, that some hidden layer passes nothing on of: margins of zero.
    dead_samples: &'a [usize],
    /// ε of rounded kinks; 0 for exact ones.
    smoothing: f64,
    /// With rounded kinks, samples that exact units with the same weights would not see at some save; not watched in
    /// general layers.
    unseen_samples: Vec<UnseenReport>,
}

/// A sample, from 0, and s of the first and the last save at which it was not seen.
#[derive(Serialize)]
struct UnseenReport {
    sample: usize,
    log_log_times: [f64; 2],
}

impl<'a> HomogeneousReport<'a> {
    fn at_the_end_of(h: &'a Homogeneous, log_log_time: &[f64]) -> Self {
        let last = |series: &[Option<f64>]| series.last().copied().flatten();
        let unseen = h.unseen.iter().flatten().map(|u| UnseenReport {
            sample: u.sample,
            log_log_times: [u.first, u.last].map(|k| log_log_time[k]),
        });
        Self {
            feature_angle: last(&h.feature_angle),
            feature_margin: last(&h.feature_margin),
            feedback_kkt: last(&h.feedback_kkt),
            gradient_kkt: last(&h.gradient_kkt),
            epsilon: last(&h.epsilon),
            delta: last(&h.delta),
            normalised_margin: h.normalised_margin.last().copied(),
            smoothed_margin: last(&h.smoothed_margin),
            feedback_margin: last(&h.feedback_margin),
            dead_samples: &h.dead,
            smoothing: h.smoothing,
            unseen_samples: unseen.collect(),
        }
    }
}

/// The last entries of [`Sandwich`]: `a/least ≤ dual ≤ largest_dual`, `radius ≤ a/least + constant`; from zero weights
/// `largest_dual` is `radius`.
#[derive(Serialize)]
struct SandwichReport {
    accumulated: f64,
    dual: f64,
    radius: f64,
    largest_dual: f64,
    least: f64,
    constant: f64,
    /// `dual · least/accumulated − 1`.
    dual_excess: Option<f64>,
    /// `radius · least/accumulated − 1`.
    radius_excess: Option<f64>,
}

impl SandwichReport {
    fn at(s: &Sandwich, k: usize) -> Self {
        Self {
            accumulated: s.accumulated[k],
            dual: s.dual[k],
            radius: s.radius[k],
            largest_dual: s.largest_dual[k],
            least: s.least,
            constant: s.constant,
            dual_excess: s.dual_excess(k),
            radius_excess: s.radius_excess(k),
        }
    }
}

#[derive(Serialize)]
struct LimitReport<'a> {
    kind: &'static str,
    beta: Option<Coefficients>,
    duality_gap: Option<f64>,
    support: &'a [usize],
    effective_entries: Option<f64>,
}

/// One run of finite steps.
#[derive(Serialize)]
struct StepsReport {
    size: f64,
    /// Steps requested.
    count: u64,
    /// Steps until the last finite state.
    taken: u64,
    schedule: &'static str,
    status: Status,
    message: Option<String>,
    /// ln(1+t) at the last record.
    log_time: f64,
    log_loss: f64,
    min_margin: f64,
    /// Empty for networks that are not linear in their input.
    beta: Coefficients,
    /// Radians.
    angle_to_flow: Option<f64>,
    angle_to_limit: Option<f64>,
    relative_distance: Option<f64>,
    max_relative_distance: Option<f64>,
    wall_seconds: f64,
}

impl StepsReport {
    fn of(run: &Beside, outputs: usize) -> Self {
        let d = &run.diagnostics;
        let k = d.log_log_time.len() - 1;
        Self {
            size: run.descent.size,
            count: run.descent.count,
            taken: run.last_step(),
            schedule: run.descent.schedule.name(),
            status: run.descent.trajectory.status,
            message: run.descent.trajectory.message.clone(),
            log_time: d.log_time[k],
            log_loss: d.log_loss[k],
            min_margin: d.min_margin[k],
            beta: Coefficients::of(d.beta.column(k).as_slice(), outputs),
            angle_to_flow: run.final_angle_to_flow(),
            angle_to_limit: d.final_angle(),
            relative_distance: run.relative_distance[k],
            max_relative_distance: run.max_relative_distance(),
            wall_seconds: run.descent.wall_seconds,
        }
    }
}

#[derive(Serialize)]
struct OrderReport<'a> {
    observed: f64,
    /// ηk at which the runs are compared.
    at: f64,
    /// (η, relative distance there), increasing.
    distances: &'a [(f64, f64)],
}

#[derive(Serialize)]
struct RateReport {
    observed: f64,
    predicted: Option<f64>,
    window: [f64; 2],
    /// Slopes of the first and the second half of the window.
    halves: [f64; 2],
}

/// Key of the drift of the log-multipliers, `max_n |p_n − (τ − m_n)|/max(1+τ, |m_n|)`, among the invariants.
const MULTIPLIER_DRIFT: &str = "log-multipliers";

impl<'a> LimitReport<'a> {
    /// `effective`: how many entries of the spectrum a predictor uses, effectively.
    fn of(
        limit: Option<&'a Limit>,
        outputs: usize,
        effective: &dyn Fn(&DVector<f64>) -> Option<f64>,
    ) -> Self {
        match limit {
            Some(limit) => Self {
                kind: limit.kind.name(),
                beta: Some(Coefficients::of(limit.beta.as_slice(), outputs)),
                duality_gap: limit.duality_gap,
                support: &limit.support,
                effective_entries: effective(&limit.beta),
            },
            None => Self {
                kind: LimitKind::None.name(),
                beta: None,
                duality_gap: None,
                support: &[],
                effective_entries: None,
            },
        }
    }
}

/// The report as pretty-printed JSON, without the numbers of its figures. Numbers that a run does not have are null; in
/// a completed run no others are.
pub fn json(run: &Run) -> String {
    written(report(run))
}

/// The report with the numbers of its `figures`, those of [`figures::figures`](crate::figures::figures).
#[cfg(feature = "figures")]
pub fn json_with_figures(run: &Run, figures: &[Figure]) -> String {
    let d = &run.diagnostics;
    let mut known = vec![("log_time", d.log_time.as_slice())];
    if let Some(steps) = &run.steps {
        known.push(("flow_beside_log_time", &steps.flow.log_time));
    }
    written(Report {
        figures: (figures.iter())
            .map(|figure| DrawnFigure::of(figure, &known))
            .collect(),
        ..report(run)
    })
}

fn written(report: Report<'_>) -> String {
    let mut text =
        serde_json::to_string_pretty(&report).expect("a report holds only strings and numbers");
    text.push('\n');
    text
}

fn report(run: &Run) -> Report<'_> {
    let d = &run.diagnostics;
    let k = d.log_log_time.len() - 1;
    let mut invariants: BTreeMap<&str, f64> = d
        .invariants
        .iter()
        .map(|i| (i.name.as_str(), i.worst()))
        .collect();
    invariants.insert(MULTIPLIER_DRIFT, d.worst_multiplier_drift());
    let spectrum = run.problem.network().spectrum();
    let outputs = run.problem.network().outputs();
    let effective = |beta: &DVector<f64>| spectrum?.effective_entries(beta);
    Report {
        format: "marginflow-report/1",
        version: env!("CARGO_PKG_VERSION"),
        scenario: &run.scenario.name,
        title: &run.scenario.title,
        scenario_sha256: &run.scenario.sha256,
        status: run.conclusion.status,
        message: run.conclusion.message.as_deref(),
        setting: Setting::of(run),
        dataset: DataReport::of(run.problem.dataset()),
        last: Last {
            log_log_time: d.log_log_time[k],
            log_time: d.log_time[k],
            min_margin: d.min_margin[k],
            log_loss: d.log_loss[k],
            beta: Coefficients::of(d.beta.column(k).as_slice(), outputs),
            singular_values: (d.classes.as_ref())
                .map(|c| c.singular_values.column(k).iter().copied().collect()),
            effective_rank: d.classes.as_ref().map(|c| c.effective_rank[k]),
            layer_norms: d.layer_norms.column(k).iter().copied().collect(),
            margin_over_layer_norms: d.margin_over_layers(k),
            angle_to_limit: d.final_angle(),
            kkt_residual: d.kkt_residual[k],
            duality_gap: d.duality_gap[k],
            accumulated_duality_gap: d.accumulated_gap[k],
            sandwich: d.sandwich.as_ref().map(|s| SandwichReport::at(s, k)),
            effective_entries: effective(&d.beta.column(k).into_owned()),
            output_layer: (d.feature_machine.as_ref()).map(OutputLayerReport::at_the_end_of),
            homogeneous: (d.homogeneous.as_ref())
                .map(|h| HomogeneousReport::at_the_end_of(h, &d.log_log_time)),
        },
        limit: LimitReport::of(run.limit.as_ref(), outputs, &effective),
        candidates: (d.candidates.iter())
            .map(|c| CandidateReport {
                id: c.id,
                label: c.label,
                angle: c.angle.last().copied(),
                effective_entries: effective(&c.beta),
            })
            .collect(),
        invariants,
        rate: d.rate.as_ref().map(|r| RateReport {
            observed: r.observed,
            predicted: r.predicted,
            window: r.window,
            halves: r.halves,
        }),
        kinks: run.trajectory.kinks.as_ref(),
        claims: &run.verdicts,
        steps: (run.steps.iter().flat_map(|s| &s.runs))
            .map(|run| StepsReport::of(run, outputs))
            .collect(),
        order: (run.steps.as_ref().and_then(|s| s.order.as_ref())).map(|o| OrderReport {
            observed: o.observed,
            at: o.at,
            distances: &o.distances,
        }),
        verification: run.verification.as_ref(),
        certified: &run.certified,
        solver: &run.trajectory.solver,
        #[cfg(feature = "figures")]
        figures: Vec::new(),
    }
}
