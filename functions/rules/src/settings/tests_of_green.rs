//! The settings of the user's checks: `TestPaths`, the port that they are asked on, for how long a WebSocket is held, and where
//! the load balancer is asked the same.

use super::Reader;
use super::service::{are_different, forwards};
use crate::knobs::{MOST_WEB_SOCKET_SECONDS, TEST_WEB_SOCKET_SECONDS};
use crate::plan::{Pages, TestForward, WebSockets};
use crate::service_url::ServiceUrl;
use crate::url_path::UrlPath;

/// The seconds of all WebSockets together where they are opened at each server and then at its load balancer.
const MOST_WEB_SOCKET_SECONDS_TWICE: u32 = 20;
/// What the path of a WebSocket begins with.
const WEB_SOCKET: &str = "ws:";

impl Reader<'_> {
    /// The test forwards, each with the URL at its place.
    pub(super) fn tests(&mut self, environments: usize) -> Vec<TestForward> {
        let (arns, urls) = (self.list("TestListenerArns"), self.list("TestUrls"));
        let fits = [0, environments].contains(&arns.len());
        if !fits || !are_different(&arns) || !arns.iter().all(|arn| forwards(arn)) {
            let expected = "none, or a listener or listener rule for each environment, in the order of TargetGroupArns";
            self.wrong("TestListenerArns", expected);
        }
        if urls.len() != arns.len() {
            self.wrong("TestUrls", "a URL for each of TestListenerArns");
        }
        let mut tests = Vec::new();
        for (arn, url) in arns.into_iter().zip(urls) {
            match url.parse() {
                Ok(url) => tests.push(TestForward { arn, url }),
                Err(wrong) => self.errors.push(format!("TestUrls: {wrong}")),
            }
        }
        tests
    }

    /// Without paths no port is needed, without WebSockets no seconds are. With test forwards the same WebSockets are opened
    /// twice within a function's time.
    pub(super) fn pages(&mut self, tests: bool) -> Pages {
        let (sockets, paths): (Vec<String>, Vec<String>) = self
            .list("TestPaths")
            .into_iter()
            .partition(|text| text.starts_with(WEB_SOCKET));
        let port = match self.text("TestPort").parse() {
            Ok(port) => port,
            Err(_) if paths.is_empty() && sockets.is_empty() => 0,
            Err(_) => {
                self.wrong("TestPort", "a port number");
                0
            }
        };
        let pages = Pages {
            port,
            paths: self.paths(&paths),
            web_sockets: self.web_sockets(&sockets, tests),
            service: self.service_url(),
            // Whose it is says the plan.
            green: None,
        };
        if (pages.service.is_some() || tests) && paths.is_empty() && sockets.is_empty() {
            self.wrong("TestPaths", "what to ask at ServiceUrl and TestUrls");
        }
        pages
    }

    fn service_url(&mut self) -> Option<ServiceUrl> {
        let text = self.text("ServiceUrl");
        if text.is_empty() {
            return None;
        }
        let parsed = text.parse();
        parsed
            .map_err(|wrong| self.errors.push(format!("ServiceUrl: {wrong}")))
            .ok()
    }

    fn web_sockets(&mut self, texts: &[String], twice: bool) -> Option<WebSockets> {
        if texts.is_empty() {
            return None;
        }
        let seconds = self.number(&TEST_WEB_SOCKET_SECONDS);
        let mut rest = Vec::new();
        for text in texts {
            let path = text.strip_prefix(WEB_SOCKET).unwrap_or(text);
            // A whole URL would be taken for a path: it is the listed servers that are asked.
            if path.starts_with("//") {
                let expected = "the path of a WebSocket on the servers, such as ws:/tunnel";
                self.errors
                    .push(format!("TestPaths: expected {expected}, got \"{text}\""));
            } else {
                rest.push(path.to_owned());
            }
        }
        let paths = self.paths(&rest);
        let all = u32::try_from(paths.len()).unwrap_or(u32::MAX);
        let most = if twice {
            MOST_WEB_SOCKET_SECONDS_TWICE
        } else {
            MOST_WEB_SOCKET_SECONDS
        };
        if all.saturating_mul(seconds) > most {
            self.errors.push(format!(
                "TestPaths: expected WebSockets that are open for {most} seconds together, got {all} of \
                 {seconds} seconds each"
            ));
        }
        (!paths.is_empty()).then_some(WebSockets { paths, seconds })
    }

    fn paths(&mut self, texts: &[String]) -> Vec<UrlPath> {
        let mut paths = Vec::new();
        for text in texts {
            match text.parse() {
                Ok(path) => paths.push(path),
                Err(wrong) => self.errors.push(format!("TestPaths: {wrong}")),
            }
        }
        paths
    }
}
