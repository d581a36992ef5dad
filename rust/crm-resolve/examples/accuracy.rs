//! Resolves a CSV with known truth and prints how well: `accuracy records.csv truth.csv [column=role ...]`.
//!
//! A column is a custom field unless its role is given; `column=-` leaves it out. `truth.csv` has `id,true_id`.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use crm_core::{NoControl, Role};
use crm_resolve::cluster::{ClusterOptions, Constraints, cluster};
use crm_resolve::{EdgeBuffer, Mapping, Model, RecordsBuilder, ResolveConfig, Scorer, score_prepared};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (header, rows) = read_csv(&arguments[0]);
    let (_, truth) = read_csv(&arguments[1]);
    let truth: HashMap<String, String> = truth.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let mut roles: HashMap<String, String> = HashMap::new();
    let mut config = ResolveConfig::default();
    let mut verbose = 0;
    for argument in &arguments[2..] {
        if let Some(json) = argument.strip_prefix("config=") {
            config = serde_json::from_str(json).expect("a config");
        } else if let Some(n) = argument.strip_prefix("show=") {
            verbose = n.parse().expect("a number");
        } else {
            let (column, role) = argument.split_once('=').expect("column=role");
            roles.insert(column.to_owned(), role.to_owned());
        }
    }
    let role_of = |name: &String| roles.get(name).and_then(|role| role.parse::<Role>().ok());
    let is_used = |name: &&String| *name != "id" && *name != "true_id" && roles.get(*name).is_none_or(|role| role != "-");
    let mapping = Mapping::new(header.iter().filter(is_used).map(|name| (name.clone(), role_of(name)))).unwrap();

    let batches: Vec<RecordBatch> = rows
        .chunks(65_536)
        .map(|rows| {
            let columns = header.iter().enumerate().map(|(place, name)| {
                let cells = rows.iter().map(|row| row.get(place).map(String::as_str).filter(|cell| !cell.is_empty()));
                (name.clone(), Arc::new(cells.collect::<StringArray>()) as ArrayRef)
            });
            RecordBatch::try_from_iter(columns).unwrap()
        })
        .collect();
    let start = Instant::now();
    let cpu = cpu_seconds();
    let lap = |what: &str| eprintln!("{what}: {:.2} s, {:.2} CPU s", start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let mut builder = RecordsBuilder::new(&mapping, &config).unwrap();
    batches.iter().for_each(|batch| builder.push(batch).unwrap());
    let mut records = builder.finish();
    lap("records");
    let (model, prepared) = Model::fit_prepared(&mut records, &config, &NoControl).unwrap();
    lap("model");
    let buffer = EdgeBuffer::default();
    let stats = score_prepared(&records, &model, prepared, &config, &NoControl, &buffer).unwrap();
    let edges = buffer.into_edges();
    lap("pairs");
    let scorer = Scorer::new(&records, &model, &config).unwrap();
    let keys: Vec<u64> = (0..records.len() as u32).map(|record| records.content_hash(record)).collect();
    let options = ClusterOptions { match_threshold: config.match_weight(), ..ClusterOptions::default() };
    let unique_source = records.unique_sources(&config);
    let constraints = Constraints { unique_source: &unique_source, ..Constraints::default() };
    let clusters = cluster(&keys, &edges, constraints, &options, &scorer, &NoControl).unwrap();
    lap("clusters");

    let id = header.iter().position(|name| name == "id").unwrap();
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let true_labels: Vec<u32> = rows
        .iter()
        .map(|row| {
            let next = numbers.len() as u32;
            *numbers.entry(truth[&row[id]].as_str()).or_insert(next)
        })
        .collect();
    if std::env::var("CRM_DEBUG").is_ok() {
        for rule in &stats.rules {
            eprintln!(
                "{:24} predicted {:9} compared {:9} left out {:7} cap {}",
                rule.rule, rule.predicted, rule.compared, rule.left_out, rule.cap
            );
        }
        eprintln!(
            "compared {} kept {} identical {} without key {} prior {:.2}",
            stats.compared,
            stats.kept,
            stats.identical_records,
            stats.without_key,
            f64::from(model.prior) / 1024.0
        );
        for comparison in &model.comparisons {
            let bits = |weight: &i32| f64::from(*weight) / 1024.0;
            let line: Vec<String> = comparison
                .levels
                .iter()
                .zip(&comparison.weights)
                .enumerate()
                .skip(1)
                .map(|(place, (name, weight))| {
                    format!("{name} {:.1} (m {:.3} u {:.5})", bits(weight), comparison.m[place - 1], comparison.u[place - 1])
                })
                .collect();
            eprintln!(
                "  {} rare {:.1} identifying {}: {}",
                comparison.name,
                bits(&comparison.rare_weight),
                comparison.is_identifying,
                line.join(", ")
            );
        }
    }
    let keys = crm_resolve::block::Keys::new(&records, &model.rules);
    let mut members: HashMap<u32, Vec<u32>> = HashMap::new();
    true_labels.iter().enumerate().for_each(|(record, label)| members.entry(*label).or_default().push(record as u32));
    let (mut n_true, mut n_found, mut n_scored) = (0u64, 0u64, 0u64);
    let mut missed = Vec::new();
    for group in members.values() {
        for (place, a) in group.iter().enumerate() {
            for b in &group[place + 1..] {
                n_true += 1;
                n_found += u64::from(keys.is_candidate(*a, *b));
                let is_match = crm_resolve::PairScorer::weight(&scorer, *a, *b) >= config.match_weight();
                n_scored += u64::from(is_match);
                if clusters.labels[*a as usize] != clusters.labels[*b as usize] {
                    missed.push((*a, *b));
                }
            }
        }
    }
    let false_edges = edges
        .iter()
        .filter(|edge| edge.weight >= config.match_weight() && true_labels[edge.a as usize] != true_labels[edge.b as usize])
        .count();
    let pairs = |sizes: &HashMap<u64, u64>| sizes.values().map(|n| n * (n - 1) / 2).sum::<u64>();
    let (mut found, mut both) = (HashMap::new(), HashMap::new());
    for (a, b) in clusters.labels.iter().zip(&true_labels) {
        *found.entry(u64::from(*a)).or_insert(0u64) += 1;
        *both.entry(u64::from(*a) << 32 | u64::from(*b)).or_insert(0u64) += 1;
    }
    let (found, both) = (pairs(&found), pairs(&both));
    let (precision, recall) = (both as f64 / found.max(1) as f64, both as f64 / n_true.max(1) as f64);
    let f1 = if both == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
    println!(
        "F1 {f1:.4} precision {precision:.4} recall {recall:.4} | blocking recall {:.4} pair recall {:.4} false edges {false_edges} | true pairs {n_true} found {found} compared {}",
        n_found as f64 / n_true.max(1) as f64,
        n_scored as f64 / n_true.max(1) as f64,
        stats.compared
    );
    let show = |title: &str, a: u32, b: u32| {
        let (weight, lines) = scorer.explain(a, b);
        println!("{title} {:.2} candidate {}", f64::from(weight) / 1024.0, keys.is_candidate(a, b));
        for line in lines {
            println!(
                "    {:14} {:20} {:6.2}  {:?} | {:?}",
                line.comparison,
                line.level,
                line.weight,
                line.value_a.unwrap_or_default(),
                line.value_b.unwrap_or_default()
            );
        }
    };
    missed.sort_unstable_by_key(|(a, b)| (records.content_hash(*a) ^ records.content_hash(*b), *a));
    missed.iter().take(verbose).for_each(|(a, b)| show("MISSED", *a, *b));
    let mut wrong: Vec<_> = edges
        .iter()
        .filter(|edge| {
            clusters.labels[edge.a as usize] == clusters.labels[edge.b as usize]
                && true_labels[edge.a as usize] != true_labels[edge.b as usize]
        })
        .collect();
    wrong.sort_unstable_by_key(|edge| (records.content_hash(edge.a) ^ records.content_hash(edge.b), edge.a));
    wrong.iter().take(verbose).for_each(|edge| show("WRONG", edge.a, edge.b));
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn read_csv(path: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = std::fs::read_to_string(path).expect("the file");
    let mut rows = Vec::new();
    let (mut row, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                cell.push('"');
                chars.next();
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !is_quoted => {}
            other => cell.push(other),
        }
    }
    let header = rows.remove(0);
    (header, rows)
}
