//! Which methods an address has: what is asked with another one hears of those, and not that there is nothing.

use actix_web::dev::ResourceDef;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError as _};
use utoipa::openapi::OpenApi;

use crate::error::{Error, Kind};

/// Every documented address with its methods, as `Allow` names them.
pub(super) struct Addresses(Vec<(ResourceDef, Vec<&'static str>)>);

impl Addresses {
    /// The addresses of a document.
    pub(super) fn of(document: &OpenApi) -> Self {
        let each = document.paths.paths.iter().map(|(path, item)| {
            let methods = [
                (item.get.is_some(), "GET"),
                (item.post.is_some(), "POST"),
                (item.put.is_some(), "PUT"),
                (item.patch.is_some(), "PATCH"),
                (item.delete.is_some(), "DELETE"),
                (item.head.is_some(), "HEAD"),
                (item.options.is_some(), "OPTIONS"),
            ];
            let methods = methods.into_iter().filter(|(has, _)| *has).map(|(_, method)| method).collect();
            (ResourceDef::new(path.as_str()), methods)
        });
        Self(each.collect())
    }

    /// The answer to a request that no handler takes.
    pub(super) fn refuse(&self, path: &str) -> HttpResponse {
        let mut methods: Vec<&str> = Vec::new();
        for (address, has) in &self.0 {
            if address.is_match(path) {
                methods.extend(has);
            }
        }
        if methods.is_empty() {
            return Error::not_found().error_response();
        }
        methods.sort_unstable();
        methods.dedup();
        let mut response =
            Error::new(Kind::MethodNotAllowed, "this address does not have that method").error_response();
        if let Ok(allow) = header::HeaderValue::from_str(&methods.join(", ")) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}
