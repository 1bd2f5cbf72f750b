//! `make prove`: explores every configuration, and catches every broken variant. Fails unless all is as it should be.

use std::process::ExitCode;

use ebbtide_model::configurations::{FULL, QUICK};
use ebbtide_model::proof;
use ebbtide_model::properties::Rule;
use ebbtide_model::variants::BROKEN;

fn main() -> ExitCode {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let wanted =
        |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part.as_str()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut good = true;
    println!(
        "The shipped rules, {} properties in every state:",
        Rule::ALWAYS.len() + 1
    );
    for model in FULL
        .iter()
        .chain(QUICK.iter().filter(|_| !only.is_empty()))
        .filter(|model| wanted(model.name))
    {
        good &= explored(model, threads);
    }
    println!("The protocol without one of its mechanisms:");
    for broken in BROKEN.iter().filter(|broken| wanted(broken.name)) {
        match proof::catch(broken, threads) {
            Some((steps, story)) => {
                println!("{}: caught in {steps} steps\n{story}", broken.name);
            }
            None => {
                println!("{}: NOT CAUGHT", broken.name);
                good = false;
            }
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn explored(model: &ebbtide_model::model::Deployments, threads: usize) -> bool {
    let explored = proof::explore(model, threads);
    println!(
        "  {:<32} {:>10} states, {:>11} steps, {:>3} deep, {:>6.1} s: {}",
        model.name,
        explored.states,
        explored.steps,
        explored.depth,
        explored.took.as_secs_f64(),
        if explored.violated.is_empty() {
            if model.window {
                "nothing is cut"
            } else {
                "all hold"
            }
        } else {
            "VIOLATED"
        }
    );
    for (name, story) in &explored.violated {
        println!("{name}:\n{story}");
    }
    for name in &explored.never {
        println!("    never happens, so the rest may hold emptily: {name}");
    }
    explored.violated.is_empty() && explored.never.is_empty()
}
