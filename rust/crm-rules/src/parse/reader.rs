//! The parser's tree to the rule form.
use sqlparser::ast::{
    BinaryOperator, CastKind, DateTimeField, Expr as Sql, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, InTarget,
    ObjectName, OrderBySort, UnaryOperator, Value, WindowType,
};
use sqlparser::tokenizer::Location;

use super::literals::{cast_type, data_type, literal, number, parse_interval};
use super::{MAX_DEPTH, Origin, problem, shorten};
use crate::calendar::{parse_date, parse_timestamp};
use crate::constant::Constant;
use crate::expr::{Arithmetic, Comparison, Expr, Kind, Over, Position};
use crate::problem::Problem;
use crate::schema::Type;

pub(super) struct Reader {
    pub(super) origin: Origin,
    /// The last place seen: for nodes that carry none themselves.
    pub(super) last: Position,
}

pub(super) type Read = Result<Expr, Problem>;

impl Reader {
    fn see(&mut self, location: Location) -> Position {
        // sqlparser marks what has no place with line 0.
        if location.line > 0 {
            self.last = self.origin.position(location);
        }
        self.last
    }

    pub(super) fn expr(&mut self, sql: &Sql, depth: usize) -> Read {
        if depth > MAX_DEPTH {
            return Err(problem(self.last, format!("the rule is nested more than {MAX_DEPTH} levels deep")));
        }
        let depth = depth + 1;
        match sql {
            Sql::Nested(inner) => self.expr(inner, depth),
            Sql::Identifier(ident) => Ok(self.name(None, ident)),
            Sql::CompoundIdentifier(idents) => match idents.as_slice() {
                [table, name] => {
                    let at = self.see(table.span.start);
                    Ok(Expr::new(Kind::Name { table: Some(table.value.clone()), name: name.value.clone() }, at))
                }
                _ => Err(problem(self.last, "a name has at most a table and a column")),
            },
            Sql::Value(value) => {
                let at = self.see(value.span.start);
                Ok(Expr::new(Kind::Literal(literal(&value.value, at)?), at))
            }
            Sql::TypedString(typed) => {
                let at = self.see(typed.value.span.start);
                let Some(text) = typed.value.value.clone().into_string() else { return Err(problem(at, "a text was expected")) };
                let constant = match data_type(&typed.data_type) {
                    Some(Type::Date) => parse_date(&text).map(Constant::Date),
                    Some(Type::Timestamp) => parse_timestamp(&text).map(Constant::Timestamp),
                    _ => return Err(problem(at, format!("a constant of type {} cannot be written so; use cast", typed.data_type))),
                };
                constant
                    .map(|constant| Expr::new(Kind::Literal(constant), at))
                    .ok_or_else(|| problem(at, format!("'{text}' is not a {}", typed.data_type.to_string().to_lowercase())))
            }
            Sql::Interval(interval) => self.interval(interval),
            Sql::BinaryOp { op: BinaryOperator::And, .. } => {
                self.chain(sql, &BinaryOperator::And, depth).map(|(items, at)| Expr::new(Kind::And(items), at))
            }
            Sql::BinaryOp { op: BinaryOperator::Or, .. } => {
                self.chain(sql, &BinaryOperator::Or, depth).map(|(items, at)| Expr::new(Kind::Or(items), at))
            }
            Sql::BinaryOp { left, op, right } => self.binary(left, op, right, depth),
            Sql::UnaryOp { op, expr } => match op {
                UnaryOperator::Not => self.wrap(expr, depth, |item| Kind::Not(Box::new(item))),
                UnaryOperator::Plus => self.expr(expr, depth),
                UnaryOperator::Minus => self.minus(expr, depth),
                other => Err(problem(self.last, format!("the operator {other} is not part of the rule language"))),
            },
            Sql::IsNull(item) => self.wrap(item, depth, |item| Kind::IsNull { item: Box::new(item), negated: false }),
            Sql::IsNotNull(item) => self.wrap(item, depth, |item| Kind::IsNull { item: Box::new(item), negated: true }),
            Sql::IsTrue(item) => self.is(item, Some(true), false, depth),
            Sql::IsNotTrue(item) => self.is(item, Some(true), true, depth),
            Sql::IsFalse(item) => self.is(item, Some(false), false, depth),
            Sql::IsNotFalse(item) => self.is(item, Some(false), true, depth),
            Sql::IsUnknown(item) => self.is(item, None, false, depth),
            Sql::IsNotUnknown(item) => self.is(item, None, true, depth),
            Sql::IsDistinctFrom(left, right) => self.distinct(left, right, false, depth),
            Sql::IsNotDistinctFrom(left, right) => self.distinct(left, right, true, depth),
            Sql::In { expr, target: InTarget::List(list), negated, .. } => {
                let item = Box::new(self.expr(expr, depth)?);
                let at = item.at;
                let list = list.iter().map(|value| self.expr(value, depth)).collect::<Result<_, _>>()?;
                Ok(Expr::new(Kind::In { item, list, negated: *negated }, at))
            }
            Sql::Between { expr, negated, low, high } => {
                let item = Box::new(self.expr(expr, depth)?);
                let at = item.at;
                let (low, high) = (Box::new(self.expr(low, depth)?), Box::new(self.expr(high, depth)?));
                Ok(Expr::new(Kind::Between { item, low, high, negated: *negated }, at))
            }
            Sql::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), false, *negated, depth)
            }
            Sql::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), true, *negated, depth)
            }
            Sql::AnyOp { left, compare_op, right, .. } => {
                let item = Box::new(self.expr(left, depth)?);
                let at = item.at;
                let Some(comparison) = comparison(compare_op) else {
                    return Err(problem(at, "only a comparison goes with any(...)"));
                };
                Ok(Expr::new(Kind::Any { item, comparison, list: Box::new(self.expr(right, depth)?) }, at))
            }
            Sql::Cast {
                kind: CastKind::Cast | CastKind::TryCast | CastKind::DoubleColon | CastKind::SafeCast,
                expr,
                data_type: to,
                ..
            } => {
                let item = Box::new(self.expr(expr, depth)?);
                let at = item.at;
                let Some(to) = cast_type(to) else {
                    return Err(problem(
                        at,
                        format!("there is no cast to {to}; the types are boolean, bigint, double, varchar, date and timestamp"),
                    ));
                };
                Ok(Expr::new(Kind::Cast { item, to }, at))
            }
            Sql::Case { operand, conditions, else_result, case_token, .. } => {
                let at = self.see(case_token.0.span.start);
                let operand = operand.as_ref().map(|operand| self.expr(operand, depth).map(Box::new)).transpose()?;
                let branches = conditions
                    .iter()
                    .map(|branch| Ok((self.expr(&branch.condition, depth)?, self.expr(&branch.result, depth)?)))
                    .collect::<Result<_, Problem>>()?;
                let otherwise = else_result.as_ref().map(|otherwise| self.expr(otherwise, depth).map(Box::new)).transpose()?;
                Ok(Expr::new(Kind::Case { operand, branches, otherwise }, at))
            }
            Sql::Collate { expr, collation } => self.collate(expr, collation, depth),
            Sql::Extract { field, expr, .. } => {
                let item = self.expr(expr, depth)?;
                let at = item.at;
                let part = Expr::new(Kind::Literal(Constant::text(&field.to_string().to_lowercase())), at);
                Ok(call("date_part", vec![part, item], at))
            }
            Sql::Floor { expr, .. } => self.unary_call("floor", expr, depth),
            Sql::Ceil { expr, .. } => self.unary_call("ceil", expr, depth),
            Sql::Trim { expr, trim_where: None, trim_what: None, trim_characters: None } => self.unary_call("trim", expr, depth),
            Sql::Substring { expr, substring_from, substring_for, .. } => {
                let mut args = vec![self.expr(expr, depth)?];
                let at = args[0].at;
                args.push(match substring_from {
                    Some(from) => self.expr(from, depth)?,
                    None => Expr::new(Kind::Literal(Constant::Int(1)), at),
                });
                if let Some(length) = substring_for {
                    args.push(self.expr(length, depth)?);
                }
                Ok(call("substring", args, at))
            }
            Sql::Function(function) => self.function(function, depth),
            other => Err(problem(self.last, format!("'{}' is not part of the rule language", shorten(&other.to_string())))),
        }
    }

    /// `a and b and c` as one list. Such chains may be long, so they are walked, not recursed into.
    fn chain(&mut self, sql: &Sql, wanted: &BinaryOperator, depth: usize) -> Result<(Vec<Expr>, Position), Problem> {
        let mut rights = Vec::new();
        let mut rest = sql;
        while let Sql::BinaryOp { left, op, right } = rest {
            if op != wanted {
                break;
            }
            rights.push(right.as_ref());
            rest = left;
        }
        let mut items = vec![self.expr(rest, depth)?];
        for right in rights.into_iter().rev() {
            items.push(self.expr(right, depth)?);
        }
        let at = items[0].at;
        Ok((items, at))
    }

    fn name(&mut self, table: Option<String>, ident: &Ident) -> Expr {
        let at = self.see(ident.span.start);
        Expr::new(Kind::Name { table, name: ident.value.clone() }, at)
    }

    fn wrap(&mut self, item: &Sql, depth: usize, kind: impl FnOnce(Expr) -> Kind) -> Read {
        let item = self.expr(item, depth)?;
        let at = item.at;
        Ok(Expr::new(kind(item), at))
    }

    fn is(&mut self, item: &Sql, truth: Option<bool>, negated: bool, depth: usize) -> Read {
        self.wrap(item, depth, |item| Kind::Is { item: Box::new(item), truth, negated })
    }

    fn distinct(&mut self, left: &Sql, right: &Sql, negated: bool, depth: usize) -> Read {
        let left = Box::new(self.expr(left, depth)?);
        let at = left.at;
        Ok(Expr::new(Kind::Distinct { left, right: Box::new(self.expr(right, depth)?), negated }, at))
    }

    fn minus(&mut self, item: &Sql, depth: usize) -> Read {
        // A sign belongs to its number: the smallest integer has no positive counterpart.
        if let Sql::Value(value) = item
            && let Value::Number(digits, _) = &value.value
        {
            let at = self.see(value.span.start);
            return Ok(Expr::new(Kind::Literal(number(&format!("-{digits}"), at)?), at));
        }
        self.wrap(item, depth, |item| Kind::Negate(Box::new(item)))
    }

    fn binary(&mut self, left: &Sql, op: &BinaryOperator, right: &Sql, depth: usize) -> Read {
        let left = Box::new(self.expr(left, depth)?);
        let at = left.at;
        let right = Box::new(self.expr(right, depth)?);
        let kind = match op {
            BinaryOperator::Plus => Kind::Arithmetic(Arithmetic::Add, left, right),
            BinaryOperator::Minus => Kind::Arithmetic(Arithmetic::Subtract, left, right),
            BinaryOperator::Multiply => Kind::Arithmetic(Arithmetic::Multiply, left, right),
            BinaryOperator::Divide => Kind::Arithmetic(Arithmetic::Divide, left, right),
            BinaryOperator::DuckIntegerDivide => Kind::Arithmetic(Arithmetic::DivideWhole, left, right),
            BinaryOperator::Modulo => Kind::Arithmetic(Arithmetic::Modulo, left, right),
            BinaryOperator::StringConcat => Kind::Concat(left, right),
            other => match comparison(other) {
                Some(comparison) => Kind::Compare(comparison, left, right),
                None => return Err(problem(at, format!("the operator {other} is not part of the rule language"))),
            },
        };
        Ok(Expr::new(kind, at))
    }

    fn like(&mut self, item: &Sql, pattern: &Sql, escape: Option<&Sql>, insensitive: bool, negated: bool, depth: usize) -> Read {
        let item = Box::new(self.expr(item, depth)?);
        let at = item.at;
        let pattern = Box::new(self.expr(pattern, depth)?);
        let escape = match escape {
            None => None,
            Some(escape) => match self.expr(escape, depth)?.kind {
                Kind::Literal(Constant::Text(text)) if text.chars().count() == 1 => text.chars().next(),
                _ => return Err(problem(at, "escape needs a text of one character")),
            },
        };
        Ok(Expr::new(Kind::Like { item, pattern, escape, insensitive, negated }, at))
    }

    fn collate(&mut self, item: &Sql, collation: &ObjectName, depth: usize) -> Read {
        let item = Box::new(self.expr(item, depth)?);
        let at = item.at;
        let (mut case, mut accents) = (false, false);
        for part in collation.to_string().to_lowercase().split('.') {
            match part.trim_matches('"') {
                "nocase" => case = true,
                "noaccent" => accents = true,
                other => {
                    return Err(problem(
                        at,
                        format!("there is no collation '{other}'; the collations are nocase, noaccent and nocase.noaccent"),
                    ));
                }
            }
        }
        Ok(Expr::new(Kind::Collate { item, case, accents }, at))
    }

    fn unary_call(&mut self, name: &str, item: &Sql, depth: usize) -> Read {
        let item = self.expr(item, depth)?;
        let at = item.at;
        Ok(call(name, vec![item], at))
    }

    fn interval(&mut self, interval: &sqlparser::ast::Interval) -> Read {
        let value = self.expr(&interval.value, MAX_DEPTH - 1)?;
        let at = value.at;
        let text = match (&value.kind, &interval.leading_field) {
            (Kind::Literal(Constant::Text(text)), None) => text.to_string(),
            (Kind::Literal(Constant::Text(text)), Some(field)) => format!("{text} {}", unit_name(field)),
            (Kind::Literal(Constant::Int(amount)), Some(field)) => format!("{amount} {}", unit_name(field)),
            _ => return Err(problem(at, "an interval is written interval '90 days'")),
        };
        parse_interval(&text)
            .map(|interval| Expr::new(Kind::Literal(Constant::Interval(interval)), at))
            .ok_or_else(|| problem(at, format!("'{}' is not an interval; write for example interval '90 days'", shorten(&text))))
    }

    fn function(&mut self, function: &Function, depth: usize) -> Read {
        let mut at = self.last;
        if let Some(ident) = function.name.0.first().and_then(|part| part.as_ident()) {
            at = self.see(ident.span.start);
        }
        let name = function.name.to_string().to_lowercase();
        let (mut args, mut distinct) = (Vec::new(), false);
        match &function.args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) => return Err(problem(at, "subqueries are not part of the rule language")),
            FunctionArguments::List(list) => {
                distinct = list.duplicate_treatment.is_some_and(|treatment| treatment.to_string().eq_ignore_ascii_case("distinct"));
                for arg in &list.args {
                    match arg {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => args.push(self.expr(arg, depth)?),
                        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {
                            return Err(problem(at, format!("name the related table: {name}(orders) instead of {name}(*)")));
                        }
                        _ => return Err(problem(at, "arguments are given by position")),
                    }
                }
                if !list.clauses.is_empty() {
                    return Err(problem(at, "clauses inside a call are not part of the rule language; use filter (where ...) after it"));
                }
            }
        }
        let filter = function.filter.as_ref().map(|filter| self.expr(filter, depth).map(Box::new)).transpose()?;
        let over = match &function.over {
            None => None,
            Some(WindowType::WindowSpec(spec))
                if spec.partition_by.is_empty() && spec.order_by.len() == 1 && spec.window_frame.is_none() =>
            {
                let order = &spec.order_by[0];
                Some(Box::new(Over {
                    key: self.expr(&order.expr, depth)?,
                    descending: matches!(order.options.sort, Some(OrderBySort::Desc)),
                }))
            }
            Some(_) => return Err(problem(at, "over takes (order by one_value [desc]) here")),
        };
        if name == "segment" {
            return match args.as_slice() {
                [Expr { kind: Kind::Literal(Constant::Text(segment)), .. }] => Ok(Expr::new(Kind::Segment(segment.to_string()), at)),
                _ => Err(problem(at, "segment takes the name of a segment as a text: segment('vip')")),
            };
        }
        Ok(Expr::new(Kind::Call { name, distinct, args, filter, over }, at))
    }
}

fn call(name: &str, args: Vec<Expr>, at: Position) -> Expr {
    Expr::new(Kind::Call { name: name.to_owned(), distinct: false, args, filter: None, over: None }, at)
}

fn unit_name(field: &DateTimeField) -> String {
    field.to_string().to_lowercase()
}

fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
