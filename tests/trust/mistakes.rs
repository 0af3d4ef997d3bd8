//! What is wrong in the files that say whom to trust is named with its place, and nothing is accepted meanwhile.

use crate::Place;

#[track_caller]
fn problem(place: &Place) -> String {
    place.trust().unwrap_err().to_string().replace(&format!("{}/", place.path().display()), "")
}

#[test]
fn a_mistake_in_the_policy_has_a_line_and_a_column() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        ("", "1:1: this is not JSON: EOF while parsing a value"),
        ("{\n  \"default\": [}\n", "2:15: this is not JSON: expected value"),
        ("{\"default\": [{\"type\": \"reject\"}]} x", "1:35: this is not JSON: trailing characters"),
        ("[]", "1:1: expected an object, found an array"),
        ("{}", "1:1: “default” is missing"),
        ("{\n \"default\": [], \"transport\": {}}", "2:13: there is no rule"),
        ("{\"default\": [{\"type\": \"reject\"}],\n \"transport\": {}}", "2:2: unknown key “transport”"),
        ("{\"default\": []}", "1:13: there is no rule in it"),
        ("{\"default\": null}", "1:13: null says nothing"),
        ("{\"default\": [\n  {\"type\": \"rejct\"}]}", "2:12: “rejct” is not one of insecureAcceptAnything"),
        ("{\"default\": [{}]}", "1:14: “type” is missing"),
        ("{\"default\": [{\"type\": 1}]}", "1:23: expected a string, found an integer"),
        ("{\"default\": [{\"type\": \"reject\", \"keyPath\": \"/x\"}]}", "1:33: unknown key “keyPath”"),
        (
            "{\"default\": [{\"type\": \"reject\", \"type\": \"reject\"}]}",
            "1:33: “type” is given twice, first at line 1",
        ),
        ("{\"default\": [{\"type\": \"signedBy\", \"keyPath\": \"/x\"}]}", "1:14: “keyType” is missing"),
        (
            "{\"default\": [{\"type\": \"signedBy\", \"keyType\": \"GPGKeys\"}]}",
            "1:14: exactly one of keyPath, keyPaths, keyData is needed",
        ),
        (
            "{\"default\": [{\"type\": \"signedBy\", \"keyType\": \"GPGKeys\",\n\"keyPath\": \"/x\", \"keyData\": \"\"}]}",
            "2:18: exactly one of keyPath",
        ),
        (
            "{\"default\": [{\"type\": \"signedBy\", \"keyType\": \"GPGKeys\",\n\"keyPath\": \"x\"}]}",
            "2:12: “x” is not an absolute path",
        ),
        ("{\"default\": [{\"type\": \"sigstoreSigned\",\n\"keyDatas\": [\"!\"]}]}", "2:14: this is not base64"),
        ("{\"default\": [{\"type\": \"sigstoreSigned\",\n\"keyPaths\": []}]}", "2:13: there is no key in it"),
        (
            "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"/x\",\n\"signedIdentity\": {\"type\": \"any\"}}]}",
            "2:28: “any” is not one of matchExact",
        ),
        (
            "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"/x\",\n\
             \"signedIdentity\": {\"type\": \"exactReference\", \"dockerReference\": \"a.b/c\"}}]}",
            "2:19: the dockerReference has neither a tag nor a digest",
        ),
        (
            "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"/x\",\n\
             \"signedIdentity\": {\"type\": \"exactRepository\", \"dockerRepository\": \"a.b/../c\"}}]}",
            "2:67: image name “a.b/../c”",
        ),
        (
            "{\"default\": [{\"type\": \"reject\"}], \"transports\": {\n\"docker\": {\"\": [{\"type\": \"accept\"}]}}}",
            "2:26: “accept” is not one of",
        ),
    ] {
        let place = Place::empty();
        place.policy(text);
        let found = problem(&place);
        let expected = format!("etc/containers/policy.json:{expected}");
        if !found.starts_with(&expected) {
            wrong.push(format!("{text}\n{found}\n{expected}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_mistake_of_a_policy_is_told_at_once() {
    let place = Place::empty();
    place.policy("{\n\"default\": [{\"type\": \"rejekt\"}],\n\"transport\": {}\n}");
    let found = problem(&place);
    assert!(found.contains("2:22: “rejekt”") && found.contains("did you mean “reject”?"), "{found}");
    assert!(found.contains("3:1: unknown key “transport”") && found.contains("did you mean “transports”?"), "{found}");
}

#[test]
fn a_file_in_the_wrong_place_is_not_passed_over() {
    for (file, expected) in [
        ("release.pub", "etc/berth/trust: keys belong into a directory for a prefix"),
        ("docker.io/release.key", "etc/berth/trust/docker.io/release.key: expected a key (*.asc, *.gpg, *.pub)"),
        ("nginx/a.pub", "etc/berth/trust/nginx: “nginx” does not begin with a registry"),
        ("docker.io/Upper/a.pub", "upper-case letters are not allowed"),
    ] {
        let place = Place::empty();
        place.file(&format!("etc/berth/trust/{file}"), "");
        let found = problem(&place);
        assert!(found.contains(expected), "{file}: {found}");
    }
}

#[test]
fn a_mistake_in_registries_d_has_a_line_and_a_column() {
    let place = Place::empty();
    place.file("etc/containers/registries.d/a.yaml", "docker:\n  quay.io:\n    lookaside: nowhere\n");
    assert!(problem(&place).starts_with("etc/containers/registries.d/a.yaml:3:16: “nowhere” is not a file://"));
}
