//! The configuration of a new image: its base's, with one more layer. What is not known here stays as it is.

use serde_json::{Error, Value, json};

use super::super::Digest;
use super::CommitOptions;

/// Of the container that docker built an image with; of no meaning to the new one.
const STALE: [&str; 3] = ["container", "container_config", "id"];

pub fn changed(text: &[u8], diff_id: &Digest, options: &CommitOptions) -> Result<String, Error> {
    let mut document: serde_json::Map<String, Value> = serde_json::from_slice(text)?;
    let now = jiff::Timestamp::now().to_string();
    STALE.iter().for_each(|key| drop(document.remove(*key)));
    document.insert("created".into(), now.clone().into());
    if let Some(author) = &options.author {
        document.insert("author".into(), author.clone().into());
    }
    let config = document.entry("config").or_insert_with(|| json!({}));
    if !config.is_object() {
        *config = json!({});
    }
    for change in &options.changes {
        change.apply(config);
    }
    let mut step = json!({ "created": now, "created_by": "berthctl image commit" });
    for (key, said) in [("author", &options.author), ("comment", &options.message)] {
        if let Some(said) = said {
            step[key] = said.clone().into();
        }
    }
    tell_of_every_layer(&mut document);
    append(&mut document, "history", step);
    let rootfs = document.entry("rootfs").or_insert_with(|| json!({ "type": "layers" }));
    if let Value::Object(rootfs) = rootfs {
        append(rootfs, "diff_ids", diff_id.to_string().into());
    }
    Ok(Value::Object(document).to_string())
}

/// The steps belong to the layers in order: of layers that nobody has said anything of, it is told that they are there.
fn tell_of_every_layer(document: &mut serde_json::Map<String, Value>) {
    let layers = document.get("rootfs").and_then(|rootfs| rootfs["diff_ids"].as_array()).map_or(0, Vec::len);
    let steps = document.get("history").and_then(Value::as_array);
    let told = steps.into_iter().flatten().filter(|step| step["empty_layer"] != true).count();
    for _ in told..layers {
        append(document, "history", json!({}));
    }
}

fn append(document: &mut serde_json::Map<String, Value>, key: &str, value: Value) {
    match document.entry(key).or_insert_with(|| json!([])) {
        Value::Array(list) => list.push(value),
        other => *other = json!([value]),
    }
}
