//! What changed between two definitions of one tool.

use thoth_types::json::{Kind, Value};

use super::walk::Path;
use super::{ItemScan, Scanner, item};
use crate::finding::{Evidence, Finding, Item, bounded};
use crate::rules::Detector;

/// One finding for each top-level field that means something else than before.
pub(super) fn compare(scanner: &Scanner, before: Value<'_>, after: Value<'_>) -> Vec<Finding> {
    let mut scan = ItemScan::new(scanner, Item::Tool, item::name_of(after));
    let root = Path::root();
    for (key, new) in after.members() {
        let Some(name) = key.as_str() else { continue };
        let old = before.get(&name);
        if old.is_none_or(|old| !same(old, new)) {
            let what = if old.is_some() { "changed" } else { "was added" };
            changed(&mut scan, &root.key(&name), what, old, Some(new));
        }
    }
    for (key, old) in before.members() {
        let Some(name) = key.as_str() else { continue };
        if after.get(&name).is_none() {
            changed(&mut scan, &root.key(&name), "was removed", Some(old), None);
        }
    }
    scan.finish()
}

fn changed(scan: &mut ItemScan<'_>, path: &Path<'_>, what: &str, old: Option<Value<'_>>, new: Option<Value<'_>>) {
    let text = |value: Option<Value<'_>>| {
        value.map_or_else(String::new, |value| bounded(&String::from_utf8_lossy(value.raw())))
    };
    let field = path.pointer();
    let message = format!("`{}` {what} since it was approved", field.trim_start_matches('/'));
    let evidence = Evidence { raw: text(new), normalised: text(old), encoding: None };
    scan.detected(Detector::RugPull, None, path, message, evidence);
}

/// Whether two values mean the same: as RFC 8785 would write them, except that numbers keep their exact decimal value.
fn same(one: Value<'_>, other: Value<'_>) -> bool {
    if one.raw() == other.raw() {
        return true;
    }
    match (one.kind(), other.kind()) {
        (Kind::String, Kind::String) => one.as_str() == other.as_str(),
        (Kind::Number, Kind::Number) => match (one.number_text(), other.number_text()) {
            (Some(a), Some(b)) => decimal(a) == decimal(b),
            _ => false,
        },
        (Kind::Array, Kind::Array) => {
            one.elements().count() == other.elements().count()
                && one.elements().zip(other.elements()).all(|(a, b)| same(a, b))
        }
        (Kind::Object, Kind::Object) => same_members(one, other),
        (a, b) => a == b && matches!(a, Kind::Null | Kind::True | Kind::False),
    }
}

/// Members in any order. Sorted once, so that a large object costs no more than its sorting.
fn same_members(one: Value<'_>, other: Value<'_>) -> bool {
    let (ours, theirs) = (sorted(one), sorted(other));
    ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|((a, x), (b, y))| a == b && same(*x, *y))
}

/// A number's sign, digits without leading and trailing zeros, and the power of ten of its last digit.
fn decimal(text: &str) -> (bool, String, i64) {
    let (negative, body) = text.strip_prefix('-').map_or((false, text), |body| (true, body));
    let (mantissa, exponent) = body.split_once(['e', 'E']).unwrap_or((body, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let short = digits.trim_end_matches('0');
    let dropped = i64::try_from(digits.len() - short.len()).unwrap_or(i64::MAX);
    let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let significant = short.trim_start_matches('0').to_owned();
    if significant.is_empty() {
        return (false, significant, 0);
    }
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX);
    (negative, significant, exponent.saturating_sub(places).saturating_add(dropped))
}

fn sorted(value: Value<'_>) -> Vec<(String, Value<'_>)> {
    let members = value.members().filter_map(|(key, member)| Some((key.as_str()?.into_owned(), member)));
    let mut members: Vec<_> = members.collect();
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    members
}
