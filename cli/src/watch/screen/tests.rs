//! What is on the screen for what was seen and typed.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::view::examples;
use ebbtide_rules::record::Halt;

fn screen(name: &str) -> Screen {
    let mut screen = Screen::default();
    screen.see(examples::view(name));
    screen
}

fn drawn(screen: &mut Screen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen.draw(frame)).unwrap();
    terminal.backend().to_string()
}

fn typed(screen: &mut Screen, key: char) -> Consequence {
    screen.key(KeyEvent::from(KeyCode::Char(key)))
}

#[test]
fn a_deployment_is_drawn_as_a_tree() {
    insta::assert_snapshot!("bake", drawn(&mut screen("bake"), 110, 26));
    insta::assert_snapshot!("gate", drawn(&mut screen("gate"), 110, 26));
}

#[test]
fn what_is_long_is_wrapped_within_the_tree_and_scrolled() {
    let mut screen = screen("failed");
    insta::assert_snapshot!("narrow", drawn(&mut screen, 64, 20));
    for _ in 0..100 {
        typed(&mut screen, 'j');
    }
    let end = drawn(&mut screen, 64, 20);
    assert!(end.contains("failed: DrainDeadlineExceeded"), "{end}");
    screen.key(KeyEvent::from(KeyCode::PageUp));
    assert_ne!(drawn(&mut screen, 64, 20), end);
}

#[test]
fn a_wish_is_told_only_after_a_yes() {
    let mut screen = screen("bake");
    let name = "deploy-20261129-161316994".to_owned();
    assert_eq!(typed(&mut screen, 'b'), Consequence::Nothing);
    insta::assert_snapshot!("question", drawn(&mut screen, 90, 16));
    assert_eq!(typed(&mut screen, 'n'), Consequence::Nothing);
    assert!(drawn(&mut screen, 90, 16).contains("nothing was asked for"));
    for (key, _, verb) in KEYS {
        typed(&mut screen, key);
        assert_eq!(
            typed(&mut screen, 'y'),
            Consequence::Tell(Wish::new(verb, name.clone()))
        );
    }
    screen.tell("deployment x is told to roll back".to_owned());
    assert!(drawn(&mut screen, 90, 16).contains("is told to roll back"));
}

#[test]
fn what_goes_on_is_what_was_seen() {
    let mut screen = screen("gate");
    for (key, at) in [('r', Some(Halt::Switch)), ('a', None)] {
        typed(&mut screen, key);
        let told = typed(&mut screen, 'y');
        assert!(
            matches!(&told, Consequence::Tell(wish) if wish.at == at),
            "{told:?}"
        );
    }
}

#[test]
fn nobody_is_told_where_nobody_would_read_it() {
    let mut screen = screen("failed");
    assert_eq!(typed(&mut screen, 'a'), Consequence::Nothing);
    assert!(drawn(&mut screen, 90, 40).contains("no deployment holds the front"));
    assert_eq!(typed(&mut screen, 'y'), Consequence::Nothing);
    let mut view = examples::view("bake");
    let front = view.front.as_mut().unwrap();
    (front.acting.runs, front.acting.status) = (false, "ABORTED".to_owned());
    screen.see(view);
    typed(&mut screen, 'a');
    assert!(drawn(&mut screen, 90, 40).contains("is ABORTED: nobody reads a wish"));
}

#[test]
fn a_look_that_fails_leaves_what_was_seen() {
    let mut screen = Screen::default();
    assert!(drawn(&mut screen, 90, 10).contains("looking"));
    screen.see(examples::view("bake"));
    screen.fail("GetItem: dispatch failure".to_owned());
    let drawn = drawn(&mut screen, 90, 30);
    assert!(drawn.contains("the last look failed: GetItem"), "{drawn}");
    assert!(drawn.contains("● front"), "{drawn}");
}

#[test]
fn help_lists_the_keys_and_any_key_closes_it() {
    let mut screen = screen("bake");
    typed(&mut screen, '?');
    insta::assert_snapshot!("help", drawn(&mut screen, 90, 16));
    assert_eq!(typed(&mut screen, 'q'), Consequence::Nothing);
    assert_eq!(typed(&mut screen, 'q'), Consequence::Quit);
    let other = KeyEvent::new(KeyCode::Char('b'), KeyModifiers::CONTROL);
    assert_eq!(screen.key(other), Consequence::Nothing);
    assert!(!drawn(&mut screen, 90, 30).contains("Really?"));
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(screen.key(interrupt), Consequence::Interrupt);
}
