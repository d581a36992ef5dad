//! The JSON tree that tools build, to the rule form.
use serde_json::{Map, Value};

use crate::calendar::{parse_date, parse_timestamp};
use crate::constant::Constant;
use crate::expr::{Comparison, Expr, Kind, Position};
use crate::parse::{MAX_DEPTH, Origin, parse_interval, parse_sql, problem, type_named};
use crate::problem::Problem;

/// Reads a tree: `{"all": [...]}`, `{"any": [...]}`, `{"none": [...]}`, `{"field": name, "op": ">=", "value": 5}`, `{"segment": name}`
/// or `{"sql": "..."}`. Wherever a value stands, `{"field": name}` or `{"sql": "..."}` may stand too, and dates are written `{"date": "2026-11-01"}`.
pub fn parse_tree(tree: &Value, origin: Origin) -> Result<Expr, Problem> {
    Tree { at: origin.start(), origin }.condition(tree, 0)
}

struct Tree {
    at: Position,
    origin: Origin,
}

type Read = Result<Expr, Problem>;

impl Tree {
    fn condition(&self, tree: &Value, depth: usize) -> Read {
        if depth > MAX_DEPTH {
            return Err(problem(self.at, format!("the rule is nested more than {MAX_DEPTH} levels deep")));
        }
        let map = match tree {
            Value::Object(map) => map,
            Value::String(text) => return parse_sql(text, self.origin),
            Value::Bool(truth) => return Ok(self.expr(Kind::Literal(Constant::Bool(*truth)))),
            _ => return Err(self.wrong("a condition is a mapping with all, any, none, field, segment or sql")),
        };
        if let Some(items) = map.get("all") {
            self.only(map, &["all"])?;
            return Ok(self.expr(Kind::And(self.conditions(items, depth)?)));
        }
        if let Some(items) = map.get("any") {
            self.only(map, &["any"])?;
            return Ok(self.expr(Kind::Or(self.conditions(items, depth)?)));
        }
        if let Some(items) = map.get("none") {
            self.only(map, &["none"])?;
            let any = self.expr(Kind::Or(self.conditions(items, depth)?));
            return Ok(self.expr(Kind::Not(Box::new(any))));
        }
        if map.contains_key("op") {
            self.only(map, &["field", "left", "op", "value"])?;
            return self.test(map, depth);
        }
        self.value(tree, depth)
    }

    fn conditions(&self, items: &Value, depth: usize) -> Result<Vec<Expr>, Problem> {
        match items {
            Value::Array(items) => items.iter().map(|item| self.condition(item, depth + 1)).collect(),
            one => Ok(vec![self.condition(one, depth + 1)?]),
        }
    }

    fn test(&self, map: &Map<String, Value>, depth: usize) -> Read {
        let item = match (map.get("field"), map.get("left")) {
            (Some(Value::String(name)), None) => self.field(name),
            (None, Some(left)) => self.value(left, depth + 1)?,
            _ => return Err(self.wrong("a test needs 'field' with a name, or 'left' with a value")),
        };
        let op = map.get("op").and_then(Value::as_str).ok_or_else(|| self.wrong("'op' is a text"))?;
        let operand = || map.get("value").ok_or_else(|| self.wrong(&format!("the operator '{op}' needs 'value'")));
        let item = Box::new(item);
        let compare = |comparison| -> Result<Kind, Problem> {
            Ok(Kind::Compare(comparison, item.clone(), Box::new(self.value(operand()?, depth + 1)?)))
        };
        let call = |name: &str| -> Result<Kind, Problem> {
            let args = vec![(*item).clone(), self.value(operand()?, depth + 1)?];
            Ok(Kind::Call { name: name.to_owned(), distinct: false, args, filter: None, over: None })
        };
        let like = |insensitive, negated| -> Result<Kind, Problem> {
            let pattern = Box::new(self.value(operand()?, depth + 1)?);
            Ok(Kind::Like { item: item.clone(), pattern, escape: None, insensitive, negated })
        };
        let kind = match op {
            "=" | "==" | "eq" => compare(Comparison::Equal)?,
            "<>" | "!=" | "ne" => compare(Comparison::NotEqual)?,
            "<" | "lt" => compare(Comparison::Less)?,
            "<=" | "le" => compare(Comparison::LessOrEqual)?,
            ">" | "gt" => compare(Comparison::Greater)?,
            ">=" | "ge" => compare(Comparison::GreaterOrEqual)?,
            "in" | "not_in" => {
                let Value::Array(values) = operand()? else { return Err(self.wrong("'in' needs a list in 'value'")) };
                let list = values.iter().map(|value| self.value(value, depth + 1)).collect::<Result<_, _>>()?;
                Kind::In { item, list, negated: op == "not_in" }
            }
            "between" | "not_between" => match operand()? {
                Value::Array(ends) if ends.len() == 2 => Kind::Between {
                    item,
                    low: Box::new(self.value(&ends[0], depth + 1)?),
                    high: Box::new(self.value(&ends[1], depth + 1)?),
                    negated: op == "not_between",
                },
                _ => return Err(self.wrong("'between' needs a list of two values in 'value'")),
            },
            "like" | "not_like" => like(false, op == "not_like")?,
            "ilike" | "not_ilike" => like(true, op == "not_ilike")?,
            "is_null" => Kind::IsNull { item, negated: false },
            "is_not_null" => Kind::IsNull { item, negated: true },
            "contains" | "starts_with" | "ends_with" | "regexp_like" => call(op)?,
            other => {
                let nearest = crm_core::nearest_name(other, OPERATORS.iter().copied()).map(str::to_owned);
                return Err(Problem { nearest, ..self.wrong(&format!("there is no operator '{other}'")) });
            }
        };
        Ok(self.expr(kind))
    }

    fn value(&self, value: &Value, depth: usize) -> Read {
        if depth > MAX_DEPTH {
            return Err(problem(self.at, format!("the rule is nested more than {MAX_DEPTH} levels deep")));
        }
        let constant = match value {
            Value::Null => Constant::Null,
            Value::Bool(truth) => Constant::Bool(*truth),
            Value::String(text) => Constant::text(text),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Constant::Int(whole),
                (None, Some(float)) => Constant::float(float),
                _ => return Err(self.wrong("a number is too large")),
            },
            Value::Array(_) => return Err(self.wrong("a list is only a value of 'in' and 'between'")),
            Value::Object(map) => return self.object(map, value, depth),
        };
        Ok(self.expr(Kind::Literal(constant)))
    }

    fn object(&self, map: &Map<String, Value>, whole: &Value, depth: usize) -> Read {
        let text = |key: &str| match map.get(key) {
            Some(Value::String(text)) => Ok(text.as_str()),
            _ => Err(self.wrong(&format!("'{key}' is a text"))),
        };
        let constant = |parsed: Option<Constant>, what: &str| match parsed {
            Some(constant) => Ok(self.expr(Kind::Literal(constant))),
            None => Err(self.wrong(&format!("this is not a {what}"))),
        };
        let Some(key) = map.keys().next().map(String::as_str) else { return Err(self.wrong("an empty mapping says nothing")) };
        match key {
            _ if map.contains_key("op") || ["all", "any", "none"].contains(&key) => self.condition(whole, depth + 1),
            _ if map.contains_key("call") => self.call(map, depth),
            _ if map.contains_key("cast") => {
                self.only(map, &["cast", "to"])?;
                let to = type_named(text("to")?).ok_or_else(|| self.wrong("'to' is not a type"))?;
                let item = map.get("cast").map_or(Ok(self.expr(Kind::Literal(Constant::Null))), |item| self.value(item, depth + 1))?;
                Ok(self.expr(Kind::Cast { item: Box::new(item), to }))
            }
            "field" => self.only(map, &["field"]).and_then(|()| Ok(self.field(text(key)?))),
            "segment" => self.only(map, &["segment"]).and_then(|()| Ok(self.expr(Kind::Segment(text(key)?.to_owned())))),
            "sql" => self.only(map, &["sql"]).and_then(|()| parse_sql(text(key)?, self.origin)),
            "date" => constant(parse_date(text(key)?).map(Constant::Date), "date"),
            "timestamp" => constant(parse_timestamp(text(key)?).map(Constant::Timestamp), "timestamp"),
            "interval" => constant(parse_interval(text(key)?).map(Constant::Interval), "length of time"),
            other => {
                let known = [
                    "all",
                    "any",
                    "none",
                    "field",
                    "left",
                    "op",
                    "value",
                    "segment",
                    "sql",
                    "date",
                    "timestamp",
                    "interval",
                    "call",
                    "cast",
                ];
                let nearest = crm_core::nearest_name(other, known).map(str::to_owned);
                Err(Problem { nearest, ..self.wrong(&format!("there is no '{other}' in a rule tree")) })
            }
        }
    }

    /// `{"call": "sum", "args": [{"field": "orders.amount"}], "distinct": false, "filter": {...}}`, and operators as `{"call": "+", ...}`.
    fn call(&self, map: &Map<String, Value>, depth: usize) -> Read {
        self.only(map, &["call", "args", "distinct", "filter"])?;
        let name = map.get("call").and_then(Value::as_str).ok_or_else(|| self.wrong("'call' is a text"))?;
        let args: Vec<Expr> = match map.get("args") {
            Some(Value::Array(args)) => args.iter().map(|arg| self.value(arg, depth + 1)).collect::<Result<_, _>>()?,
            None => Vec::new(),
            Some(_) => return Err(self.wrong("'args' is a list")),
        };
        let distinct = map.get("distinct").and_then(Value::as_bool).unwrap_or(false);
        let filter = map.get("filter").map(|filter| self.condition(filter, depth + 1).map(Box::new)).transpose()?;
        use crate::expr::Arithmetic;
        let operator = match name {
            "+" => Some(Arithmetic::Add),
            "-" => Some(Arithmetic::Subtract),
            "*" => Some(Arithmetic::Multiply),
            "/" => Some(Arithmetic::Divide),
            "//" => Some(Arithmetic::DivideWhole),
            "%" => Some(Arithmetic::Modulo),
            _ => None,
        };
        if let Some(operator) = operator {
            let [left, right] = <[Expr; 2]>::try_from(args).map_err(|_| self.wrong("an operator takes two arguments"))?;
            return Ok(self.expr(Kind::Arithmetic(operator, Box::new(left), Box::new(right))));
        }
        Ok(self.expr(Kind::Call { name: name.to_lowercase(), distinct, args, filter, over: None }))
    }

    fn field(&self, name: &str) -> Expr {
        let kind = match name.split_once('.') {
            Some((table, name)) => Kind::Name { table: Some(table.to_owned()), name: name.to_owned() },
            None => Kind::Name { table: None, name: name.to_owned() },
        };
        self.expr(kind)
    }

    fn expr(&self, kind: Kind) -> Expr {
        Expr::new(kind, self.at)
    }

    fn only(&self, map: &Map<String, Value>, allowed: &[&str]) -> Result<(), Problem> {
        match map.keys().find(|key| !allowed.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let nearest = crm_core::nearest_name(key, allowed.iter().copied()).map(str::to_owned);
                Err(Problem { nearest, ..self.wrong(&format!("'{key}' does not belong here")) })
            }
        }
    }

    fn wrong(&self, message: &str) -> Problem {
        problem(self.at, message)
    }
}

const OPERATORS: &[&str] = &[
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "not_in",
    "between",
    "not_between",
    "like",
    "not_like",
    "ilike",
    "not_ilike",
    "is_null",
    "is_not_null",
    "contains",
    "starts_with",
    "ends_with",
    "regexp_like",
];
