use crm_core::{Error, Result};
use serde::Deserialize;

/// Steps and exclusions share the bits of one number.
pub const MAX_CONDITIONS: usize = 128;

/// What an event funnel asks, as it crosses from Python.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventFunnelConfig {
    /// The steps in order.
    pub steps: Vec<StepConfig>,
    /// Most time from the first step to any other, in microseconds; none is no limit.
    #[serde(default)]
    pub window_us: Option<i64>,
    /// Any of `strict_deduplication`, `strict_order`, `strict_increase`, `strict_once`.
    #[serde(default)]
    pub modes: Vec<String>,
    /// Whether the steps may be done in any order.
    #[serde(default)]
    pub any_order: bool,
    /// Whether attempts are counted besides contacts.
    #[serde(default)]
    pub attempts: bool,
    /// What ends a chain between two steps.
    #[serde(default)]
    pub exclude: Vec<ExclusionConfig>,
}

/// One step.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepConfig {
    /// Its name.
    pub name: String,
    /// Whether a chain may do without it.
    #[serde(default)]
    pub optional: bool,
    /// Most time since the required step before it, in microseconds.
    #[serde(default)]
    pub within_us: Option<i64>,
}

/// An event that ends a chain which stands at a step from `from` to the one before `to`, both from 1.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExclusionConfig {
    /// The step after which it counts, from 1.
    pub from: usize,
    /// The step before which it counts.
    pub to: usize,
}

/// [`EventFunnelConfig`], checked and in ticks.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of steps; steps are numbered from 1, and arrays over steps have an unused place 0.
    pub n_steps: usize,
    /// Ticks.
    pub window: u64,
    /// Ticks per step, since the required step before it.
    pub within: Vec<u64>,
    /// Whether a chain may do without the step.
    pub optional: Vec<bool>,
    /// The required step before each; 0 before the first.
    pub required_before: Vec<usize>,
    /// Steps that an exclusion ends, as (from, to).
    pub exclusions: Vec<(usize, usize)>,
    /// As in the config.
    pub strict_deduplication: bool,
    /// As in the config.
    pub strict_order: bool,
    /// As in the config.
    pub strict_increase: bool,
    /// As in the config.
    pub strict_once: bool,
    /// As in the config.
    pub any_order: bool,
    /// As in the config.
    pub attempts: bool,
}

impl Plan {
    /// Checks `config`; `ticks_per_second` is the unit of the events' times.
    pub fn new(config: &EventFunnelConfig, ticks_per_second: u64) -> Result<Self> {
        let n_steps = config.steps.len();
        if n_steps == 0 {
            return Err(Error::config("steps is empty; a funnel needs at least one step"));
        }
        if n_steps + config.exclude.len() > MAX_CONDITIONS {
            return Err(Error::limit(format!("{n_steps} steps and {} exclusions are more than {MAX_CONDITIONS}", config.exclude.len())));
        }
        let ticks = |name: &str, us: Option<i64>| match us {
            None => Ok(u64::MAX),
            Some(us) if us < 0 => Err(Error::config(format!("{name} is negative"))),
            Some(us) => Ok(u64::try_from(us as u128 * u128::from(ticks_per_second) / 1_000_000).unwrap_or(u64::MAX)),
        };
        let mut plan = Self {
            n_steps,
            window: ticks("window", config.window_us)?,
            within: vec![u64::MAX],
            optional: vec![false],
            required_before: vec![0],
            exclusions: Vec::new(),
            strict_deduplication: false,
            strict_order: false,
            strict_increase: false,
            strict_once: false,
            any_order: config.any_order,
            attempts: config.attempts,
        };
        let mut required = 0;
        for (index, step) in config.steps.iter().enumerate() {
            if step.optional && index == 0 {
                return Err(Error::config(format!("step 1 ('{}') is optional, and a chain must begin somewhere", step.name)));
            }
            plan.within.push(ticks(&format!("within of step {} ('{}')", index + 1, step.name), step.within_us)?);
            plan.optional.push(step.optional);
            plan.required_before.push(required);
            if !step.optional {
                required = index + 1;
            }
        }
        for (index, exclusion) in config.exclude.iter().enumerate() {
            let (from, to) = (exclusion.from, exclusion.to);
            if from < 1 || to > n_steps || from >= to {
                return Err(Error::config(format!(
                    "exclusion {} goes from step {from} to step {to}; it needs 1 <= from < to <= {n_steps}",
                    index + 1
                )));
            }
            if plan.optional[from] || plan.optional[to] {
                return Err(Error::config(format!("exclusion {} begins or ends at an optional step; name required steps", index + 1)));
            }
            plan.exclusions.push((from, to));
        }
        plan.set_modes(&config.modes)?;
        Ok(plan)
    }

    fn set_modes(&mut self, modes: &[String]) -> Result<()> {
        for mode in modes {
            match mode.as_str() {
                "default" => {}
                "strict_deduplication" => self.strict_deduplication = true,
                "strict_order" => self.strict_order = true,
                "strict_increase" => self.strict_increase = true,
                "strict_once" => self.strict_once = true,
                _ => {
                    let known = ["default", "strict_deduplication", "strict_order", "strict_increase", "strict_once"];
                    let nearest = crm_core::nearest_name(mode, known).map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                    return Err(Error::config(format!("mode '{mode}' is unknown{nearest} Modes are {}", known.join(", "))));
                }
            }
        }
        // A later time is always another row.
        self.strict_once &= !self.strict_increase;
        let ends_scan = self.strict_order || self.strict_deduplication;
        if self.strict_once && ends_scan {
            return Err(Error::config("strict_once does not go with strict_order or strict_deduplication; choose one"));
        }
        let plain = !ends_scan && !self.strict_increase && !self.strict_once;
        if self.any_order {
            let relative = self.optional.iter().any(|&o| o) || self.within.iter().any(|&w| w != u64::MAX) || !self.exclusions.is_empty();
            if !plain || relative || self.attempts {
                return Err(Error::config(
                    "any order goes with a window only: no mode, exclusion, optional step, window per step, attempts",
                ));
            }
        }
        if self.attempts && ends_scan {
            return Err(Error::config("attempts are not counted under strict_order or strict_deduplication, which end at the first fault"));
        }
        Ok(())
    }

    /// Whether the chain rests on windows and order alone, so that the short scan is exact.
    pub fn is_plain(&self) -> bool {
        !(self.strict_deduplication || self.strict_order || self.strict_increase || self.strict_once || self.any_order)
            && self.exclusions.is_empty()
            && !self.optional.contains(&true)
            && self.within.iter().all(|&within| within == u64::MAX)
    }

    /// Whether rows that fulfil no condition matter.
    pub fn sees_other_rows(&self) -> bool {
        self.strict_order
    }
}
