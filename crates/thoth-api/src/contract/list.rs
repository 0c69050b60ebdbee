//! What lists look like.

use serde::{Deserialize, Serialize};

use super::read::text;

/// A list, or a page of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct List<T> {
    /// What is on this page.
    #[serde(alias = "chain", alias = "packs")]
    pub data: Vec<T>,
    /// How many there are in all, where that is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Where the next page begins, where there may be one. Of events, oldest first, on every page but an empty one: newer
    /// ones may come.
    #[serde(default, alias = "nextCursor", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that is complete.
    #[must_use]
    pub fn complete(data: Vec<T>) -> Self {
        let total = u64::try_from(data.len()).ok();
        Self { data, total, next_cursor: None }
    }
}
