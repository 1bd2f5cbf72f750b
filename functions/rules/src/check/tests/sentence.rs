//! What is being waited for, in words: each number, each name and each clock of the sentence.

use super::*;

fn sentence(standings: &[(String, Standing)]) -> String {
    check(standings, None, NOW).outlook.waiting_for
}

#[test]
fn the_sentence_names_the_numbers_and_the_worst() {
    assert_eq!(sentence(&[]), "nothing");
    assert_eq!(
        sentence(&[
            held("i-0abc", 2, 0),
            held("i-0abd", 0, 7),
            held("i-0abe", 0, 8)
        ]),
        "2 busy sessions on 1 server (i-0abc: 2 busy, oldest 431 s); 15 idle sessions on 2 servers (i-0abe: 8 idle)"
    );
    assert_eq!(
        sentence(&[held("i-0abc", 1, 0), unheard("i-0def")]),
        "1 busy session on 1 server (i-0abc: 1 busy, oldest 431 s); 1 server unknown since 10:40:00 (i-0def: \
         connection refused): if its loss is acceptable terminate it in EC2, the deployment goes on by itself"
    );
    assert_eq!(
        sentence(&[held("i-0abc", 0, 0)]),
        "1 server in use by something that is no session (i-0abc)"
    );
    assert_eq!(
        sentence(&[sealed_one("i-0a"), sealed_one("i-0b")]),
        "2 sealed servers to be terminated"
    );
}

#[test]
fn the_sentence_names_the_fight_over_the_weights() {
    let standings = [held("i-0a", 0, 0)];
    let retiring = retiring(&standings);
    let repairs = Repairs {
        total: 2,
        found: "tunnel-a 100, tunnel-b 0".to_owned(),
        ..Repairs::default()
    };
    let asked = Question {
        baked_at: Some(after(60)),
        repairs: Some(&repairs),
        ..question(&retiring, None)
    };
    assert_eq!(
        conclude(&standings, &asked, NOW)
            .unwrap()
            .outlook
            .waiting_for,
        "the bake, until 10:41:00; weights that somebody else moves (set right 2 times, last found tunnel-a 100, tunnel-b 0)"
    );
}

#[test]
fn the_sentence_names_the_clock_the_ending_and_the_day() {
    let standings = [held("i-0a", 0, 0)];
    let mut retiring = retiring(&standings);
    retiring.waiting_to_end.push("i-0b".to_owned());
    let baking = Question {
        baked_at: Some(after(60)),
        ..question(&retiring, None)
    };
    let check = conclude(&standings, &baking, NOW).unwrap();
    assert!(check.outlook.baking && check.outlook.settled);
    assert_eq!(
        check.outlook.waiting_for,
        "the bake, until 10:41:00; 1 terminating server to end"
    );
    let settling = Question {
        settled_at: Some(after(86_400)),
        ..question(&retiring, None)
    };
    let check = conclude(&standings, &settling, NOW).unwrap();
    assert!(!check.outlook.settled);
    assert!(
        check
            .outlook
            .waiting_for
            .starts_with("the load balancer to settle, until 2026-11-19 10:40:00"),
        "{}",
        check.outlook.waiting_for
    );
}

#[test]
fn the_sentence_says_how_fast_sessions_end_and_the_check_what_is_oldest() {
    let first = check(&[held("i-0a", 100, 100)], None, NOW);
    assert_eq!(first.counts.oldest_busy_seconds, 431);
    let second = check(&[held("i-0a", 100, 50)], Some(&first), after(100));
    assert_eq!(
        second.outlook.waiting_for,
        "100 busy sessions on 1 server (i-0a: 100 busy, oldest 431 s); 50 idle sessions on 1 server (i-0a: 50 idle); \
         all ended about 10:46 at 0.5 sessions a second"
    );
    assert_eq!(second.outlook.forecast.ends_at, Some(after(400)));
}
