use engine_api::MEMORY;

use super::*;

fn case(id: &str, outcome: Outcome, message: Option<&str>) -> CaseReport {
    CaseReport {
        id: id.to_owned(),
        group: id.split_once('.').unwrap().0.to_owned(),
        outcome,
        message: message.map(str::to_owned),
        seconds: 0.5,
        failures: Vec::new(),
    }
}

fn sample() -> Report {
    let target = Target::new(&MEMORY, |_| "memory:".to_owned());
    let mut report = Report::new(&target, &Options::new(), Some(Capabilities::MINIMAL));
    report.push(case("point.a", Outcome::Passed, None));
    report.push(case("point.b", Outcome::Failed, Some("got <1> & \"2\" | 3\nand\u{1} more")));
    report.push(case("scan.c", Outcome::Ignored, Some("declares reverse = none")));
    report.push(case("scan.d", Outcome::Waived, Some("known")));
    report
}

#[test]
fn a_run_of_no_case_is_no_success() {
    let target = Target::new(&MEMORY, |_| "memory:".to_owned());
    let mut report = Report::new(&target, &Options::new(), None);
    assert!(!report.is_success());
    report.push(case("scan.c", Outcome::Ignored, None));
    assert!(!report.is_success(), "only ignored");
    report.push(case("scan.d", Outcome::Passed, None));
    assert!(report.is_success());
}

#[test]
fn the_text_says_what_failed_and_why_others_were_ignored() {
    let text = sample().to_text();
    assert!(text.contains("FAILED   point.b"), "{text}");
    assert!(text.contains("scan.c (declares reverse = none)"), "{text}");
    assert!(text.contains("1 passed, 1 failed, 1 ignored, 1 waived"), "{text}");
}

#[test]
fn the_json_can_be_read_back() {
    let value: serde_json::Value = serde_json::from_str(&sample().to_json()).unwrap();
    assert_eq!(value["failed"], 1);
    assert_eq!(value["cases"][2]["outcome"], "ignored");
    assert_eq!(value["cases"][2]["message"], "declares reverse = none");
}

#[test]
fn the_xml_escapes_what_xml_reserves_and_drops_what_it_forbids() {
    let xml = sample().to_junit();
    assert!(xml.contains("&lt;1&gt; &amp; &quot;2&quot;"), "{xml}");
    assert!(!xml.contains('\u{1}'));
    assert!(xml.contains(r#"tests="4" failures="1" skipped="2""#), "{xml}");
}

#[test]
fn the_markdown_keeps_each_case_on_its_row() {
    let markdown = sample().to_markdown();
    let row = markdown.lines().find(|line| line.starts_with("| `point.b`")).unwrap();
    assert!(row.contains("\\| 3 and"), "{row}");
}

#[test]
fn the_page_has_everything_and_needs_nothing_else() {
    let mut report = sample();
    report.finish(Duration::from_secs(2));
    let page = html_page(&[report.clone(), Report { engine: "<other>".to_owned(), ..report }]);
    for part in ["point.b", "got &lt;1&gt; &amp; &quot;2&quot;", "declares reverse = none", "&lt;other&gt;"] {
        assert!(page.contains(part), "{part} is missing");
    }
    for part in ["<script", "http:", "https:", "src=", "<link", "<other>", "got <1>"] {
        assert!(!page.contains(part), "{part} is there");
    }
    let targets = page.split("href=\"#").skip(1).map(|rest| rest.split_once('"').unwrap().0);
    for target in targets {
        assert_eq!(page.matches(&format!("id=\"{target}\"")).count(), 1, "where {target} leads");
    }
}

#[test]
fn every_rendering_tells_the_levels() {
    let mut report = sample();
    report.finish(Duration::from_secs(2));
    let text = report.to_text();
    assert!(text.contains("level    Core not held (point.b failed)"), "{text}");
    assert!(report.to_markdown().contains("| Core | not held | point.b failed |"));
    assert!(report.to_junit().contains(r#"<property name="level" value="Core: not held"/>"#));
    let value: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(value["levels"][0]["holds"], "not_held");
    let table = levels_markdown(&[report]);
    assert!(table.contains("| Core | not held |") && table.contains("Point.b failed."), "{table}");
}
