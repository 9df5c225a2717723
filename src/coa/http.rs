//! The policy in force, over HTTP.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Policy, Vocabulary};
use crate::error::Result;
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::Faults;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(read_policy);
}

/// Read the policy in force: categories, allegation types, channels, countries, deadlines with their basis.
///
/// Its words are the ones that other requests take: read them from here rather than keeping a list of your
/// own.
#[utoipa::path(tag = "register", security(()), responses((status = 200, body = Policy, description = "The policy"), Refusal))]
#[get("/policy")]
async fn read_policy(temwen: Data<Temwen>) -> HttpResponse {
    HttpResponse::Ok().json(&temwen.policy)
}

impl Policy {
    /// Refuses filters that name words which the policy does not have: a mistyped one would find nothing and look like none.
    pub(crate) fn known_or_fault(&self, filters: &[(&str, Vocabulary, Option<&str>)]) -> Result<()> {
        let mut faults = Faults::default();
        for (name, vocabulary, word) in filters {
            if word.is_some_and(|word| !self.knows(*vocabulary, word)) {
                faults.add(
                    *name,
                    format!("is not one of the policy's {}", vocabulary.section().replace('_', " ")),
                );
            }
        }
        faults.check()
    }
}
