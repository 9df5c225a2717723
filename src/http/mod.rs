//! Everything that knows HTTP and nothing of complaints.

pub mod body;
pub mod extract;
mod health;
pub mod idempotency;
pub mod json;
mod methods;
pub mod middleware;
pub mod page;
pub mod problem;
pub mod source;
pub mod work;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::OpenApi as _;
use utoipa::openapi::schema::Array;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa_actix_web::{AppExt as _, scope};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::temwen::Temwen;
use crate::{cases, coa, complaints, deadlines, evidence, log, parties, personnel, retention, users};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Temwen",
        description = "The register of misconduct complaints and cases of an international security mission.\n\n\
            Every answer that is not 2xx or 304 is `application/problem+json` (RFC 9457). Changes need `If-Match` with the version \
            that was seen. What a caller may not know of answers 404, with the same body as what does not exist.",
        license(name = "Apache-2.0", url = "https://www.apache.org/licenses/LICENSE-2.0"),
        contact(name = "The Temwen project", url = "https://temwen.example/")
    ),
    servers((url = "http://127.0.0.1:8080", description = "A server started with `temwen serve`")),
    tags(
        (name = "audit", description = "The audit record, for those who check the register."),
        (name = "cases", description = "Working on a case, from triage on."),
        (name = "complaints", description = "Handing in a complaint, and officers reading and acknowledging it."),
        (name = "deadlines", description = "Clocks across matters."),
        (name = "evidence", description = "Files and their chain of custody."),
        (name = "log", description = "The transparency log: anybody can check that nothing was changed or removed."),
        (name = "parties", description = "Who has a part in a matter, by pseudonym; what they agreed to; and being told who they are."),
        (name = "personnel", description = "Who serves where: persons, units and the chain of command."),
        (name = "proposals", description = "Changes that wait for a second officer."),
        (name = "register", description = "The register itself: policy, health, keys."),
        (name = "reporter", description = "The reporter's own thread, with reference and access code instead of an account."),
        (name = "retention", description = "How long records are kept, what holds them, and how they are erased."),
        (name = "sessions", description = "Signing in and staying signed in."),
        (name = "users", description = "Accounts.")
    ),
    components(schemas(problem::Problem)),
    modifiers(&Security)
)]
struct Base;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = |about: &str| {
            let mut http = Http::new(HttpAuthScheme::Bearer);
            http.bearer_format = Some("JWT".to_owned());
            http.description = Some(about.to_owned());
            SecurityScheme::Http(http)
        };
        let components = document.components.get_or_insert_default();
        components
            .add_security_scheme("token", bearer("An officer's access token, from `POST /v1/sessions`."));
        components.add_security_scheme(
            "reporter",
            bearer("A reporter's token, from `POST /v1/reporter/sessions`."),
        );
    }
}

/// Builds the application exactly as it runs, for the server and for the tests alike.
pub fn application(
    temwen: Temwen,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let (app, document) = with_routes(App::new());
    let document = polish(document);
    let json = document.to_json().unwrap_or_default();
    let addresses = std::rc::Rc::new(methods::Addresses::of(&document));
    app.app_data(web::Data::new(temwen))
        .app_data(extract::path_config())
        .service(web::resource("/openapi.json").route(web::get().to(move || {
            std::future::ready(HttpResponse::Ok().content_type("application/json").body(json.clone()))
        })))
        .service(SwaggerUi::new("/docs/{_:.*}").config(Config::new(["/openapi.json"])))
        .service(web::redirect("/docs", "/docs/"))
        .default_service(web::to(move |request: HttpRequest| {
            let addresses = std::rc::Rc::clone(&addresses);
            async move { addresses.refuse(request.path()) }
        }))
        .wrap(from_fn(middleware::around))
        .wrap(Compress::default())
}

/// The OpenAPI document, as committed in `openapi.yaml`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    polish(with_routes(App::new()).1)
}

fn with_routes<T>(app: App<T>) -> (App<T>, utoipa::openapi::OpenApi)
where
    T: ServiceFactory<ServiceRequest, Config = (), Error = actix_web::Error, InitError = ()>,
{
    app.into_utoipa_app()
        .openapi(Base::openapi())
        .configure(health::routes)
        .service(
            scope("/v1")
                .configure(complaints::http::routes)
                .configure(cases::http::routes)
                .configure(parties::http::routes)
                .configure(evidence::http::routes)
                .configure(deadlines::http::routes)
                .configure(retention::http::routes)
                .configure(users::http::routes)
                .configure(personnel::http::routes)
                .configure(log::http::routes)
                .configure(coa::http::routes),
        )
        .split_for_parts()
}

/// What the generator leaves undone: a page of a list repeats what an item is instead of naming it.
fn polish(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let schemas = document.components.iter_mut().flat_map(|components| components.schemas.iter_mut());
    for (name, schema) in schemas {
        if let (Some(item), RefOr::T(Schema::Object(page))) = (name.strip_prefix("Items_"), schema) {
            let items = Array::new(Ref::from_schema_name(item));
            page.properties.insert("items".to_owned(), RefOr::T(Schema::Array(items)));
        }
    }
    document
}

/// 200 with `body` and its version as `ETag`.
pub fn versioned<T: Serialize>(version: i32, body: &T) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, format!("\"{version}\""))).json(body)
}

/// 304: the client holds this version already.
pub fn unchanged(version: i32) -> HttpResponse {
    HttpResponse::NotModified().insert_header((header::ETAG, format!("\"{version}\""))).finish()
}
