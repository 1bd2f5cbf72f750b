//! x
use ebbtide_model::model::*;
use ebbtide_model::variants::Variant;
use stateright::*;
fn main() {
    let a: Vec<u8> = std::env::args().skip(1).map(|x| x.parse().unwrap_or(0)).collect();
    let m = Deployments { name: "t", blue: a[0], green: a[1], launches: a[2], sessions: a[3], carried: a[4], faults: a[5], strays: a[6], minimum: 1, alarms: a[7] > 0, wishes: a[8] > 0, steps: &[100], second: [Second::Nobody, Second::TakesOver, Second::Deploys][a[9] as usize], variant: Variant::Shipped };
    let t = std::time::Instant::now();
    let c = m.checker().threads(1).target_state_count(30_000_000).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{:?} unique {} gen {} depth {} {:?} done {}", a, c.unique_state_count(), c.state_count(), c.max_depth(), t.elapsed(), c.is_done());
    for (n, p) in c.discoveries() {
        println!("{n}: {}", p.clone().into_actions().len());
        if std::env::var("V").is_ok() { for (s, a) in p.into_vec() { println!("  {:?}\n     {:?}", s, a); } }
        else { println!("   {:?}", p.into_actions()) }
    }
}
