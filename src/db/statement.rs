//! Fixed SQL statements that Postgres prepares once per connection.
//!
//! diesel prepares an `insert` anew each time, which costs more than running it. A [`Fixed`] statement has one text,
//! known by its type, and so one prepared statement. Its parameters stand in a leading `with given`, so that the text
//! can use each of them by name and as often as it likes.

use std::marker::PhantomData;

use diesel::QueryResult;
use diesel::expression::{AppearsOnTable, Expression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Bool;

/// The text of a fixed statement.
pub trait Text: 'static {
    /// The names of the parameters, in order, with commas.
    const GIVEN: &'static str;
    /// What follows `with given (…) as (values (…))`.
    const SQL: &'static str;
    /// The SQL types of the columns of its answer.
    type Row: 'static;
}

/// A fixed statement with its parameters: a tuple of `value.into_sql::<…>()`.
#[derive(Debug, Clone)]
pub struct Fixed<T, B> {
    binds: B,
    text: PhantomData<T>,
}

impl<T: Text, B> Fixed<T, B> {
    /// `T` with these parameters.
    pub fn with(_: T, binds: B) -> Self {
        Self { binds, text: PhantomData }
    }
}

impl<T: Text, B> QueryId for Fixed<T, B> {
    type QueryId = T;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<T: Text, B> Query for Fixed<T, B> {
    type SqlType = T::Row;
}

impl<T: Text, B: QueryFragment<Pg>> QueryFragment<Pg> for Fixed<T, B> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("with given (");
        out.push_sql(T::GIVEN);
        out.push_sql(") as (values (");
        self.binds.walk_ast(out.reborrow())?;
        out.push_sql("))");
        out.push_sql(T::SQL);
        Ok(())
    }
}

/// A fixed statement without parameters, such as `begin`.
#[derive(Debug, Clone, Copy)]
pub struct Bare<T>(PhantomData<T>);

impl<T: Text> Bare<T> {
    /// The statement `T`.
    pub fn new(_: T) -> Self {
        Self(PhantomData)
    }
}

impl<T: Text> QueryId for Bare<T> {
    type QueryId = T;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<T: Text> Query for Bare<T> {
    type SqlType = T::Row;
}

impl<T: Text> QueryFragment<Pg> for Bare<T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(T::SQL);
        Ok(())
    }
}

/// A condition in SQL that a boxed query may be filtered by. Unlike `diesel::dsl::sql` it is prepared once for each text; so
/// the texts are few, and never a caller's.
#[derive(Debug, Clone)]
pub struct Condition(String);

impl Condition {
    /// The condition that `sql` says.
    pub fn new(sql: impl Into<String>) -> Self {
        Self(sql.into())
    }
}

impl Expression for Condition {
    type SqlType = Bool;
}

impl<T> AppearsOnTable<T> for Condition {}

impl ValidGrouping<()> for Condition {
    type IsAggregate = is_aggregate::No;
}

impl QueryId for Condition {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Pg> for Condition {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("(");
        out.push_sql(&self.0);
        out.push_sql(")");
        Ok(())
    }
}
