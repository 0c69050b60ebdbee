//! The answers to `prompts/list`, `resources/list` and `resources/templates/list`, and the texts of `server/discover`.

use std::borrow::Cow;

use thoth_types::json::{Kind, Value};

use crate::fault::Fault;
use crate::keys;
use crate::message::Response;
use crate::refusal::{Refusal, RefusalCode};
use crate::views::fields;

/// The longest name or address of a listed thing, in bytes.
pub const MAX_LISTED_NAME_BYTES: usize = 4096;

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listing {
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
}

impl Listing {
    /// The listing that a method asks for.
    #[must_use]
    pub fn of_method(method: &str) -> Option<Self> {
        Some(match method {
            "prompts/list" => Self::Prompts,
            "resources/list" => Self::Resources,
            "resources/templates/list" => Self::Templates,
            _ => return None,
        })
    }

    /// The member of the result that has the list, and the member of each of its elements that tells it from the others.
    const fn members(self) -> (&'static str, &'static str) {
        match self {
            Self::Prompts => ("prompts", "name"),
            Self::Resources => ("resources", "uri"),
            Self::Templates => ("resourceTemplates", "uriTemplate"),
        }
    }
}

/// One listed thing.
#[derive(Debug, Clone)]
pub struct ListedItem<'d> {
    /// Its name or address, unescaped and otherwise untouched.
    pub name: Cow<'d, str>,
    /// Its whole definition.
    pub definition: Value<'d>,
}

/// One page.
#[derive(Debug, Clone)]
pub struct ListingPage<'d> {
    /// The array.
    pub list: Value<'d>,
    /// What is in it, in order.
    pub items: Vec<ListedItem<'d>>,
}

impl<'d> ListingPage<'d> {
    fn read(result: Value<'d>, listing: Listing) -> Result<Self, Fault> {
        let wrong = RefusalCode::BadResult;
        let (member, key) = listing.members();
        let list = result.get(member).filter(|list| list.kind() == Kind::Array);
        let list = list.ok_or_else(|| Fault::at(wrong, result))?;
        let mut items = Vec::new();
        for definition in list.elements() {
            // What a laxer host would read as another one's must not reach it.
            keys::check(definition, keys::LISTED)?;
            let name = fields::required_string(definition, key, wrong)?;
            if name.len() > MAX_LISTED_NAME_BYTES {
                return Err(Fault::at(wrong, definition));
            }
            items.push(ListedItem { name, definition });
        }
        Ok(Self { list, items })
    }
}

impl<'d> Response<'d> {
    /// One page of what was asked for; `None` for an error. Which request it answers, only the caller knows.
    ///
    /// # Errors
    /// When it is no such answer, or has something that two readers could read differently.
    pub fn listing(&self, listing: Listing) -> Option<Result<ListingPage<'d>, Refusal>> {
        let read = |result| ListingPage::read(result, listing).map_err(|fault| self.refuse_fault(fault));
        self.result().map(read)
    }

    /// The server's instructions for the model, in the answer to `initialize` or `server/discover`; `None` where there
    /// are none.
    ///
    /// # Errors
    /// When they are no text.
    pub fn instructions(&self) -> Option<Result<Cow<'d, str>, Refusal>> {
        let read = |result| fields::string(result, "instructions", RefusalCode::BadResult);
        read(self.result()?).map_err(|fault| self.refuse_fault(fault)).transpose()
    }
}
