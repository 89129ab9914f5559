//! Checkpoints that are damaged, cut short, of another run or of another version are named and never used.

use super::program::{Workshop, same, text};
use super::shop;
use std::fs;

/// Leaves a checkpoint of a flow in `folder`, and its bytes.
fn checkpoint(shop: &Workshop, scenario: &str, folder: &str, more: &str) -> Vec<u8> {
    shop.ends(
        5,
        &format!("run {scenario}.toml --out {folder} --no-figures --quiet --set flow.max-steps=600 {more}"),
    );
    fs::read(shop.path(folder).join("flow.checkpoint")).unwrap()
}

#[test]
fn only_a_whole_checkpoint_of_the_same_run_is_used() {
    let shop = shop();
    shop.ends(0, "run linear.toml --no-figures --out whole");
    let whole = shop.left("whole");
    let good = checkpoint(&shop, "linear", "cut", "");
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let older = text(&good[..good.iter().position(|b| *b == b'\n').unwrap()])
        .replace(concat!(" ", env!("CARGO_PKG_VERSION"), " "), " 0.0.9 ");
    let cases = [
        ("it is damaged", Vec::new()),
        ("it is damaged", b"marginflow".to_vec()),
        ("it is damaged", good[..good.len() / 2].to_vec()),
        ("it is damaged", good[..good.len() - 1].to_vec()),
        ("it is damaged", with(&|b| b[40] ^= 1)),
        ("it is damaged", with(&|b| *b.last_mut().unwrap() ^= 1)),
        ("it is damaged", with(&|b| b.push(0))),
        ("another version", signed(format!("{older}\n").into_bytes())),
        (
            "another run",
            checkpoint(&shop, "linear", "other-rtol", "--set flow.rtol=1e-10"),
        ),
        (
            "another run",
            checkpoint(
                &shop,
                "linear",
                "other-data",
                "--set dataset.gaussian-teacher.seed=5",
            ),
        ),
        (
            "another run",
            checkpoint(
                &shop,
                "linear",
                "other-horizon",
                "--set flow.until.log-log-time=61.0",
            ),
        ),
        (
            "another run",
            checkpoint(&shop, "kinks", "other-network", ""),
        ),
    ];
    for (k, (why, bytes)) in cases.into_iter().enumerate() {
        let file = shop.path("cut/flow.checkpoint");
        fs::write(&file, bytes).unwrap();
        let output = shop.ends(0, "run linear.toml --no-figures --out cut");
        let said = text(&output.stderr);
        assert!(
            said.contains(why) && said.contains("starts again"),
            "{k}: {said}"
        );
        let mut files = shop.left("cut");
        // somebody's work is not thrown away
        let kept = files.remove(std::path::Path::new("flow.checkpoint.other"));
        assert_eq!(kept.is_some(), !why.contains("damaged"), "{k}");
        let _ = fs::remove_file(shop.path("cut/flow.checkpoint.other"));
        same(&files, &whole);
    }
    // and a good one is
    fs::write(shop.path("cut/flow.checkpoint"), &good).unwrap();
    let output = shop.ends(0, "run linear.toml --no-figures --out cut");
    assert!(text(&output.stderr).contains("resumed from"));
    same(&shop.left("cut"), &whole);
}

/// A file with a checksum that is right.
fn signed(mut content: Vec<u8>) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(&content);
    content.extend(digest);
    content
}

/// What is no checkpoint of ours is no business of ours.
#[test]
fn files_of_others_with_such_a_name_stay() {
    let shop = shop();
    fs::create_dir(shop.path("mine")).unwrap();
    fs::write(shop.path("mine/model.checkpoint"), "precious").unwrap();
    shop.ends(0, "run linear.toml --out mine --set flow.rtol=1e-6");
    assert!(shop.path("mine/model.checkpoint").exists());
}
