//! SIGKILL at random moments: a run that is killed, and started again until it is through, leaves what one leaves that
//! was never killed.
//!
//! A hundred kills in all; `MARGINFLOW_KILLS` asks for another number.

use super::program::{Workshop, same};
use super::shop;
use marginflow::dataset::standard_normals;
use std::fs;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Kills of one of the five tests.
fn share() -> usize {
    let wanted = std::env::var("MARGINFLOW_KILLS").map(|n| n.parse().expect("a number of kills"));
    wanted.unwrap_or(100_usize).div_ceil(5)
}

/// A command that is to be killed.
struct Victim<'a> {
    shop: &'a Workshop,
    /// Without `--out`.
    command: &'a str,
    /// What has to be there before; a folder's name is added.
    before: Option<&'a str>,
    /// Words on standard error that say a checkpoint has been used.
    resumed: &'a str,
}

impl Victim<'_> {
    fn prepare(&self, folder: &str) {
        let _ = fs::remove_dir_all(self.shop.path(folder));
        if let Some(before) = self.before {
            self.shop.ends(0, &format!("{before} --out {folder}"));
        }
    }

    fn starts(&self, folder: &str) -> Child {
        self.shop
            .starts(&format!("{} --out {folder}", self.command))
    }

    /// Kills it `share()` times, lets it end in between whenever it does, and compares whatever it leaves with what it
    /// leaves undisturbed.
    fn dies(&self, seed: u64) {
        self.prepare("whole");
        let begin = Instant::now();
        self.shop.ends(0, &format!("{} --out whole", self.command));
        let whole_time = begin.elapsed();
        let whole = self.shop.left("whole");
        let mut moments = standard_normals("moments of kills", seed);
        let (mut kills, mut resumed, mut ends) = (0, 0, 0);
        self.prepare("killed");
        while kills < share() || ends == 0 {
            let mut child = self.starts("killed");
            if kills < share() {
                // up to a little more than it takes when nothing disturbs it
                let share = 0.6 * (1.0 + moments.next().unwrap() / 3.0).clamp(0.0, 2.0);
                sleep(whole_time.mul_f64(share).min(Duration::from_secs(20)));
            }
            let over = kills == share() || child.try_wait().unwrap().is_some();
            if !over {
                child.kill().unwrap();
            }
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            resumed += usize::from(said.contains(self.resumed));
            assert!(!said.contains("not used"), "{said}");
            match output.status.code() {
                None => kills += 1,
                code => {
                    assert_eq!(code, Some(0), "{said}");
                    same(&self.shop.left("killed"), &whole);
                    ends += 1;
                    self.prepare("killed");
                }
            }
        }
        assert!(
            self.resumed.is_empty() || resumed * 4 >= kills,
            "{kills} kills, but only {resumed} checkpoints used"
        );
    }
}

#[test]
fn kills_do_not_change_a_flow() {
    Victim {
        shop: &shop(),
        command: "run linear.toml --checkpoint-every 0.01 --verify --no-figures",
        before: None,
        resumed: "resumed from",
    }
    .dies(1);
}

#[test]
fn kills_do_not_change_a_flow_in_pieces() {
    Victim {
        shop: &shop(),
        command: "run kinks.toml --checkpoint-every 0.01 --no-figures",
        before: None,
        resumed: "resumed from",
    }
    .dies(2);
}

#[test]
fn kills_do_not_change_finite_steps() {
    Victim {
        shop: &shop(),
        command: "run steps.toml --checkpoint-every 0.01 --no-figures",
        before: None,
        resumed: "resumed from",
    }
    .dies(3);
}

#[test]
fn kills_do_not_change_a_sweep() {
    Victim {
        shop: &shop(),
        command: "sweep run --jobs 2",
        before: Some("sweep plan sweep.toml"),
        resumed: "",
    }
    .dies(4);
}

/// Planning, running and merging are one command, and any of them may be cut short.
#[test]
fn kills_do_not_change_a_study() {
    Victim {
        shop: &shop(),
        command: "study run study.toml --jobs 2",
        before: None,
        resumed: "",
    }
    .dies(5);
}
