//! Where an experiment's runs compute: on the server's machine, or as jobs of a cluster.

use serde::{Deserialize, Serialize};

use crate::field_error::{Checks, FieldError};
use crate::named::named;

/// Where the workers of an experiment run, and what is asked for there. In TOML: nothing for this machine, or a table
/// `[executor.slurm]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExecutorSpec {
    /// The server's machine; runs wait for a slot on their device.
    #[default]
    Local,
    /// A Slurm cluster, as job arrays; runs wait in Slurm's queue.
    Slurm(SlurmSpec),
}

named! {
    /// A kind of place where workers run.
    pub enum ExecutorKind {
        /// The server's machine.
        Local = "local" => "This machine",
        /// A Slurm cluster.
        Slurm = "slurm" => "Slurm",
    }
}

impl ExecutorSpec {
    /// Which kind of place it is.
    pub fn kind(&self) -> ExecutorKind {
        match self {
            ExecutorSpec::Local => ExecutorKind::Local,
            ExecutorSpec::Slurm(_) => ExecutorKind::Slurm,
        }
    }

    /// Whether it is the server's machine.
    pub fn is_local(&self) -> bool {
        self.kind() == ExecutorKind::Local
    }

    /// What is asked of Slurm; `None` where it is not asked.
    pub fn slurm(&self) -> Option<&SlurmSpec> {
        match self {
            ExecutorSpec::Slurm(spec) => Some(spec),
            ExecutorSpec::Local => None,
        }
    }

    /// Everything wrong with it, with fields named `executor.…`.
    pub fn validate(&self) -> Vec<FieldError> {
        self.slurm().map_or_else(Vec::new, SlurmSpec::validate)
    }
}

/// What each job of an experiment asks of Slurm. What is absent is left to the cluster's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SlurmSpec {
    /// `--partition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// `--account`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `--qos`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qos: Option<String>,
    /// `--time`, in minutes, 1 to 525,600. Two minutes before it is over, a run writes its checkpoint and is requeued.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 525600))]
    pub time_minutes: Option<u32>,
    /// `--mem`, in MiB, 1 to 100,000,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100000000))]
    pub memory_mib: Option<u32>,
    /// `--cpus-per-task`, 1 to 1,024: the threads that a run computes with.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1024))]
    pub cpus: u32,
    /// `--gres`, for example `gpu:1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gres: Option<String>,
    /// The most jobs of the experiment that run at once (`%` of `--array`), 1 to 10,000; as many as the cluster allows when
    /// absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 10000))]
    pub at_once: Option<u32>,
    /// How often a job may be requeued (by its time limit, a preemption or a node that was lost), at most 1,000.
    #[cfg_attr(feature = "openapi", schema(maximum = 1000))]
    pub requeues: u32,
    /// Lines of shell that each job runs first, for example `module load vulkan`; at most 10,000 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_length = 10000))]
    pub setup: String,
    /// Further flags of `sbatch`, one a line, for example `--exclusive`; at most 2,000 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub flags: String,
}

impl Default for SlurmSpec {
    fn default() -> Self {
        SlurmSpec {
            partition: None,
            account: None,
            qos: None,
            time_minutes: None,
            memory_mib: None,
            cpus: 1,
            gres: None,
            at_once: None,
            requeues: 10,
            setup: String::new(),
            flags: String::new(),
        }
    }
}

/// Flags that the batch script sets itself: another value would lose the run.
const OWN_FLAGS: [&str; 13] = [
    "--array",
    "-a",
    "--job-name",
    "-J",
    "--output",
    "-o",
    "--error",
    "-e",
    "--open-mode",
    "--signal",
    "--no-requeue",
    "--wrap",
    "--parsable",
];

impl SlurmSpec {
    /// The further flags, one by one.
    pub fn flag_lines(&self) -> impl Iterator<Item = &str> {
        self.flags
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    }

    /// Everything wrong with it, with fields named `executor.slurm.…`.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut checks = Checks::new("executor.slurm.");
        let names = [
            ("partition", &self.partition),
            ("account", &self.account),
            ("qos", &self.qos),
            ("gres", &self.gres),
        ];
        for (field, name) in names {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._,:=@+/*()[]-".contains(c);
            let fits = |name: &String| {
                (1..=200).contains(&name.len()) && !name.starts_with('-') && name.chars().all(plain)
            };
            checks.require(
                name.as_ref().is_none_or(fits),
                field,
                "only letters, digits and . _ , : = @ + / * ( ) [ ] -, at most 200 characters",
            );
        }
        let within =
            |value: Option<u32>, most: u32| value.is_none_or(|value| (1..=most).contains(&value));
        checks.require(
            within(self.time_minutes, 525_600),
            "time_minutes",
            "must be between 1 and 525,600 minutes",
        );
        checks.require(
            within(self.memory_mib, 100_000_000),
            "memory_mib",
            "must be between 1 and 100,000,000 MiB",
        );
        checks.require(
            within(Some(self.cpus), 1024),
            "cpus",
            format!("{} is not between 1 and 1,024", self.cpus),
        );
        checks.require(
            within(self.at_once, 10_000),
            "at_once",
            "must be between 1 and 10,000",
        );
        checks.require(
            self.requeues <= 1000,
            "requeues",
            format!("{} times; at most 1,000 are allowed", self.requeues),
        );
        checks.require(
            self.setup.len() <= 10_000 && !self.setup.contains('\0'),
            "setup",
            "at most 10,000 characters",
        );
        checks.require(
            self.flags.len() <= 2000 && !self.flags.chars().any(|c| c.is_control() && c != '\n'),
            "flags",
            "at most 2,000 characters, one flag per line",
        );
        for line in self.flag_lines() {
            let flag = line.split(['=', ' ']).next().unwrap_or(line);
            checks.require(
                line.starts_with('-'),
                "flags",
                format!("`{line}` is not a flag: each line must begin with - or --"),
            );
            checks.require(
                !OWN_FLAGS.contains(&flag),
                "flags",
                format!("`{flag}` is set by Selectivity Lab"),
            );
        }
        checks.errors()
    }
}

/// Where a job stands in its cluster's queue, as the cluster says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobStatus {
    /// The job's number there, for example `1234_5`.
    pub job: String,
    /// Its state in the cluster's own word, for example `PENDING`.
    pub state: String,
    /// Why it is in that state, for example `Priority`; absent where the cluster gives no reason.
    pub reason: Option<String>,
    /// The node that it is on, or was last.
    pub node: Option<String>,
}

impl JobStatus {
    /// As a person reads it, for example `Slurm job 1234_5: PENDING (Priority)`.
    pub fn words(&self) -> String {
        let reason = self
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(" ({reason})"));
        let node = self
            .node
            .as_ref()
            .map_or_else(String::new, |node| format!(" on {node}"));
        format!("Slurm job {}: {}{reason}{node}", self.job, self.state)
    }
}

/// A place where workers run, and how it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutorInfo {
    /// Which one.
    pub id: ExecutorKind,
    /// Its name and version, for example `slurm-wlm 24.11.5`.
    pub name: String,
    /// Whether it can be used from here.
    pub available: bool,
    /// Why nothing is submitted to it, when three submissions failed in a row; its queue waits.
    pub paused: Option<String>,
    /// Runs that wait.
    pub queued: u32,
    /// Runs at work.
    pub running: u32,
}

/// What was handed to a cluster at once: one job array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmissionInfo {
    /// What its jobs' names end with.
    pub key: String,
    /// The array's number; absent until the cluster has given one.
    pub job: Option<u64>,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub submitted_at: i64,
    /// Exactly what was given to `sbatch`.
    pub script: String,
}

/// What a launch would give to `sbatch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchScripts {
    /// One script for each job array. `<key>` and `<experiment>` stand for what is chosen at the launch.
    pub scripts: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a value could end its line of the batch script and begin another, or take away what the script relies on.
    #[test]
    fn what_would_break_the_batch_script_is_refused() {
        let whole = SlurmSpec {
            partition: Some("gpu,short".into()),
            gres: Some("gpu:a100:2(IDX:0-1)".into()),
            time_minutes: Some(90),
            setup: "module load vulkan\nexport A=1".into(),
            flags: "--exclusive\n\n-C avx512\n--nice=100".into(),
            ..SlurmSpec::default()
        };
        assert_eq!(whole.validate(), []);
        assert_eq!(whole.flag_lines().count(), 3);
        type Spoil = fn(&mut SlurmSpec);
        let spoiled: [(&str, Spoil); 10] = [
            ("partition", |s| {
                s.partition = Some("a\n#SBATCH --uid=0".into())
            }),
            ("account", |s| s.account = Some("two words".into())),
            ("qos", |s| s.qos = Some(String::new())),
            ("gres", |s| s.gres = Some("--help".into())),
            ("time_minutes", |s| s.time_minutes = Some(0)),
            ("memory_mib", |s| s.memory_mib = Some(0)),
            ("cpus", |s| s.cpus = 0),
            ("requeues", |s| s.requeues = 1001),
            ("flags", |s| s.flags = "exclusive".into()),
            ("flags", |s| s.flags = "--array=0-9".into()),
        ];
        for (field, spoil) in spoiled {
            let mut spec = whole.clone();
            spoil(&mut spec);
            let fields: Vec<_> = spec
                .validate()
                .into_iter()
                .map(|error| error.field)
                .collect();
            assert_eq!(fields, [format!("executor.slurm.{field}")]);
        }
    }

    /// Breaks when specs of earlier versions, or files without a table for the cluster, are refused or mean Slurm.
    #[test]
    fn nothing_said_is_this_machine() {
        #[derive(Deserialize)]
        struct Spec {
            #[serde(default)]
            executor: ExecutorSpec,
        }
        let read = |text: &str| serde_json::from_str::<Spec>(text).unwrap().executor;
        assert_eq!(read("{}"), ExecutorSpec::Local);
        assert_eq!(read(r#"{"executor":"local"}"#), ExecutorSpec::Local);
        let slurm = read(r#"{"executor":{"slurm":{"partition":"gpu"}}}"#);
        assert_eq!(slurm.slurm().unwrap().partition.as_deref(), Some("gpu"));
        assert_eq!(slurm.slurm().unwrap().requeues, 10);
    }
}
