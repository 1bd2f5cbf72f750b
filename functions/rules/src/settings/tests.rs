//! The stack's settings by table: what is read, and every error at once.

use super::*;
use crate::url_path::UrlPath;

const LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/net/tunnel/1f/2e";

/// A stack that sets nothing but what it must.
fn stack() -> BTreeMap<String, String> {
    let knobs = TABLE
        .iter()
        .filter_map(|knob| Some((knob.parameter?, knob.default)));
    let fixed = [
        ("ListenerArn", LISTENER),
        ("TargetGroupArns", "arn:a,arn:b"),
        ("AutoScalingGroupNames", ""),
        ("LaunchTemplateId", "lt-1"),
        ("InstanceRoleArn", ""),
        ("SubnetIds", ""),
        ("SigningSecretArn", ""),
        ("TestPort", "80"),
        ("TestPaths", ""),
    ];
    let all = knobs.chain(fixed);
    all.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn with(changed: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let mut stack = stack();
    let changed = changed.iter();
    stack.extend(changed.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    Settings::parse(&stack)
}

/// The target groups of each environment.
fn groups(settings: &Settings) -> Vec<Vec<String>> {
    let environments = settings.environments.iter();
    environments
        .map(|it| it.target_group_arns.clone())
        .collect()
}

/// The Auto Scaling group of each environment.
fn fleets(settings: &Settings) -> Vec<Option<String>> {
    let environments = settings.environments.iter();
    environments
        .map(|it| it.auto_scaling_group.clone())
        .collect()
}

#[test]
fn the_defaults_of_the_table_are_a_valid_stack() {
    let plain = with(&[]).unwrap();
    assert_eq!(plain.listeners, [LISTENER]);
    assert_eq!(groups(&plain), [["arn:a"], ["arn:b"]]);
    assert_eq!(plain.launch_template.as_deref(), Some("lt-1"));
    assert_eq!(fleets(&plain), [None, None]);
    assert!(!plain.passes_role);
    let role = "arn:aws:iam::123456789012:role/tunnel";
    assert!(with(&[("InstanceRoleArn", role)]).unwrap().passes_role);
    assert_eq!(plain.subnets, Vec::<String>::new());
    assert_eq!(plain.defaults.signing_secret, None);
    let secret = with(&[("SigningSecretArn", "arn:secret")]).unwrap();
    assert_eq!(
        secret.defaults.signing_secret.as_deref(),
        Some("arn:secret")
    );
    assert_eq!(plain.defaults.steps, [100]);
    assert_eq!(plain.defaults.alarms, Vec::<String>::new());
    assert_eq!(plain.defaults.settle_seconds, None);
    assert!(!plain.defaults.detached);
    assert_eq!(plain.defaults.pages.paths, Vec::new());
    assert_eq!(plain.defaults.pages.web_sockets, None);
}

#[test]
fn an_unset_or_zero_settle_time_goes_by_the_load_balancer() {
    let settle = |text| with(&[("SettleSeconds", text)]).map(|it| it.defaults.settle_seconds);
    assert_eq!(settle(""), Ok(None));
    assert_eq!(settle("0"), Ok(None));
    assert_eq!(settle("2"), Ok(Some(2)));
    assert!(settle("-1").is_err());
}

#[test]
fn lists_and_switches_are_read() {
    let settings = with(&[
        ("TrafficSteps", "10, 50,100"),
        ("BakeAlarms", "errors, latency"),
        ("DrainDetached", "true"),
        ("SubnetIds", "subnet-1,subnet-2"),
        ("TargetGroupArns", "a,b,c"),
        ("TestPaths", "/health,/ready"),
        ("TestPort", "8080"),
    ])
    .unwrap();
    assert_eq!(settings.defaults.steps, [10, 50, 100]);
    assert_eq!(settings.defaults.alarms, ["errors", "latency"]);
    assert!(settings.defaults.detached);
    assert_eq!(settings.subnets, ["subnet-1", "subnet-2"]);
    assert_eq!(groups(&settings), [["a"], ["b"], ["c"]]);
    let pages = &settings.defaults.pages;
    let paths: Vec<&str> = pages.paths.iter().map(|path| path.as_str()).collect();
    assert_eq!((pages.port, paths), (8080, vec!["/health", "/ready"]));
}

#[test]
fn two_to_five_different_groups_are_taken() {
    let groups = |text| with(&[("TargetGroupArns", text)]).is_ok();
    assert!(groups("a,b") && groups("a,b,c,d,e"));
    assert!(!groups("") && !groups("a") && !groups("a,a") && !groups("a,b,c,d,e,f"));
}

#[test]
fn each_environment_has_a_group_at_each_listener_by_the_order_of_both() {
    let rule = LISTENER.replace(":listener/", ":listener-rule/") + "/3f";
    let layout = |listeners: &[&str], arns: &str| {
        let listeners = listeners.join(",");
        with(&[("ListenerArn", &listeners), ("TargetGroupArns", arns)])
    };
    let settings = layout(&[LISTENER, &rule], "blue,green,blue-tls,green-tls").unwrap();
    assert_eq!(settings.listeners, [LISTENER, &rule]);
    let both = [["blue", "blue-tls"], ["green", "green-tls"]];
    assert_eq!(groups(&settings), both);
    let five = layout(&[LISTENER, &rule], "a,b,c,d,e,f,g,h,i,j").unwrap();
    assert_eq!(groups(&five)[4], ["e", "j"]);
    for wrong in ["a,b", "a,b,c,d,e", "a,b,c,a", "a,b,c,d,e,f,g,h,i,j,k,l"] {
        let [error] = &layout(&[LISTENER, &rule], wrong).unwrap_err()[..] else {
            panic!("not one error of {wrong}");
        };
        let said = error.starts_with(
            "TargetGroupArns: expected two to five different ARNs for each of the 2 listeners",
        );
        assert!(said, "{error}");
    }
    let many: Vec<String> = (0..11).map(|at| format!("{LISTENER}{at}")).collect();
    for wrong in [
        "",
        "arn:a",
        &format!("{LISTENER},{LISTENER}"),
        &many.join(","),
    ] {
        let errors = with(&[("ListenerArn", wrong)]).unwrap_err();
        let expected =
            "ListenerArn: expected one to ten different ARNs of listeners and listener rules";
        assert!(
            errors.len() == 1 && errors[0].starts_with(expected),
            "{errors:?}"
        );
    }
}

#[test]
fn a_port_is_needed_only_where_there_are_pages_to_ask() {
    let pages = |paths, port| with(&[("TestPaths", paths), ("TestPort", port)]);
    assert!(pages("", "").is_ok() && pages("", "http").is_ok());
    assert!(pages("/health", "8080").is_ok());
    for port in ["", "http", "65536"] {
        assert_eq!(
            pages("/health", port).unwrap_err(),
            [format!("TestPort: expected a port number, got \"{port}\"")]
        );
    }
}

#[test]
fn a_path_may_be_a_web_sockets_and_all_of_them_are_over_within_a_functions_time() {
    let read = |paths, seconds| {
        let set = [("TestPaths", paths), ("TestWebSocketSeconds", seconds)];
        with(&set).map(|settings| settings.defaults.pages)
    };
    let pages = read("ws:/tunnel,/health, ws:/chat", "15").unwrap();
    let of = |paths: &[UrlPath]| {
        let texts: Vec<String> = paths.iter().map(|path| path.as_str().to_owned()).collect();
        texts
    };
    assert_eq!(of(&pages.paths), ["/health"]);
    let sockets = pages.web_sockets.unwrap();
    assert_eq!(of(&sockets.paths), ["/tunnel", "/chat"]);
    assert_eq!(sockets.seconds, 15);
    assert_eq!(read("ws:/", "30").unwrap().web_sockets.unwrap().seconds, 30);
    for (paths, seconds, expected) in [
        (
            "ws:/tunnel,ws:/chat",
            "16",
            "TestPaths: expected WebSockets that are open for 30 seconds together, got 2 of 16 seconds each",
        ),
        (
            "ws:/tunnel",
            "31",
            "TestWebSocketSeconds: expected a whole number from 1 to 30, got \"31\"",
        ),
        (
            "ws://other/",
            "5",
            "TestPaths: expected the path of a WebSocket on the servers, such as ws:/tunnel, got \"ws://other/\"",
        ),
        (
            "wss:/tunnel",
            "5",
            "TestPaths: expected a path such as /sessions, of letters, digits and -._~/%*, got \"wss:/tunnel\"",
        ),
    ] {
        assert_eq!(read(paths, seconds).unwrap_err(), [expected], "{paths}");
    }
    let no_port = with(&[("TestPaths", "ws:/"), ("TestPort", "")]).unwrap_err();
    assert_eq!(no_port, ["TestPort: expected a port number, got \"\""]);
    assert_eq!(read("/health", "").unwrap().web_sockets, None);
}

#[test]
fn every_error_is_told_together() {
    let errors = with(&[
        ("TargetGroupArns", "arn:a"),
        ("LaunchTemplateId", " "),
        ("TrafficSteps", "50,10,100"),
        ("BakeAlarms", "errors,errors"),
        ("DrainDetached", "maybe"),
        ("PassesPerExecution", "501"),
        ("PollSeconds", "soon"),
        ("MinimumHealthyPercent", "0"),
        ("TestPaths", "/a?b"),
        ("Polls", "3"),
    ]);
    assert_eq!(
        errors.unwrap_err(),
        [
            "Polls: unknown setting",
            "TargetGroupArns: expected two to five different ARNs, got \"arn:a\"",
            "LaunchTemplateId: it is not set",
            "TrafficSteps: expected a list of rising whole numbers from 1 to 100, the last of them 100, got \"50,10,100\"",
            "BakeAlarms: expected a list of at most 100 alarms' names, each of 1 to 255 characters and named once, got \"errors,errors\"",
            "PollSeconds: expected a whole number from 2 to 300, got \"soon\"",
            "DrainDetached: expected true or false, got \"maybe\"",
            "MinimumHealthyPercent: expected a whole number from 1 to 100, got \"0\"",
            "PassesPerExecution: expected a whole number from 5 to 500, got \"501\"",
            "TestPaths: expected a path such as /sessions, of letters, digits and -._~/%*, got \"/a?b\"",
        ]
    );
}

proptest::proptest! {
    #[test]
    fn whatever_a_setting_holds_it_is_read_or_refused_by_its_name(
        wrong in proptest::sample::select(stack().into_keys().collect::<Vec<_>>()),
        value in proptest::prop_oneof![crate::arbitrary_json::any_text(), "-?[0-9]{1,20}(,[0-9]{1,3}){0,3}"],
    ) {
        if let Err(errors) = with(&[(&wrong, &value)]) {
            proptest::prop_assert!(!errors.is_empty());
            for error in errors {
                let named = error.starts_with(&format!("{wrong}: "));
                proptest::prop_assert!(named, "{wrong} {error}");
            }
        }
    }
}

#[test]
fn a_group_for_each_target_group_brings_its_own_template_or_launches_from_the_one_that_is_named() {
    let names = |names: &str, template: &str| {
        let set = [
            ("AutoScalingGroupNames", names),
            ("LaunchTemplateId", template),
        ];
        with(&set).map(|it| (fleets(&it), it.launch_template))
    };
    let both = || vec![Some("blue".to_owned()), Some("green".to_owned())];
    assert_eq!(names("blue,green", ""), Ok((both(), None)));
    assert_eq!(
        names("blue, green", "lt-1"),
        Ok((both(), Some("lt-1".to_owned())))
    );
    for wrong in ["blue", "blue,blue", "blue,green,third"] {
        let errors = names(wrong, "").unwrap_err();
        let told = errors
            .iter()
            .any(|it| it.starts_with("AutoScalingGroupNames: expected none, or as many"));
        assert!(told, "{wrong}: {errors:?}");
    }
    let without = names("", "").unwrap_err();
    assert_eq!(without, ["LaunchTemplateId: it is not set"]);
}

#[test]
fn the_service_is_asked_for_the_same_paths_or_not_at_all() {
    let read = |url, paths| {
        let set = [("ServiceUrl", url), ("TestPaths", paths)];
        with(&set).map(|settings| settings.defaults.pages.service)
    };
    let url = "https://tunnels.example.com";
    assert_eq!(read("", "/health").unwrap(), None);
    assert_eq!(read(url, "ws:/tunnel").unwrap(), Some(url.parse().unwrap()));
    for (url, paths, expected) in [
        (
            "https://tunnels.example.com/health",
            "/health",
            "ServiceUrl: expected a URL without a path, such as https://tunnels.example.com, got \
             \"https://tunnels.example.com/health\"",
        ),
        (
            url,
            "",
            "TestPaths: expected what to ask at ServiceUrl and TestUrls, got \"\"",
        ),
    ] {
        assert_eq!(read(url, paths).unwrap_err(), [expected]);
    }
}

#[test]
fn each_environment_has_a_test_forward_or_none_has() {
    let (a, b) = (
        "arn:x:listener-rule/app/t/1/2/a",
        "arn:x:listener/net/t/1/b",
    );
    let both = format!("{a},{b}");
    let read = |arns: &str, urls: &str, paths: &str| {
        let set = [
            ("TestListenerArns", arns),
            ("TestUrls", urls),
            ("TestPaths", paths),
            ("TestWebSocketSeconds", "10"),
        ];
        with(&set)
    };
    let urls = "https://a.test,http://b.test:8080";
    let tests = read(&both, urls, "/health,ws:/a,ws:/b").unwrap().tests;
    let tests: Vec<(&str, &str)> = tests
        .iter()
        .map(|it| (it.arn.as_str(), it.url.as_str()))
        .collect();
    assert_eq!(tests, [(a, "https://a.test"), (b, "http://b.test:8080")]);
    assert_eq!(read("", "", "").unwrap().tests, []);
    let refused = |arns: &str, urls: &str, paths: &str, begin: &str| {
        let errors = read(arns, urls, paths).unwrap_err();
        assert!(errors[0].starts_with(begin), "{errors:?}");
    };
    let arns = "TestListenerArns: expected none, or a listener or listener rule for each";
    refused(a, "https://a.test", "/health", arns);
    refused(&format!("{a},{a}"), urls, "/health", arns);
    refused("arn:a,arn:b", urls, "/health", arns);
    let expected = "TestUrls: expected a URL for each of TestListenerArns";
    refused(&both, "https://a.test", "/health", expected);
    refused("", "https://a.test", "/health", expected);
    refused(
        &both,
        "https://a.test,b.test",
        "/health",
        "TestUrls: expected a URL without a path",
    );
    refused(
        &both,
        urls,
        "",
        "TestPaths: expected what to ask at ServiceUrl and TestUrls",
    );
    let twice = "TestPaths: expected WebSockets that are open for 20 seconds together, got 3 of 10";
    refused(&both, urls, "ws:/a,ws:/b,ws:/c", twice);
}
