//! The scenario that cases change in one place.

/// The parts of a scenario, in TOML.
#[derive(Debug, Clone)]
pub struct Parts {
    pub loss: &'static str,
    pub initial: String,
    pub dataset: String,
    pub network: &'static str,
    pub rule: String,
    pub until: String,
    pub flow: String,
    pub more: String,
}

pub const NETWORKS: [(&str, &str); 4] = [
    (
        "fully connected",
        "[network.fully-connected-linear]\ndepth = 2",
    ),
    ("convolutional", "[network.convolutional-linear]\ndepth = 2"),
    ("diagonal", "[network.diagonal-linear]\ndepth = 2"),
    ("ReLU", "[network.relu]\nhidden = [4]"),
];

pub const FEEDBACK: &str = "[rule.direct-feedback-alignment]\nfeedback.gaussian.seed = 7";
pub const GRADIENT_DESCENT: &str = "";
pub const FILES: &str = "[dataset.files]\nsamples = \"x.csv\"\nlabels = \"y.csv\"";

/// Three points of space, two of them support vectors.
pub const SAMPLES: [[f64; 3]; 3] = [[1.0, 0.2, 0.1], [-1.0, 0.3, 0.2], [2.0, 3.0, -1.0]];
pub const LABELS: &str = "1\n-1\n1\n";

/// A drawn data set, depth 2, direct feedback alignment, to s = 5 in at most 3000 steps, five saves.
pub fn drawn() -> Parts {
    Parts {
        loss: "exponential",
        initial: "initial.gaussian = { scale = 0.1, seed = 3 }".into(),
        dataset: "[dataset.gaussian-teacher]\ndimension = 3\nsamples = 4\nseed = 1".into(),
        network: NETWORKS[0].1,
        rule: FEEDBACK.into(),
        until: "until.log-log-time = 5.0".into(),
        flow: "saves = 5\nmax-steps = 3000".into(),
        more: String::new(),
    }
}

/// The same on `x.csv` and `y.csv`.
pub fn on_files() -> Parts {
    Parts {
        dataset: FILES.into(),
        ..drawn()
    }
}

impl Parts {
    pub fn text(&self) -> String {
        let (word, table) = if self.rule == GRADIENT_DESCENT {
            ("rule = \"gradient-descent\"", "")
        } else {
            ("", self.rule.as_str())
        };
        format!(
            "loss = \"{}\"\n{}\n{word}\n{}\n{}\n{table}\n[flow]\n{}\n{}\n{}\n",
            self.loss, self.initial, self.dataset, self.network, self.until, self.flow, self.more
        )
    }
}

/// Rows of numbers as CSV.
pub fn csv<const D: usize>(rows: &[[f64; D]]) -> String {
    let row = |row: &[f64; D]| row.map(|x| format!("{x:e}")).join(",");
    rows.iter().map(|r| row(r) + "\n").collect()
}
