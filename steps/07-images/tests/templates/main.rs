//! `--format`: what docker prints for a template, we print.
//!
//! `recorded.tsv` was written by `record`, which asks a real docker.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use step07_images::template::Template;

/// What `docker context inspect default` knows.
fn context() -> Value {
    json!({
        "Name": "default", "Metadata": {},
        "Endpoints": {"docker": {"Host": "unix:///var/run/docker.sock", "SkipTLSVerify": false}},
        "TLSMaterial": {}, "Storage": {"MetadataPath": "<IN MEMORY>", "TLSPath": "<IN MEMORY>"},
    })
}

/// The exit code that `inspect` would have, and the text.
fn answer(template: &str, value: &Value) -> (i32, String) {
    match Template::parse(template).map(|template| template.render(value)) {
        Ok(Ok(text)) => (0, text),
        Ok(Err(error)) => (1, error.to_string()),
        Err(error) => (64, error.to_string()),
    }
}

#[test]
fn templates_are_filled_in_as_docker_does() {
    let recorded = include_str!("recorded.tsv");
    let mut wrong = Vec::new();
    for line in recorded.lines().skip(1) {
        let [template, code, text] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let ours = answer(template, &context());
        let escaped = ours.1.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t");
        if (ours.0, &*escaped) != (code.parse().unwrap(), text) {
            wrong.push(format!("{template}\n  docker {code} {text}\n  ours   {} {escaped}", ours.0));
        }
    }
    assert!(recorded.lines().count() > 90);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_in_the_value_is_an_error_and_of_a_set_of_names_nothing() {
    let value = json!({"Config": {"Labels": {"a": "1"}, "Env": ["A=b"]}, "State": null});
    let is = |template: &str| answer(template, &value);
    assert_eq!(is("{{.Config.Labels.a}}{{index .Config.Labels \"b\"}}"), (0, "1".into()));
    assert_eq!(is("{{.Config.Labels.b}}"), (0, "<no value>".into()));
    assert_eq!(is("{{if .Config.Labels.b}}x{{else}}y{{end}}"), (0, "y".into()));
    assert_eq!(is("{{json .Config.Env}} {{.Config.Env}} {{.Config}}"), {
        (0, r#"["A=b"] [A=b] map[Env:[A=b] Labels:map[a:1]]"#.into())
    });
    let (code, text) = is("{{.Config.Envv}}");
    assert_eq!((code, text.contains("map has no entry for key \"Envv\"")), (1, true), "{text}");
    let (code, text) = is("{{.State.Health.Status}}");
    assert_eq!((code, text.contains("nil pointer evaluating .Health")), (1, true), "{text}");
}

#[test]
fn rows_have_labels_and_headers_have_names() {
    let template = Template::parse("{{upper .Names}} {{json .ID}} {{.Label \"org.some-thing\"}}").unwrap();
    let labels = BTreeMap::from([("org.some-thing".to_owned(), "value".to_owned())]);
    let row = json!({"Names": "box", "ID": "1"});
    assert_eq!(template.render_row(&row, &labels).unwrap(), "BOX \"1\" value");
    assert_eq!(template.render_row(&row, &BTreeMap::new()).unwrap(), "BOX \"1\" ");
    let names = json!({"Names": "Names", "ID": "CONTAINER ID"});
    assert_eq!(template.render_header(&names).unwrap(), "Names CONTAINER ID some thing");
}

#[test]
fn absurd_templates_are_errors_of_one_line() {
    let deep = format!("{{{{{}1{}}}}}", "(".repeat(100_000), ")".repeat(100_000));
    let ifs = "{{if 1}}".repeat(100_000);
    let elses = format!("{{{{if 0}}}}{}", "{{else if 0}}".repeat(100_000));
    let wide = "{{printf \"%999999999d\" 1}}{{printf \"%.999999999f\" 1.0}}".to_owned();
    // Go has four blanks, and these are none of them.
    let blanks = ["\u{e9}{{\u{e9}\u{a0}}}", "{{-\u{3000}.}}", "{{.\u{3000}-}}"].map(str::to_owned);
    for template in
        [deep, ifs, elses, "{{\"\\U".into(), "{{'".into(), "{{0x}}".into()].into_iter().chain(blanks)
    {
        let (code, text) = answer(&template, &json!({}));
        assert_eq!((code, text.lines().count()), (64, 1), "{text}");
    }
    assert!(answer(&wide, &json!({})).1.len() < 10_000);
    let first = "{{range $i := 9223372036854775807}}{{$i}}{{break}}{{end}}";
    assert_eq!(answer(first, &json!({})), (0, "0".into()));
    for end in 0..200 {
        let template: String =
            "{{range $i, $é := split \"a,\\u00e9\" \",\"}}{{- $é | printf `%-5s|` -}} {{end}} {{/* é */}}x"
                .chars()
                .take(end)
                .collect();
        let _ = answer(&template, &json!({}));
    }
}
