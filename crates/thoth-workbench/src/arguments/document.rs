//! The arguments of a call, put together from the values of some paths.

use thoth_policy::outline::{ArgumentPath, Step};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A value, as JSON text.
    Value(String),
    /// Nothing.
    Missing,
    /// A value, and another one under the whole dotted name.
    Twice,
}

enum Node {
    Raw(String),
    Object(Vec<(String, Self)>),
    Array(Vec<Self>),
}

/// The document. `None` when values contradict each other: a number that has a member, for example.
pub(super) fn document(slots: &[(&ArgumentPath, &Slot)], extras: &[String]) -> Option<String> {
    let mut root = Node::Object(Vec::new());
    for (path, slot) in slots {
        // A member with the whole dotted name is found too, and leaves what the path leads through as it is.
        let whole = Step { name: Some(path.text.clone()), index: None };
        let through_another = slots.iter().any(|(other, _)| leads_through(path, other));
        match slot {
            Slot::Missing => {}
            Slot::Value(text) if through_another || (path.steps.len() > 1 && !can_be_built(path)) => {
                put(&mut root, &[whole], text)?;
            }
            Slot::Value(text) => put(&mut root, &path.steps, text)?,
            Slot::Twice => {
                put(&mut root, &path.steps, "1")?;
                put(&mut root, &[whole], "1")?;
            }
        }
    }
    if !extras.is_empty() {
        let about = Step { name: Some("about".into()), index: None };
        put(&mut root, &[about], &serde_json::Value::from(extras.join(" ")).to_string())?;
    }
    let mut text = String::new();
    write(&root, &mut text);
    Some(text)
}

/// Lists are filled up to the position that is meant.
const MOST_INDEX: usize = 1_000;

/// Whether a value can be put where the steps of a path lead, within what arguments may be. Beyond it, or from a list
/// on, only a member with the whole dotted name is tried.
pub(super) fn can_be_built(path: &ArgumentPath) -> bool {
    /// As many levels are left for the value.
    const MOST_STEPS: usize = 64;
    let near = |step: &Step| step.name.is_some() || step.index.is_some_and(|index| index <= MOST_INDEX);
    path.steps.len() <= MOST_STEPS
        && path.steps.first().is_some_and(|step| step.name.is_some())
        && path.steps.iter().all(near)
}

fn leads_through(path: &ArgumentPath, other: &ArgumentPath) -> bool {
    let same = |(one, other): (&Step, &Step)| one.name == other.name && one.index == other.index;
    other.steps.len() < path.steps.len() && other.steps.iter().zip(&path.steps).all(same)
}

fn put(node: &mut Node, steps: &[Step], text: &str) -> Option<()> {
    let Some((step, rest)) = steps.split_first() else {
        return match node {
            Node::Raw(own) if own == "null" => {
                *node = Node::Raw(text.to_owned());
                Some(())
            }
            // Something already stands below: only an object as it is will do.
            Node::Object(_) if text == "{}" => Some(()),
            _ => None,
        };
    };
    if let Node::Raw(own) = node {
        let empty = match (&**own, &step.name) {
            ("null" | "{}", Some(_)) => Node::Object(Vec::new()),
            ("null" | "[]", None) => Node::Array(Vec::new()),
            _ => return None,
        };
        *node = empty;
    }
    match (node, &step.name, step.index) {
        (Node::Object(members), Some(name), _) => {
            if let Some((_, inner)) = members.iter_mut().find(|(own, _)| **own == **name) {
                return put(inner, rest, text);
            }
            let mut inner = Node::Raw("null".to_owned());
            put(&mut inner, rest, text)?;
            members.push((name.clone().into_string(), inner));
            Some(())
        }
        (Node::Array(elements), _, Some(index)) => {
            if index > MOST_INDEX {
                return None;
            }
            while elements.len() <= index {
                elements.push(Node::Raw("null".to_owned()));
            }
            put(elements.get_mut(index)?, rest, text)
        }
        _ => None,
    }
}

fn write(node: &Node, out: &mut String) {
    match node {
        Node::Raw(text) => out.push_str(text),
        Node::Object(members) => {
            out.push('{');
            for (at, (name, inner)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(&**name).to_string());
                out.push(':');
                write(inner, out);
            }
            out.push('}');
        }
        Node::Array(elements) => {
            out.push('[');
            for (at, inner) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(inner, out);
            }
            out.push(']');
        }
    }
}
