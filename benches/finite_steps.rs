//! Steps per second of the finite-step runs on one core, beside what the machine could do at best.
//!
//! Two works, as in docs/performance.md: W4-fc (fully connected, D = 20, L = 3, N = 30) and W4-conv (convolutional, D =
//! 64, L = 3, N = 40), both under direct feedback alignment from zero weights; a single run and eight at once. With
//! MARGINFLOW_PEERS set to a folder that holds `instances/<work>/{X,y,b_1,b_2}.csv`, the works are these; else
//! random ones of the same sizes. `benches/peers.py` runs this beside other programs.
//!
//! Steps are the median over repeats, per second of processor time where Linux tells it; what the machine does is the
//! best of many short repeats, which no other program interrupts.

use marginflow::dataset::{Dataset, gaussian_teacher, read_files, read_matrix, standard_normals};
use marginflow::descent::{Lane, Schedule, exponentials, stepper};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use nalgebra::DVector;
use pulp::{Arch, Simd, WithSimd};
use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

const REPEATS: usize = 15;
/// Of one repeat; Linux counts processor time in ticks of some milliseconds.
const SECONDS: f64 = 0.3;
const SIZE: f64 = 1e-3;
const DEPTH: usize = 3;

/// `b_1 … b_{L−1}`
type Feedback = Vec<DVector<f64>>;

/// A problem, and what one step of it takes however it is done.
struct Work {
    name: &'static str,
    problem: Problem,
    /// Multiplications and additions.
    flops: f64,
    exponentials: f64,
    /// Bytes read and written: every weight read twice and written once, the data read twice.
    bytes: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let peers = std::env::var_os("MARGINFLOW_PEERS").map(PathBuf::from);
    let machine = Machine::measure();
    println!("doubles in a vector    {:6}", machine.lanes);
    println!("fused multiply-adds    {:8.1} Gflop/s", machine.flops / 1e9);
    println!(
        "exponentials           {:8.1} M/s",
        machine.exponentials / 1e6
    );
    println!("reads from level 1     {:8.1} GB/s", machine.level_1 / 1e9);
    println!("reads from level 2     {:8.1} GB/s", machine.level_2 / 1e9);
    println!();
    println!("work     runs        M steps/s   bound   of bound");
    for work in [
        fully_connected(peers.as_deref())?,
        convolutional(peers.as_deref())?,
    ] {
        let bound = machine.bound(&work);
        for (runs, label) in [(1, "single"), (8, "batch of 8")] {
            let rate = steps_per_second(&work.problem, runs);
            println!(
                "{:8} {label:11} {:9.3} {:7.2}   {:6.0} %",
                work.name,
                rate / 1e6,
                bound / 1e6,
                100.0 * rate / bound
            );
        }
    }
    Ok(())
}

fn fully_connected(peers: Option<&Path>) -> Result<Work, Box<dyn Error>> {
    let (dimension, samples) = (20, 30);
    let (dataset, feedback) = instance(peers, "W4-fc", samples, dimension)?;
    let network = FullyConnectedLinear::new(dimension, &[dimension; DEPTH - 1]);
    let network = Network::new(network);
    let weights = network.parameters() as f64;
    let data = (samples * dimension) as f64;
    Ok(Work {
        name: "W4-fc",
        // Two products and one update of every weight, two products with the data.
        flops: 2.0 * (3.0 * weights + 2.0 * data),
        exponentials: samples as f64,
        bytes: 8.0 * (3.0 * weights + 2.0 * data),
        problem: problem(dataset, network, feedback),
    })
}

fn convolutional(peers: Option<&Path>) -> Result<Work, Box<dyn Error>> {
    let (dimension, samples) = (64, 40);
    let (dataset, feedback) = instance(peers, "W4-conv", samples, dimension)?;
    let network = Network::convolutional(dimension, DEPTH);
    let weights = network.parameters() as f64;
    let data = (samples * dimension) as f64;
    let frequencies = (dimension / 2 * (DEPTH - 1)) as f64;
    Ok(Work {
        name: "W4-conv",
        // Per frequency and hidden layer two complex products (6 flops each) and a complex product added (8), the last
        // layer's sum, two products with the data.
        flops: 20.0 * frequencies + dimension as f64 + 4.0 * data,
        exponentials: samples as f64,
        bytes: 8.0 * (3.0 * weights + 2.0 * data),
        problem: problem(dataset, network, feedback),
    })
}

/// Data and feedback of a work.
fn instance(
    peers: Option<&Path>,
    name: &str,
    samples: usize,
    dimension: usize,
) -> Result<(Dataset, Feedback), Box<dyn Error>> {
    let Some(peers) = peers else {
        let feedback = (1..DEPTH).map(|l| {
            let entries = standard_normals("bench feedback", l as u64).take(dimension);
            DVector::from_iterator(dimension, entries) / (dimension as f64).sqrt()
        });
        return Ok((gaussian_teacher(dimension, samples, 1), feedback.collect()));
    };
    let folder = peers.join("instances").join(name);
    let dataset = read_files(&folder.join("X.csv"), &folder.join("y.csv"))?;
    if (dataset.len(), dataset.dimension()) != (samples, dimension) {
        return Err(format!("{}: not {samples} x {dimension}", folder.display()).into());
    }
    let feedback: Result<_, _> = (1..DEPTH)
        .map(|l| {
            let b = read_matrix(&folder.join(format!("b_{l}.csv")))?;
            Ok(b.column(0).into_owned())
        })
        .collect();
    feedback.map(|feedback| (dataset, feedback))
}

fn problem(dataset: Dataset, network: Network, feedback: Feedback) -> Problem {
    Problem::new(
        dataset,
        network.clone(),
        Rule::direct_feedback_alignment(feedback),
        Loss::Exponential,
        DVector::zeros(network.parameters()),
    )
    .unwrap()
}

/// Steps of all runs together.
fn steps_per_second(problem: &Problem, runs: u64) -> f64 {
    let lanes: Vec<Lane> = (0..runs)
        .map(|run| Lane {
            size: SIZE / (1.0 + run as f64),
            theta: problem.theta0().clone(),
        })
        .collect();
    let mut stepper = stepper(problem, Schedule::Constant, &lanes);
    let mut steps = 1000;
    while processor_seconds(|| stepper.advance(steps)) < SECONDS {
        steps *= 2;
    }
    let mut seconds: Vec<f64> = (0..REPEATS)
        .map(|_| processor_seconds(|| stepper.advance(steps)))
        .collect();
    seconds.sort_by(f64::total_cmp);
    (runs * steps) as f64 / seconds[REPEATS / 2]
}

/// What one core does at best.
struct Machine {
    /// Doubles in a vector.
    lanes: usize,
    /// Per second, in independent fused multiply-adds of registers.
    flops: f64,
    /// Per second, in the steppers' own arithmetic.
    exponentials: f64,
    /// Bytes read per second from the first cache and the second.
    level_1: f64,
    level_2: f64,
}

impl Machine {
    fn measure() -> Self {
        let arch = Arch::new();
        let lanes = arch.dispatch(Lanes);
        let rounds = 50_000;
        let seconds = least_seconds(|| {
            black_box(arch.dispatch(MultiplyAdds(rounds)));
        });
        let flops = (2 * rounds * MultiplyAdds::CHAINS * lanes) as f64 / seconds;
        let mut x = vec![0.0; 1024];
        let seconds = least_seconds(|| {
            for _ in 0..50 {
                x.fill(black_box(-1.5));
                exponentials(black_box(&mut x));
            }
        });
        let reads = |doubles: usize| {
            let numbers = vec![1.0; doubles + 8];
            // From the start of a cache line: vectors across two are read at half the pace.
            let start = numbers.as_ptr().align_offset(64).min(8);
            let numbers = &numbers[start..start + doubles];
            let rounds = 2_000_000 / doubles;
            let seconds = least_seconds(|| {
                black_box(arch.dispatch(Sum(numbers, rounds)));
            });
            (8 * doubles * rounds) as f64 / seconds
        };
        Self {
            lanes,
            flops,
            exponentials: (50 * x.len()) as f64 / seconds,
            level_1: reads(16 * 1024 / 8),
            level_2: reads(256 * 1024 / 8),
        }
    }

    /// Steps per second that arithmetic (flops and exponentials share the same units) and the first cache allow.
    fn bound(&self, work: &Work) -> f64 {
        let arithmetic = work.flops / self.flops + work.exponentials / self.exponentials;
        1.0 / arithmetic.max(work.bytes / self.level_1)
    }
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F64_LANES
    }
}

struct MultiplyAdds(usize);

impl MultiplyAdds {
    /// As many as hide the latency.
    const CHAINS: usize = 12;
}

impl WithSimd for MultiplyAdds {
    type Output = f64;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (a, b) = (
            simd.splat_f64s(black_box(0.999)),
            simd.splat_f64s(black_box(1e-3)),
        );
        let mut sums = [simd.splat_f64s(1.0); Self::CHAINS];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f64s(*sum, a, b);
            }
        }
        sums.iter().map(|sum| simd.reduce_sum_f64s(*sum)).sum()
    }
}

/// Numbers summed up so many times.
struct Sum<'a>(&'a [f64], usize);

impl WithSimd for Sum<'_> {
    type Output = f64;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let mut sums = [simd.splat_f64s(0.0); 8];
        for _ in 0..self.1 {
            for block in S::as_simd_f64s(black_box(self.0)).0.as_chunks::<8>().0 {
                for k in 0..8 {
                    sums[k] = simd.add_f64s(sums[k], block[k]);
                }
            }
        }
        sums.iter().map(|sum| simd.reduce_sum_f64s(*sum)).sum()
    }
}

/// Least time on the wall of a short call.
fn least_seconds(mut call: impl FnMut()) -> f64 {
    (0..500)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// Processor time of a call, or time on the wall where the system does not tell.
fn processor_seconds(call: impl FnOnce()) -> f64 {
    // Linux: nanoseconds on a processor, the first number of schedstat.
    let now = || {
        let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        let nanoseconds: f64 = statistics.split_whitespace().next()?.parse().ok()?;
        Some(nanoseconds * 1e-9)
    };
    let (wall, processor) = (Instant::now(), now());
    call();
    match (processor, now()) {
        (Some(start), Some(end)) => end - start,
        _ => wall.elapsed().as_secs_f64(),
    }
}
