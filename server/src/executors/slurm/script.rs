//! The batch script of a submission: text that a person can read, run by hand, and find again beside the runs.

use std::fmt::Write;
use std::path::Path;

use protocol::executor::SlurmSpec;

/// The beginning of all our jobs' names; the submission's key follows.
pub(super) const NAME: &str = "selectivity-lab-";

/// Name of the file with the jobs: line N is array task N, its attempt and its run's folder, with a tab between.
pub(super) const TASKS: &str = "tasks";

/// How long before the time limit a job is told, in seconds: enough for a step of the largest network.
const NOTICE: u32 = 120;

/// What a batch script is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script<'a> {
    /// The submission's key.
    pub(super) key: &'a str,
    /// Where the submission's files are.
    pub(super) folder: &'a Path,
    /// The program that the jobs run.
    pub(super) program: &'a Path,
    /// The folder with the data sets.
    pub(super) datasets: &'a Path,
    /// Jobs in the array, 1 or more.
    pub(super) jobs: usize,
    /// How many jobs of this array may run at once; the experiment may have several arrays.
    pub(super) at_once: Option<u32>,
    /// What the experiment asks for.
    pub(super) spec: &'a SlurmSpec,
}

impl Script<'_> {
    /// The text that `sbatch` is given.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("#!/bin/bash\n");
        let mut flag = |flag: &str| {
            // Writing into a text never fails.
            let _ = writeln!(text, "#SBATCH {flag}");
        };
        let spec = self.spec;
        flag(&format!("--job-name={NAME}{}", self.key));
        let limit = self
            .at_once
            .map_or_else(String::new, |limit| format!("%{limit}"));
        flag(&format!("--array=0-{}{limit}", self.jobs.saturating_sub(1)));
        let output = self
            .folder
            .join("job-")
            .display()
            .to_string()
            .replace('%', "%%");
        flag(&format!("--output=\"{output}%a.log\""));
        flag("--open-mode=append");
        flag("--nodes=1");
        flag("--ntasks=1");
        flag(&format!("--cpus-per-task={}", spec.cpus));
        let named = [
            ("partition", &spec.partition),
            ("account", &spec.account),
            ("qos", &spec.qos),
            ("gres", &spec.gres),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                flag(&format!("--{name}={value}"));
            }
        }
        if let Some(minutes) = spec.time_minutes {
            flag(&format!("--time={minutes}"));
        }
        if let Some(memory) = spec.memory_mib {
            flag(&format!("--mem={memory}M"));
        }
        flag("--requeue");
        flag(&format!("--signal=B:USR1@{NOTICE}"));
        for line in spec.flag_lines() {
            flag(line);
        }
        text.push_str("\nset -e\n");
        if !spec.setup.trim().is_empty() {
            let _ = writeln!(
                text,
                "# The experiment's set-up lines.\n{}",
                spec.setup.trim_end()
            );
        }
        let _ = writeln!(
            text,
            r#"# Line N of `{TASKS}` is array task N: its attempt and its run's folder.
IFS=$'\t' read -r attempt run < <(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {tasks})
export RAYON_NUM_THREADS="${{SLURM_CPUS_PER_TASK:-1}}"
exec {program} worker --slurm-requeues {requeues} --attempt "$attempt" --run-directory "$run" \
    --datasets {datasets} >>"$run/worker/events-$attempt.jsonl" 2>>"$run/worker.log""#,
            tasks = quoted(&self.folder.join(TASKS)),
            program = quoted(self.program),
            requeues = spec.requeues,
            datasets = quoted(self.datasets),
        );
        text
    }
}

/// A path as the shell reads it back.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(spec: &SlurmSpec, folder: &str) -> String {
        let folder = Path::new(folder);
        let script = Script {
            key: "abc",
            folder,
            program: &folder.join("program"),
            datasets: Path::new("/data sets"),
            jobs: 8,
            at_once: Some(4),
            spec,
        };
        script.text()
    }

    /// Breaks when something that was asked for is not in the script, or what was not asked for is.
    #[test]
    fn everything_that_was_asked_for_is_in_the_script() {
        let bare = script(&SlurmSpec::default(), "/lab");
        for absent in [
            "--partition",
            "--account",
            "--qos",
            "--gres",
            "--time",
            "--mem",
            "set-up",
        ] {
            assert!(!bare.contains(absent), "{absent}: {bare}");
        }
        let spec = SlurmSpec {
            partition: Some("gpu".into()),
            account: Some("lab".into()),
            qos: Some("long".into()),
            time_minutes: Some(90),
            memory_mib: Some(4000),
            cpus: 3,
            gres: Some("gpu:1".into()),
            at_once: Some(4),
            requeues: 7,
            setup: "module load vulkan\n".into(),
            flags: "--exclusive\n-C avx512".into(),
        };
        let text = script(&spec, "/lab");
        let lines: Vec<&str> = text.lines().collect();
        for line in [
            "#SBATCH --job-name=selectivity-lab-abc",
            "#SBATCH --array=0-7%4",
            "#SBATCH --partition=gpu",
            "#SBATCH --account=lab",
            "#SBATCH --qos=long",
            "#SBATCH --time=90",
            "#SBATCH --mem=4000M",
            "#SBATCH --cpus-per-task=3",
            "#SBATCH --gres=gpu:1",
            "#SBATCH --signal=B:USR1@120",
            "#SBATCH --requeue",
            "#SBATCH --exclusive",
            "#SBATCH -C avx512",
            "module load vulkan",
        ] {
            assert!(lines.contains(&line), "{line}: {text}");
        }
        assert!(text.contains("--slurm-requeues 7"));
        // Slurm reads directives up to the first line that is none.
        let first_command = lines.iter().position(|line| *line == "set -e").unwrap();
        assert!(
            lines[first_command..]
                .iter()
                .all(|line| !line.starts_with("#SBATCH"))
        );
    }

    /// Breaks when a folder whose name has spaces, quotes or a percent sign ends the script's line, or a task reads another's
    /// line. The script is run by bash itself.
    #[test]
    fn a_task_reads_its_own_line_wherever_the_folder_is() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("it's 100 % here");
        std::fs::create_dir(&folder).unwrap();
        let run = root.path().join("run 1");
        std::fs::create_dir_all(run.join("worker")).unwrap();
        let program = folder.join("program");
        std::fs::write(
            &program,
            "#!/bin/sh\nprintf '%s|' \"$@\"\necho $RAYON_NUM_THREADS\n",
        )
        .unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let tasks = format!("9\t/elsewhere\n2\t{}\n", run.display());
        std::fs::write(folder.join(TASKS), tasks).unwrap();
        let text = script(&SlurmSpec::default(), folder.to_str().unwrap());
        let status = std::process::Command::new("bash")
            .args(["-c", &text])
            .env("SLURM_ARRAY_TASK_ID", "1")
            .env("SLURM_CPUS_PER_TASK", "5")
            .status()
            .unwrap();
        assert!(status.success(), "{text}");
        let events = std::fs::read_to_string(run.join("worker/events-2.jsonl")).unwrap();
        let expected = format!(
            "worker|--slurm-requeues|10|--attempt|2|--run-directory|{}|--datasets|/data sets|5\n",
            run.display()
        );
        assert_eq!(events, expected);
        assert!(text.contains("100 %% here/job-%a.log"));
    }
}
