//! The tools that there are, as servers list them.

use serde_json::Value as Json;

/// One tool.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownTool {
    /// Its server, where that is known.
    pub server: Option<String>,
    /// Its name.
    pub name: String,
    /// Its `inputSchema`.
    pub schema: Json,
}

/// All tools that are known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownTools {
    /// The tools.
    pub tools: Vec<KnownTool>,
    /// The lists of which there are more pages, which are not here.
    pub cut_short: Vec<String>,
}

/// Why a text does not list tools.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It has neither shape.
    #[error("it has neither `tools` nor `servers`")]
    NoTools,
    /// A list of tools is no list.
    #[error("{0} is not a list of tools")]
    NotAList(String),
    /// A tool has no name.
    #[error("tool {number} of {list} has no `name`")]
    NoName {
        /// Its number, from 1.
        number: usize,
        /// The list it stands in.
        list: String,
    },
}

impl KnownTools {
    /// Reads the result of `tools/list`, a whole answer with such a `result`, or `{"servers": {NAME: {"tools": [...]}}}`;
    /// where there are both `tools` and `servers`, the tools of both.
    ///
    /// # Errors
    /// When the text has another shape.
    pub fn parse(text: &str) -> Result<Self, ToolsError> {
        let whole: Json = serde_json::from_str(text)?;
        let whole = whole.get("result").unwrap_or(&whole);
        let mut known = Self::default();
        let (servers, own) = (whole.get("servers").and_then(Json::as_object), whole.get("tools"));
        if servers.is_none() && own.is_none() {
            return Err(ToolsError::NoTools);
        }
        for (server, own) in servers.into_iter().flatten() {
            let list = format!("`servers.{server}.tools`");
            read(own.get("tools").unwrap_or(own), Some(server), &list, &mut known.tools)?;
            known.cut_short.extend(has_more(own).then_some(list));
        }
        if let Some(own) = own {
            read(own, None, "`tools`", &mut known.tools)?;
            known.cut_short.extend(has_more(whole).then(|| "`tools`".to_owned()));
        }
        Ok(known)
    }
}

fn has_more(page: &Json) -> bool {
    page.get("nextCursor").is_some_and(|cursor| !cursor.is_null())
}

fn read(list: &Json, server: Option<&str>, what: &str, into: &mut Vec<KnownTool>) -> Result<(), ToolsError> {
    let Some(tools) = list.as_array() else { return Err(ToolsError::NotAList(what.to_owned())) };
    for (index, tool) in tools.iter().enumerate() {
        let Some(name) = tool.get("name").and_then(Json::as_str) else {
            return Err(ToolsError::NoName { number: index + 1, list: what.to_owned() });
        };
        into.push(KnownTool {
            server: server.map(str::to_owned),
            name: name.to_owned(),
            schema: tool.get("inputSchema").cloned().unwrap_or_default(),
        });
    }
    Ok(())
}
