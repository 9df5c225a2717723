//! Retention over HTTP.

use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .configure(super::due_http::routes)
        .configure(super::holds_http::routes)
        .configure(super::erasures_http::routes);
}
