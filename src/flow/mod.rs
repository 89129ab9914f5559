//! The flow in log-log-time: options here, the integrator in its own files.

/// Time-stepping method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Bdf,
    Esdirk34,
    TrBdf2,
    Tsit45,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bdf => "bdf",
            Self::Esdirk34 => "esdirk34",
            Self::TrBdf2 => "tr-bdf2",
            Self::Tsit45 => "tsit45",
        }
    }
}

/// Everything the integrator needs besides the problem.
#[derive(Debug, Clone)]
pub struct FlowOptions {
    /// Horizon s = ln(1 + ln(1 + t)).
    pub until: f64,
    pub rtol: f64,
    /// Absolute tolerance of θ; that of the compressed log-multipliers is 100 times larger.
    pub atol: f64,
    pub method: Method,
    /// Number of saves on the uniform grid of s (≥ 2); `None` chooses by size.
    pub saves: Option<usize>,
    pub max_steps: usize,
    pub max_wall_seconds: f64,
}
