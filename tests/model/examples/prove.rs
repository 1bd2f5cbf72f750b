//! `make prove`: explores every configuration, and catches every broken variant. Fails unless all is as it should be.

use std::process::ExitCode;

use ebbtide_model::checked::Checked;
use ebbtide_model::properties::Rule;
use ebbtide_model::{agent, configurations, proof, variants};

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
    let quick = configurations::QUICK.iter().filter(|_| !only.is_empty());
    for model in configurations::FULL.iter().chain(quick) {
        good &= !wanted(model.name) || explored(model, threads);
    }
    println!("The agent by itself:");
    let quick = agent::configurations::QUICK
        .iter()
        .filter(|_| !only.is_empty());
    for model in agent::configurations::FULL.iter().chain(quick) {
        good &= !wanted(model.name) || explored(model, threads);
    }
    println!("The protocol without one of its mechanisms:");
    for broken in variants::BROKEN.iter().filter(|it| wanted(it.name)) {
        let model = configurations::of_broken(broken);
        good &= caught(&model, broken.violates.name(), threads);
    }
    println!("The agent without one of its mechanisms:");
    for broken in agent::variants::BROKEN.iter().filter(|it| wanted(it.name)) {
        good &= caught(&broken.configuration(), broken.violates, threads);
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn explored(model: &impl Checked, threads: usize) -> bool {
    let explored = proof::explore(model, threads);
    println!(
        "  {:<32} {:>10} states, {:>11} steps, {:>3} deep, {:>6.1} s: {}",
        model.name(),
        explored.states,
        explored.steps,
        explored.depth,
        explored.took.as_secs_f64(),
        if explored.violated.is_empty() {
            model.verdict()
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

fn caught(broken: &impl Checked, promise: &str, threads: usize) -> bool {
    let caught = proof::catch(broken, promise, threads);
    match &caught {
        Some((steps, story)) => println!("{}: caught in {steps} steps\n{story}", broken.name()),
        None => println!("{}: NOT CAUGHT", broken.name()),
    }
    caught.is_some()
}
