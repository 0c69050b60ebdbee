//! What a client can ask its user, and what the user answered.

use std::borrow::Cow;

use thoth_types::json::Value;

use crate::fault::Fault;
use crate::message::Response;
use crate::refusal::{Refusal, RefusalCode};
use crate::views::fields;
use crate::views::meta::Meta;
use crate::views::session::InitializeRequest;
use crate::views::tool_call::ToolCallView;

/// The revision that brought elicitation, and the one that brought its URL mode. Revisions are dates, so they compare as
/// texts.
const FORM_SINCE: &str = "2025-06-18";
const URL_SINCE: &str = "2025-11-25";

/// How a client can ask its user, by its own word. It must be asked in no other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ElicitationSupport {
    /// It shows forms.
    pub form: bool,
    /// It sends its user to addresses.
    pub url: bool,
}

impl ElicitationSupport {
    /// Reads a client's capabilities. `elicitation: {}` means forms, as in the revision that had no other mode; where a
    /// mode is named, only what is named counts.
    #[must_use]
    pub fn read(capabilities: Option<Value<'_>>) -> Self {
        let declared = capabilities.and_then(|can| can.get("elicitation")).filter(Value::is_object);
        let Some(declared) = declared else { return Self::default() };
        let mode = |name| fields::present(declared, name);
        let supported = |value: Option<Value<'_>>| value.is_some_and(|value| value.is_object());
        let (form, url) = (mode("form"), mode("url"));
        Self { form: supported(form) || (form.is_none() && url.is_none()), url: supported(url) }
    }

    /// What is left of it in a session that speaks `revision`.
    #[must_use]
    pub fn in_revision(self, revision: &str) -> Self {
        Self { form: self.form && revision >= FORM_SINCE, url: self.url && revision >= URL_SINCE }
    }
}

impl InitializeRequest<'_> {
    /// How the client can ask its user. The session may come to speak an older revision than the client proposes: see
    /// [`ElicitationSupport::in_revision`].
    #[must_use]
    pub fn elicitation(&self) -> ElicitationSupport {
        ElicitationSupport::read(self.capabilities)
    }
}

impl Meta<'_> {
    /// How a modern client can ask its user, for this request.
    #[must_use]
    pub fn elicitation(&self) -> ElicitationSupport {
        ElicitationSupport::read(self.client_capabilities())
    }
}

/// What the user did with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElicitAction {
    /// Sent the form in, or agreed to go to the address.
    Accept,
    /// Said no.
    Decline,
    /// Dismissed it without saying either.
    Cancel,
}

/// The answer to an elicitation.
#[derive(Debug, Clone, Copy)]
pub struct ElicitResult<'d> {
    /// What the user did.
    pub action: ElicitAction,
    /// What was filled in: an object.
    pub content: Option<Value<'d>>,
}

impl<'d> ElicitResult<'d> {
    fn read(result: Value<'d>, wrong: RefusalCode) -> Result<Self, Fault> {
        let action = match &*fields::required_string(result, "action", wrong)? {
            "accept" => ElicitAction::Accept,
            "decline" => ElicitAction::Decline,
            "cancel" => ElicitAction::Cancel,
            _ => return Err(Fault::at(wrong, result)),
        };
        Ok(Self { action, content: fields::object(result, "content", wrong)? })
    }

    /// What was filled into a field, if it is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'d, str>> {
        let value = self.content?.get(name)?;
        value.as_str()
    }
}

impl<'d> Response<'d> {
    /// The answer to an `elicitation/create`; `None` for an error. Which request it answers, only the caller knows.
    ///
    /// # Errors
    /// When it is not such an answer.
    pub fn elicit_result(&self) -> Option<Result<ElicitResult<'d>, Refusal>> {
        let read = |result| ElicitResult::read(result, RefusalCode::BadResult);
        self.result().map(|result| read(result).map_err(|fault| self.refuse_fault(fault)))
    }
}

impl<'d> ToolCallView<'d> {
    /// The answer under `key` with which a call is made again (revision 2026-07-28). `None` where there is none, and
    /// where it is no answer to an elicitation.
    #[must_use]
    pub fn elicit_result(&self, key: &str) -> Option<ElicitResult<'d>> {
        ElicitResult::read(self.input_responses?.get(key)?, RefusalCode::BadParams).ok()
    }
}
