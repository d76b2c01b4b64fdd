use engine_api::MEMORY;

use super::*;

fn case(id: &str, outcome: Outcome, message: Option<&str>) -> CaseReport {
    CaseReport {
        id: id.to_owned(),
        group: id.split_once('.').unwrap().0.to_owned(),
        outcome,
        message: message.map(str::to_owned),
        seconds: 0.5,
    }
}

fn sample() -> Report {
    let target = Target::new(&MEMORY, |_| "memory:".to_owned());
    let mut report = Report::new(&target, Some(&Capabilities::MINIMAL));
    report.push(case("point.a", Outcome::Passed, None));
    report.push(case("point.b", Outcome::Failed, Some("got <1> & \"2\" | 3\nand\u{1} more")));
    report.push(case("scan.c", Outcome::Ignored, Some("declares reverse = none")));
    report.push(case("scan.d", Outcome::Waived, Some("known")));
    report
}

#[test]
fn a_run_of_no_case_is_no_success() {
    let target = Target::new(&MEMORY, |_| "memory:".to_owned());
    let mut report = Report::new(&target, None);
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
