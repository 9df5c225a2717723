//! Which methods an address has: another one is answered with 405 and the right ones, not with 404.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use utoipa::openapi::OpenApi;

use crate::error::{Error, Kind};

/// The addresses of the API, each as its segments, with the method of one operation there.
#[derive(Debug, Clone)]
pub(super) struct Addresses(Vec<(Vec<String>, &'static str)>);

impl Addresses {
    /// Those that `document` describes.
    pub(super) fn of(document: &OpenApi) -> Self {
        let mut all = Vec::new();
        for (path, item) in &document.paths.paths {
            let methods = [
                ("GET", item.get.is_some()),
                ("POST", item.post.is_some()),
                ("PUT", item.put.is_some()),
                ("PATCH", item.patch.is_some()),
                ("DELETE", item.delete.is_some()),
            ];
            for (method, _) in methods.into_iter().filter(|(_, there)| *there) {
                all.push((path.split('/').map(str::to_owned).collect(), method));
            }
        }
        Self(all)
    }

    /// The methods that the address `path` has.
    fn methods(&self, path: &str) -> Vec<&'static str> {
        let asked: Vec<&str> = path.split('/').collect();
        let fits = |known: &[String]| {
            known.len() == asked.len()
                && known.iter().zip(&asked).all(|(known, asked)| {
                    if known.starts_with('{') { !asked.is_empty() } else { known == asked }
                })
        };
        let mut methods: Vec<_> =
            self.0.iter().filter(|(known, _)| fits(known)).map(|(_, method)| *method).collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }

    /// The answer to a request that no operation takes.
    pub(super) fn refuse(&self, request: &HttpRequest) -> HttpResponse {
        let methods = self.methods(request.path());
        if methods.is_empty() {
            return Error::not_found().error_response();
        }
        let refused = Error::new(Kind::MethodNotAllowed, "this address does not have that method");
        let mut response = refused.error_response();
        if let Ok(allow) = HeaderValue::from_str(&methods.join(", ")) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}
