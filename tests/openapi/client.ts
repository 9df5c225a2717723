// A client in TypeScript, made from openapi.yaml alone: the compiler checks it, nothing runs it.
import createClient from "openapi-fetch";
import type { paths } from "./temwen";

const temwen = createClient<paths>({ baseUrl: "http://127.0.0.1:8080" });

/** Hands in a complaint; answers what the reporter has to keep. */
export async function handIn(narrative: string): Promise<{ reference: string; code: string }> {
  const { data, error } = await temwen.POST("/v1/complaints", { body: { narrative, channel: "web_form" } });
  if (error) throw new Error(`${error.status} ${error.title}: ${error.detail}`);
  return { reference: data.reference, code: data.access_code ?? "" };
}

/** Signs an officer in; answers the access token. */
export async function signIn(email: string, password: string): Promise<string> {
  const { data, error } = await temwen.POST("/v1/sessions", { body: { email, password } });
  if (error) throw new Error(`${error.status} ${error.title}: ${error.detail}`);
  return data.access_token;
}

/** Moves a case along; the version that was seen goes with it. */
export async function advance(token: string, id: string): Promise<void> {
  const read = await temwen.GET("/v1/cases/{id}", {
    params: { path: { id } },
    headers: { Authorization: `Bearer ${token}` },
  });
  const seen = read.response.headers.get("ETag");
  if (read.error || seen === null) throw new Error("the case cannot be read");
  const moved = await temwen.POST("/v1/cases/{id}/transitions", {
    params: { path: { id }, header: { "If-Match": seen } },
    headers: { Authorization: `Bearer ${token}` },
    body: { step: "notify_state", reason: "The State concerned is known" },
  });
  if (moved.error) throw new Error(moved.error.detail);
}
