//! The typed clients' questions about policy bundles.

use reqwest::Method;
use zeroize::Zeroizing;

use super::{Administration, Enforcer, MAX_ANSWER, RemoteError, pairs, told};
use crate::contract::fault::Told;
use crate::contract::list::List;
use crate::contract::policy_bundle as bundle;

/// A sealed policy document as it came; it is read once its seal was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPolicy {
    /// The document's bytes.
    pub document: Vec<u8>,
    /// Names what it says, for the next question.
    pub etag: Option<String>,
}

impl Enforcer {
    /// Asks which policy holds for somebody. `None`: what `etag` names still does.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn policy(
        &self,
        whose: &bundle::WhoseQuery,
        etag: Option<&str>,
    ) -> Result<Option<SealedPolicy>, RemoteError> {
        let remote = &self.0;
        let bearer = Zeroizing::new(format!("Bearer {}", remote.credential.expose_secret()));
        let mut headers = vec![("authorization".to_owned(), bearer.to_string())];
        headers.extend(etag.map(|etag| ("if-none-match".to_owned(), etag.to_owned())));
        let query = pairs(whose)?;
        let asked = (Method::GET, &["v1", "policy-bundle"][..], &query[..]);
        let mut reply = remote.exchange.ask(asked, &headers, None, MAX_ANSWER, remote.within).await?;
        let document = reply.whole().await?;
        match reply.status() {
            304 => Ok(None),
            200..=299 => {
                let etag = reply.header("etag").map(str::to_owned);
                Ok(Some(SealedPolicy { document: document.to_vec(), etag }))
            }
            status => {
                let retry_after = reply.header("retry-after").and_then(|text| text.trim().parse().ok());
                Err(RemoteError::Refused { url: reply.address(), status, told: Told::read(&document), retry_after })
            }
        }
    }
}

impl Administration {
    fn bundle_path<'p>(&'p self, rest: &[&'p str]) -> Vec<&'p str> {
        [&[&*self.tenant, "thoth", "policy-bundles"], rest].concat()
    }

    /// All bundles that are not deleted.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn bundles(&self) -> Result<List<bundle::Bundle>, RemoteError> {
        self.remote.get(&self.bundle_path(&[]), &serde_json::Map::new()).await
    }

    /// Says what is wrong or odd with a policy.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn validate_policy(&self, policy: &bundle::Validate) -> Result<bundle::Report, RemoteError> {
        self.remote.post(&self.bundle_path(&["validate"]), policy).await
    }

    /// Uploads a policy as a version of a bundle.
    ///
    /// # Errors
    /// When there is no usable answer, or it is not valid.
    pub async fn upload_bundle(&self, upload: &bundle::Upload) -> Result<bundle::Uploaded, RemoteError> {
        self.remote.post(&self.bundle_path(&[]), upload).await
    }

    /// One bundle, by its id or name, with a version.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that there is no such bundle or version.
    pub async fn bundle(&self, id: &str, query: &bundle::ShowQuery) -> Result<bundle::Shown, RemoteError> {
        self.remote.get(&self.bundle_path(&[id]), query).await
    }

    /// The versions of a bundle.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn bundle_versions(&self, id: &str) -> Result<List<bundle::Version>, RemoteError> {
        self.remote.get(&self.bundle_path(&[id, "versions"]), &serde_json::Map::new()).await
    }

    /// Has a version hold, or none.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn activate_bundle(&self, id: &str, version: Option<u32>) -> Result<Option<bundle::Bundle>, RemoteError> {
        let answer = match version {
            Some(version) => {
                self.remote.post(&self.bundle_path(&[id, "activate"]), &bundle::Activate { version }).await?
            }
            None => self.remote.post(&self.bundle_path(&[id, "deactivate"]), &serde_json::Map::new()).await?,
        };
        Ok(told(&answer))
    }

    /// Has the version hold that did before.
    ///
    /// # Errors
    /// When there is no usable answer; status 409 means that there is none.
    pub async fn roll_back_bundle(&self, id: &str) -> Result<Option<bundle::Bundle>, RemoteError> {
        Ok(told(&self.remote.post(&self.bundle_path(&[id, "rollback"]), &serde_json::Map::new()).await?))
    }

    /// Says for whom a bundle is.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn assign_bundle(&self, id: &str, to: &bundle::Assign) -> Result<Option<bundle::Bundle>, RemoteError> {
        Ok(told(&self.remote.post(&self.bundle_path(&[id, "assignments"]), to).await?))
    }

    /// Deletes a bundle that is not active.
    ///
    /// # Errors
    /// When there is no usable answer; status 409 means that it is active.
    pub async fn delete_bundle(&self, id: &str) -> Result<Option<bundle::Bundle>, RemoteError> {
        let path = self.bundle_path(&[id]);
        Ok(told(&self.remote.ask(Method::DELETE, &path, &[], None::<&()>, self.remote.within).await?))
    }

    /// Which policy holds for somebody.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn effective_policy(&self, whose: &bundle::WhoseQuery) -> Result<bundle::Effective, RemoteError> {
        self.remote.get(&self.bundle_path(&["effective"]), whose).await
    }
}
