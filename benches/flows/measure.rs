//! One flow, measured in a process of its own.

use crate::recipe::Recipe;
use crate::timing::{peak_memory, timed};
use marginflow::diagnostics::diagnose;
use marginflow::flow::{FlowOptions, Method, SaveAt, integrate};
use marginflow::run::reference_limit;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::process::{Command, Stdio};

/// A flow that takes longer ends on its budget: half an hour, which the largest is given.
const MOST_SECONDS: f64 = 1800.0;

/// What is to be measured.
#[derive(Clone, Serialize, Deserialize)]
pub struct Request {
    pub problem: Recipe,
    /// Horizon s.
    pub until: f64,
    pub rtol: f64,
    /// `None`: the default one.
    pub method: Option<String>,
    /// None: one run, not timed.
    pub repeats: usize,
}

/// What came out.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    pub status: String,
    /// s reached.
    pub s: f64,
    pub method: String,
    pub rtol: f64,
    pub atol: f64,
    pub parameters: usize,
    pub samples: usize,
    /// Median over the repeats.
    pub cpu_s: f64,
    pub warm_up_s: f64,
    pub repeats: usize,
    pub steps: usize,
    pub rejected_steps: usize,
    pub rhs_evaluations: usize,
    pub jacobian_evaluations: usize,
    /// Final, radians.
    pub angle: Option<f64>,
    /// Final `max_n |p_n − (τ − m_n)|/(1+τ)`.
    pub drift: f64,
    /// Final.
    pub gap: Option<f64>,
    /// Final.
    pub min_margin: f64,
    /// ln 𝓛 at the end.
    pub log_loss: f64,
    /// `‖w_L‖` at the end.
    pub output_norm: f64,
    /// Final `min_n m_n / ‖θ‖^L`, ε and δ of ReLU networks.
    pub homogeneous: Option<[f64; 3]>,
    /// Events of exact kinks.
    pub kinks: Option<usize>,
    pub peak_bytes: Option<f64>,
}

impl Record {
    /// Whether the flow reached its horizon.
    pub fn completed(&self) -> bool {
        self.status == "completed"
    }

    /// For a table: how and where a flow ended that did not reach its horizon, else nothing.
    pub fn note(&self) -> String {
        if self.completed() {
            String::new()
        } else {
            format!(" ({} at s = {:.2})", self.status, self.s)
        }
    }

    /// For a table: the peak memory in megabytes.
    pub fn peak_mb(&self) -> String {
        self.peak_bytes
            .map_or("?".into(), |bytes| format!("{:.0}", bytes / 1e6))
    }

    /// Mean seconds of a step, rejected ones and the start included.
    pub fn seconds_per_step(&self) -> f64 {
        self.cpu_s / self.steps as f64
    }

    /// Relative error of the final angle.
    pub fn angle_error(&self, reference: f64) -> Option<f64> {
        self.angle.map(|angle| (angle / reference - 1.0).abs())
    }
}

/// Whether there is one of each of these names.
///
/// # Errors
/// With the first name that is unknown, and those there are.
pub fn known(names: &[String], all: &[&str]) -> Result<(), Box<dyn Error>> {
    match names.iter().find(|name| !all.contains(&name.as_str())) {
        Some(name) => Err(format!("nothing is called {name}; there are {}", all.join(", ")).into()),
        None => Ok(()),
    }
}

impl Request {
    /// Measures in a fresh process.
    ///
    /// # Errors
    /// If that process ends with one.
    pub fn measured(&self) -> Result<Record, Box<dyn Error>> {
        let done = Command::new(std::env::current_exe()?)
            .arg("measure")
            .arg(serde_json::to_string(self)?)
            .stderr(Stdio::inherit())
            .output()?;
        if !done.status.success() {
            return Err("a measurement failed".into());
        }
        Ok(serde_json::from_slice(&done.stdout)?)
    }
}

/// Measures in this process. The absolute tolerance is a hundredth of the relative one; only the ends are saved.
///
/// # Errors
/// If the problem cannot be read, the integrator cannot start, or the limit cannot be certified.
pub fn measure(request: &Request) -> Result<Record, Box<dyn Error>> {
    let problem = request.problem.problem()?;
    let options = FlowOptions {
        rtol: request.rtol,
        atol: request.rtol / 100.0,
        method: method(request.method.as_deref())?,
        saves: SaveAt::Uniform(2),
        max_wall_seconds: MOST_SECONDS,
        ..FlowOptions::to(request.until)
    };
    let mut last = None;
    let mut peak_bytes = None;
    let mut flow = || last = Some(integrate(&problem, &options, &mut |_| {}));
    let (cpu_s, warm_up_s, repeats) = if request.repeats == 0 {
        flow();
        (0.0, 0.0, 0)
    } else {
        let timing = timed(request.repeats, flow, || peak_bytes = peak_memory());
        (timing.median, timing.warm_up, timing.repeats)
    };
    let trajectory = last.ok_or("no flow was made")??;
    let limit = reference_limit(&problem, false)?.after(&problem, &trajectory);
    let diagnostics = diagnose(&problem, &trajectory, limit.as_ref());
    let end = trajectory.len() - 1;
    let solver = &trajectory.solver;
    let status = serde_json::to_value(trajectory.status)?;
    Ok(Record {
        status: status.as_str().unwrap_or_default().into(),
        s: trajectory.log_log_time[end],
        method: solver.method.clone(),
        rtol: options.rtol,
        atol: options.atol,
        parameters: problem.network().parameters(),
        samples: problem.dataset().len(),
        cpu_s,
        warm_up_s,
        repeats,
        steps: solver.steps,
        rejected_steps: solver.rejected_steps,
        rhs_evaluations: solver.rhs_evaluations,
        jacobian_evaluations: solver.jacobian_evaluations,
        angle: diagnostics.final_angle(),
        drift: diagnostics.multiplier_drift[end],
        gap: diagnostics.duality_gap[end],
        min_margin: diagnostics.min_margin[end],
        log_loss: diagnostics.log_loss[end],
        output_norm: (diagnostics
            .layer_norms
            .column(end)
            .iter()
            .next_back()
            .copied())
        .unwrap_or_default(),
        homogeneous: diagnostics
            .homogeneous
            .as_ref()
            .and_then(|h| Some([h.normalised_margin[end], h.epsilon[end]?, h.delta[end]?])),
        kinks: (trajectory.kinks.as_ref()).map(|k| k.crossings + k.slides + k.releases),
        peak_bytes,
    })
}

/// The method of this name, or the default one.
fn method(name: Option<&str>) -> Result<Method, Box<dyn Error>> {
    let Some(name) = name else {
        return Ok(FlowOptions::to(1.0).method);
    };
    let known = [
        Method::Bdf,
        Method::Esdirk34,
        Method::TrBdf2,
        Method::Tsit45,
        FlowOptions::to(1.0).method,
    ];
    (known.into_iter().find(|m| m.name() == name))
        .ok_or_else(|| format!("no method is called {name}").into())
}
