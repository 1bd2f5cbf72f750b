//! What of a body can be sent again, and what is kept for that.

use http::HeaderMap;
use http_body_util::{BodyExt, Empty, Full, StreamBody};

use super::*;

type Piece = Result<Frame<Bytes>, &'static str>;

/// A body of pieces of so many bytes, each of another letter.
fn pieces(bytes: &[usize]) -> Vec<Piece> {
    let letters = (b'a'..=b'z').cycle();
    let pieces = bytes.iter().zip(letters);
    pieces
        .map(|(bytes, letter)| Ok(Frame::data(Bytes::from(vec![letter; *bytes]))))
        .collect()
}

fn request(pieces: Vec<Piece>, kept: &Kept) -> Again {
    let body = StreamBody::new(futures_util::stream::iter(pieces));
    Again::new(Request::new(outgoing(body)), kept)
}

async fn all(request: Option<Request<Outgoing>>) -> Bytes {
    let body = request.expect("an attempt").into_body();
    body.collect().await.expect("a whole body").to_bytes()
}

async fn piece(body: &mut Outgoing) -> Option<usize> {
    let frame = body.frame().await?.expect("no error");
    frame.data_ref().map(Bytes::len)
}

fn in_all(kept: &Kept) -> usize {
    kept.0.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_body_is_sent_again_from_its_beginning_however_far_it_had_got() {
    for read in 0..=3 {
        let kept = Kept::default();
        let again = request(pieces(&[2, 1, 3]), &kept);
        let mut first = again.attempt().expect("an attempt").into_body();
        for _ in 0..read {
            piece(&mut first).await.expect("a piece");
        }
        assert_eq!(all(again.attempt()).await, "aabccc", "{read} pieces read");
        assert_eq!(all(again.attempt()).await, "aabccc", "and a third time");
        assert_eq!(in_all(&kept), 6);
        drop((again, first));
        assert_eq!(in_all(&kept), 0);
    }
}

#[tokio::test]
async fn the_attempt_before_takes_nothing_away() {
    let again = request(pieces(&[2, 1]), &Kept::default());
    let mut first = again.attempt().expect("an attempt").into_body();
    let second = again.attempt();
    assert!(first.frame().await.expect("an end").is_err());
    assert_eq!(all(second).await, "aab");
}

#[tokio::test]
async fn what_is_too_large_is_sent_once() {
    let kept = Kept::default();
    let again = request(pieces(&[OF_ONE, 1, 5]), &kept);
    let mut first = again.attempt().expect("an attempt").into_body();
    assert_eq!(piece(&mut first).await, Some(OF_ONE));
    assert_eq!(in_all(&kept), OF_ONE);
    let mut second = again.attempt().expect("it fits").into_body();
    for bytes in [OF_ONE, 1, 5] {
        assert_eq!(piece(&mut second).await, Some(bytes));
    }
    assert_eq!(piece(&mut second).await, None);
    assert!(again.attempt().is_none());
    assert_eq!(in_all(&kept), 0);
}

#[tokio::test]
async fn all_requests_together_have_a_limit() {
    let kept = Kept::default();
    assert!(kept.take(OF_ALL - 2));
    let again = request(pieces(&[3]), &kept);
    assert_eq!(all(again.attempt()).await, "aaa");
    assert!(again.attempt().is_none());
    assert_eq!(in_all(&kept), OF_ALL - 2);
}

#[tokio::test]
async fn a_body_that_broke_off_or_has_trailers_is_sent_once() {
    let trailers = Ok(Frame::trailers(HeaderMap::new()));
    for last in [Err("the user hung up"), trailers] {
        let kept = Kept::default();
        let mut body = pieces(&[2]);
        body.push(last);
        let again = request(body, &kept);
        let mut first = again.attempt().expect("an attempt").into_body();
        assert_eq!(piece(&mut first).await, Some(2));
        let _last = first.frame().await.expect("the last");
        assert!(again.attempt().is_none());
        assert_eq!(in_all(&kept), 0);
    }
}

#[tokio::test]
async fn after_it_arrived_nothing_is_sent_again_and_the_attempt_goes_on() {
    let kept = Kept::default();
    let again = request(pieces(&[2, 1, 3]), &kept);
    let mut first = again.attempt().expect("an attempt").into_body();
    assert_eq!(piece(&mut first).await, Some(2));
    let mut second = again.attempt().expect("an attempt").into_body();
    again.arrived();
    assert!(again.attempt().is_none());
    for bytes in [2, 1] {
        assert_eq!(piece(&mut second).await, Some(bytes));
    }
    assert_eq!(in_all(&kept), 0);
    assert_eq!(piece(&mut second).await, Some(3));
    // Nor is anything kept of one that had taken everything by then.
    let again = request(pieces(&[2]), &kept);
    let mut first = again.attempt().expect("an attempt").into_body();
    assert_eq!(piece(&mut first).await, Some(2));
    again.arrived();
    assert_eq!(in_all(&kept), 0);
}

#[tokio::test]
async fn its_length_is_known_as_before() {
    let kept = Kept::default();
    let full = Full::new(Bytes::from("abc"));
    let again = Again::new(Request::new(outgoing(full)), &kept);
    for _ in 0..2 {
        let attempt = again.attempt().expect("an attempt").into_body();
        assert_eq!(attempt.size_hint().exact(), Some(3));
        assert!(!attempt.is_end_stream());
        assert_eq!(attempt.collect().await.expect("all").to_bytes(), "abc");
    }
    let empty = Again::new(Request::new(outgoing(Empty::<Bytes>::new())), &kept);
    assert!(empty.attempt().expect("an attempt").body().is_end_stream());
}
