//! Aggregates over related tables, and rankings of contacts among each other.
use super::{Compiled, Compiler, Scope};
use crate::constant::Constant;
use crate::expr::{Expr, Kind, Over, Position};
use crate::functions::DatePart;
use crate::graph::{Graph, Input, NodeId, Op};
use crate::schema::Type;

/// What the rules ask of one related table.
#[derive(Debug, Clone, Default)]
pub struct TableGraph {
    /// The expressions over its rows.
    pub graph: Graph,
}

/// One aggregate over a contact's rows of a related table.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// The related table, by its place in the schema.
    pub table: usize,
    /// What is computed.
    pub aggregate: Aggregate,
    /// Of what, in the table's graph; `None` counts rows.
    pub argument: Option<NodeId>,
    /// Of which rows, in the table's graph; `None` takes all.
    pub filter: Option<NodeId>,
    /// The rows' time, in the table's graph, where the aggregate goes by it.
    pub time: Option<NodeId>,
    /// The type of the result.
    pub data_type: Type,
    /// As SQL, for explanations.
    pub sql: String,
}

/// The aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// Rows, or values that are not null.
    Count,
    /// Distinct values.
    CountDistinct,
    /// The sum; null where there is nothing to add.
    Sum,
    /// The mean.
    Avg,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The value of the earliest row that has one.
    First,
    /// The value of the latest row that has one.
    Last,
    /// The sample's standard deviation; null below two values.
    StddevSample,
    /// The population's standard deviation.
    StddevPopulation,
    /// An aggregate of the sums of the complete periods before the one of today; periods without rows count as 0.
    OfPeriods(PeriodSums, Period),
}

/// What is taken of the periods' sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeriodSums {
    /// Their mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Their sum.
    Sum,
    /// The sample's standard deviation.
    StddevSample,
    /// The population's standard deviation.
    StddevPopulation,
}

/// Complete calendar periods before the one of today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// 0 year, 1 quarter, 2 month, 3 week, 4 day.
    unit: DatePartUnit,
    /// How many.
    pub count: u32,
    /// The number of the period that today lies in.
    pub current: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum DatePartUnit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
}

impl Period {
    /// The place of a moment among the periods, 0 being the oldest; `None` outside of them.
    pub fn place(&self, micros: i64) -> Option<usize> {
        let back = self.current - crate::scalar::index(self.part(), micros);
        (1..=i64::from(self.count)).contains(&back).then(|| self.count as usize - back as usize)
    }

    fn part(&self) -> DatePart {
        match self.unit {
            DatePartUnit::Year => DatePart::Year,
            DatePartUnit::Quarter => DatePart::Quarter,
            DatePartUnit::Month => DatePart::Month,
            DatePartUnit::Week => DatePart::Week,
            DatePartUnit::Day => DatePart::Day,
        }
    }
}

/// A contact's place among all contacts.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// What is computed.
    pub kind: RankingKind,
    /// By what, in the graph over contacts.
    pub key: NodeId,
    /// Greatest first.
    pub descending: bool,
}

/// The kinds of [`Ranking`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankingKind {
    /// The number of the part, from 1, when all are divided into so many equal parts. Equal values share a part.
    Ntile(u32),
    /// The share of the total that contacts before this one in the order hold; the first has 0.
    CumulativeShare,
    /// The share of contacts before this one in the order.
    PercentRank,
}

pub(super) const RANKINGS: &[&str] = &["ntile", "cumulative_share", "percent_rank"];

pub(super) fn is_ranking(name: &str) -> bool {
    RANKINGS.contains(&name)
}

/// Most rankings: each is a pass over the contacts.
const MAX_RANKINGS: usize = 200;
/// Most periods of one aggregate.
const MAX_PERIODS: i64 = 1_000;

impl Compiler {
    pub(super) fn ranking(&mut self, name: &str, args: &[Expr], over: Option<&Over>, at: Position, scope: Scope) -> Compiled {
        if scope != Scope::Contacts {
            return self.fail(at, format!("{name} ranks contacts; it does not stand inside an aggregate"));
        }
        // ntile(5) over (order by x), or short ntile(5, x).
        let (kind, rest) = match (name, args) {
            ("ntile", [count, rest @ ..]) => match &count.kind {
                Kind::Literal(Constant::Int(count @ 1..=1_000_000)) => (RankingKind::Ntile(*count as u32), rest),
                _ => return self.fail(count.at, "ntile takes the number of parts, from 1 to 1000000, as a constant"),
            },
            ("ntile", []) => return self.fail(at, "ntile takes the number of parts: ntile(5) over (order by amount)"),
            ("cumulative_share", rest) => (RankingKind::CumulativeShare, rest),
            (_, rest) => (RankingKind::PercentRank, rest),
        };
        let (key, descending) = match (rest, over) {
            ([key], None) => (key, kind == RankingKind::CumulativeShare),
            ([], Some(over)) => (&over.key, over.descending),
            ([key], Some(over)) if kind == RankingKind::CumulativeShare && key.to_sql() == over.key.to_sql() => (key, over.descending),
            _ => {
                return self.fail(at, format!("{name} takes one value to go by: {name}(...) over (order by value), or {name}(..., value)"));
            }
        };
        let node = self.expr(key, scope)?;
        let kind_of_key = self.type_of(node, scope);
        let ordered = matches!(kind_of_key, Type::Int | Type::Float | Type::Date | Type::Timestamp | Type::Interval);
        if !ordered || (kind == RankingKind::CumulativeShare && !kind_of_key.is_number()) {
            return self
                .fail(key.at, format!("{name} goes by a number{}, and this is {kind_of_key}", if ordered { "" } else { " or date" }));
        }
        let ranking = Ranking { kind, key: node, descending };
        if self.rankings.len() >= MAX_RANKINGS {
            return self.fail(at, format!("the rules rank contacts in more than {MAX_RANKINGS} ways"));
        }
        let number = self.rankings.iter().position(|known| *known == ranking).unwrap_or_else(|| {
            self.rankings.push(ranking);
            self.rankings.len() - 1
        });
        let data_type = if matches!(kind, RankingKind::Ntile(_)) { Type::Int } else { Type::Float };
        let label = match kind {
            RankingKind::Ntile(parts) => format!("ntile({parts}, {})", key.to_sql()),
            _ => format!("{name}({})", key.to_sql()),
        };
        self.graph.label(Input::Ranking(number), label);
        Some(self.graph.input(Input::Ranking(number), data_type))
    }

    pub(super) fn aggregate(
        &mut self,
        name: &str,
        distinct: bool,
        args: &[Expr],
        filter: Option<&Expr>,
        at: Position,
        scope: Scope,
    ) -> Compiled {
        if scope != Scope::Contacts {
            return self.fail(at, "an aggregate does not stand inside another; name it under features and use it there");
        }
        let [argument] = args else { return self.fail(at, format!("{name} takes one argument, and {} are given", args.len())) };
        let (argument, period) = match &argument.kind {
            Kind::Call { name, args, .. } if name == "period_sum" => match args.as_slice() {
                [argument, unit, count] => (argument, Some((unit, count))),
                _ => {
                    return self
                        .fail(argument.at, "period_sum takes a value, a period and a number: period_sum(orders.amount, 'month', 12)");
                }
            },
            _ => (argument, None),
        };
        let table = self.table_of(argument, name)?;
        let inner = Scope::Table(table);
        // count(orders) and exists(orders) are about rows.
        let rows = matches!(&argument.kind, Kind::Name { table: None, .. });
        let argument_node = if rows { Some(None) } else { self.expr(argument, inner).map(Some) };
        let filter_node = match filter {
            None => Some(None),
            Some(filter) => self.test(filter, inner).map(Some),
        };
        let (argument_node, filter_node) = (argument_node?, filter_node?);
        if rows && !matches!(name, "count" | "exists") {
            let table = self.table_schema(table).name.clone();
            return self.fail(at, format!("{name} needs a column: {name}({table}.amount)"));
        }
        if distinct && name != "count" {
            return self.fail(at, "distinct goes with count");
        }
        let argument_type = argument_node.map(|node| self.type_of(node, inner));
        let kind = self.aggregate_kind(name, distinct, argument_type, at)?;
        let (kind, argument_node) = match period {
            None => (kind, argument_node),
            Some((unit, count)) => {
                let period = self.period(unit, count)?;
                (self.of_periods(kind, period, at)?, argument_node)
            }
        };
        let time = match kind {
            Aggregate::First | Aggregate::Last | Aggregate::OfPeriods(..) => Some(self.time_of(table, name, at)?),
            _ => None,
        };
        let filter_node = self.visible(table, filter_node, at)?;
        let data_type = result_type(kind, argument_type.unwrap_or(Type::Int));
        let argument_node = match kind {
            // Means and deviations are computed in floats.
            Aggregate::Avg | Aggregate::StddevSample | Aggregate::StddevPopulation | Aggregate::OfPeriods(..) => {
                argument_node.map(|node| self.convert(node, Type::Float, inner))
            }
            _ => argument_node,
        };
        let sql = Expr::new(
            Kind::Call { name: name.to_owned(), distinct, args: args.to_vec(), filter: filter.cloned().map(Box::new), over: None },
            at,
        )
        .to_sql();
        let key = (table, kind, argument_node, filter_node, time);
        let number = *self.feature_numbers.entry(key).or_insert(self.features.len());
        if number == self.features.len() {
            self.features.push(Feature { table, aggregate: kind, argument: argument_node, filter: filter_node, time, data_type, sql });
        }
        let label = self.features[number].sql.clone();
        let node = self.graph.input(Input::Feature(number), data_type);
        self.graph.label(Input::Feature(number), label);
        if name == "exists" {
            let none = self.constant(scope, Constant::Int(0));
            return Some(self.compare(crate::expr::Comparison::Greater, node, none, scope));
        }
        Some(node)
    }

    fn aggregate_kind(&mut self, name: &str, distinct: bool, argument: Option<Type>, at: Position) -> Option<Aggregate> {
        let numeric = |kind: Aggregate| match argument {
            Some(argument) if argument.is_number() => Ok(kind),
            Some(Type::Bool) => Err(format!("{name} needs a number; count the rows with filter (where ...) instead")),
            other => Err(format!("{name} needs a number, and this is {}", other.unwrap_or(Type::Null))),
        };
        let found = match name {
            "count" if distinct => match argument {
                Some(kind) if kind.item().is_none() && kind != Type::Other => Ok(Aggregate::CountDistinct),
                _ => Err("count(distinct ...) needs a column".to_owned()),
            },
            "count" | "exists" => Ok(Aggregate::Count),
            "sum" => numeric(Aggregate::Sum),
            "avg" => numeric(Aggregate::Avg),
            "stddev" | "stddev_samp" => numeric(Aggregate::StddevSample),
            "stddev_pop" => numeric(Aggregate::StddevPopulation),
            _ => match argument {
                Some(kind) if kind.item().is_none() && !matches!(kind, Type::Other | Type::Null) => Ok(match name {
                    "min" => Aggregate::Min,
                    "max" => Aggregate::Max,
                    "first" => Aggregate::First,
                    _ => Aggregate::Last,
                }),
                other => Err(format!("{name} cannot take {}", other.unwrap_or(Type::Null))),
            },
        };
        match found {
            Ok(kind) => Some(kind),
            Err(message) => self.fail(at, message),
        }
    }

    fn of_periods(&mut self, kind: Aggregate, period: Period, at: Position) -> Option<Aggregate> {
        let sums = match kind {
            Aggregate::Avg => PeriodSums::Avg,
            Aggregate::Min => PeriodSums::Min,
            Aggregate::Max => PeriodSums::Max,
            Aggregate::Sum => PeriodSums::Sum,
            Aggregate::StddevSample => PeriodSums::StddevSample,
            Aggregate::StddevPopulation => PeriodSums::StddevPopulation,
            _ => return self.fail(at, "sums per period go with avg, min, max, sum and stddev"),
        };
        Some(Aggregate::OfPeriods(sums, period))
    }

    fn period(&mut self, unit: &Expr, count: &Expr) -> Option<Period> {
        let part = match &unit.kind {
            Kind::Literal(Constant::Text(text)) => DatePart::named(text),
            _ => None,
        };
        let unit = match part {
            Some(DatePart::Year) => DatePartUnit::Year,
            Some(DatePart::Quarter) => DatePartUnit::Quarter,
            Some(DatePart::Month) => DatePartUnit::Month,
            Some(DatePart::Week) => DatePartUnit::Week,
            Some(DatePart::Day) => DatePartUnit::Day,
            _ => return self.fail(unit.at, "the period is 'year', 'quarter', 'month', 'week' or 'day'"),
        };
        let Kind::Literal(Constant::Int(count @ 1..=MAX_PERIODS)) = &count.kind else {
            return self.fail(count.at, format!("the number of periods is a constant from 1 to {MAX_PERIODS}"));
        };
        let mut period = Period { unit, count: *count as u32, current: 0 };
        period.current = crate::scalar::index(period.part(), i64::from(self.today) * crate::calendar::DAY_MICROS);
        Some(period)
    }

    fn time_of(&mut self, table: usize, name: &str, at: Position) -> Option<NodeId> {
        let schema = self.table_schema(table).clone();
        let Some(column) = schema.time else {
            return self
                .fail(at, format!("{name} goes by time, and no time column of '{}' is known; declare it under tables", schema.name));
        };
        self.time_column(table, &column, at)
    }

    /// A table's time column as timestamps.
    fn time_column(&mut self, table: usize, column: &str, at: Position) -> Option<NodeId> {
        let scope = Scope::Table(table);
        let node = self.name(None, column, at, scope)?;
        match self.type_of(node, scope) {
            Type::Date | Type::Timestamp | Type::Null => Some(self.convert(node, Type::Timestamp, scope)),
            other => {
                let table = self.table_schema(table).name.clone();
                self.fail(at, format!("the time column '{column}' of '{table}' is {other}, and must be a date or timestamp"))
            }
        }
    }

    /// The filter without the rows after today: they have not happened yet. Rows without a time are visible.
    fn visible(&mut self, table: usize, filter: Option<NodeId>, at: Position) -> Option<Option<NodeId>> {
        let scope = Scope::Table(table);
        let Some(column) = self.table_schema(table).time.clone() else { return Some(filter) };
        let time = self.time_column(table, &column, at)?;
        let tomorrow = self.constant(scope, Constant::Timestamp((i64::from(self.today) + 1) * crate::calendar::DAY_MICROS));
        let later = self.compare(crate::expr::Comparison::GreaterOrEqual, time, tomorrow, scope);
        let later = self.op(scope, Op::IsTrue, vec![later], Type::Bool);
        let visible = self.op(scope, Op::Not, vec![later], Type::Bool);
        let parts = filter.into_iter().chain([visible]).collect();
        Some(Some(self.op(scope, Op::And, parts, Type::Bool)))
    }

    /// The related table that an aggregate's argument speaks of.
    fn table_of(&mut self, argument: &Expr, name: &str) -> Option<usize> {
        let mut open = vec![argument];
        let mut found = None;
        while let Some(expr) = open.pop() {
            let word = match &expr.kind {
                Kind::Name { table: Some(table), .. } => Some(table),
                Kind::Name { table: None, name } if std::ptr::eq(expr, argument) => Some(name),
                _ => None,
            };
            if let Some(word) = word {
                match self.table_named(word) {
                    Some(table) => found = found.or(Some(table)),
                    None => {
                        let names: Vec<String> = self.schema.tables.iter().map(|table| table.name.clone()).collect();
                        let names: Vec<&str> = names.iter().map(String::as_str).collect();
                        return self.unknown(expr.at, format!("there is no related table '{word}'"), word, &names);
                    }
                }
            }
            open.extend(expr.children());
        }
        match found {
            Some(table) => Some(table),
            None => self.fail(argument.at, format!("say of which related table: {name}(orders), {name}(orders.amount)")),
        }
    }
}

fn result_type(kind: Aggregate, argument: Type) -> Type {
    match kind {
        Aggregate::Count | Aggregate::CountDistinct => Type::Int,
        Aggregate::Sum => argument,
        Aggregate::Avg | Aggregate::StddevSample | Aggregate::StddevPopulation | Aggregate::OfPeriods(..) => Type::Float,
        Aggregate::Min | Aggregate::Max | Aggregate::First | Aggregate::Last => argument,
    }
}

/// The node's operation is a plain column: exposed for the feature engine's fast paths.
impl Graph {
    /// The input number, where the node is an input itself.
    pub fn as_input(&self, id: NodeId) -> Option<usize> {
        match self.node(id).op {
            Op::Input(number) => Some(number as usize),
            _ => None,
        }
    }
}
