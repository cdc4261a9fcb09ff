//! The perturbation bench's process: started at the first question, kept while questions come, so that networks stay loaded.
//! Whatever goes wrong in it ends that process and nothing else.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use engine::perturbation_bench::BenchQuestion;
use protocol::perturbation_bench::BenchAnswer;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long an answer may take: the first loads a data set.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long the process stays without a question.
const IDLE: Duration = Duration::from_secs(600);

/// How many of the last uploaded files are kept.
const FILES: usize = 8;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// It cannot be answered.
    #[error("{0}")]
    Refused(String),
    /// The process failed.
    #[error("the perturbation bench failed: {0}; ask again, and it starts anew")]
    Failed(String),
}

/// See the module's text; clones share it.
#[derive(Clone)]
pub struct PerturbationBench(Arc<Inner>);

struct Inner {
    executable: PathBuf,
    datasets: PathBuf,
    running: Mutex<Option<Running>>,
    /// Names and contents, in base64.
    files: Mutex<Vec<(String, String)>>,
}

struct Running {
    /// Killed when it is dropped.
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    last_asked: Instant,
}

impl PerturbationBench {
    /// The process is `executable perturb …`.
    pub fn new(executable: PathBuf, datasets: PathBuf) -> Self {
        PerturbationBench(Arc::new(Inner {
            executable,
            datasets,
            running: Mutex::default(),
            files: Mutex::default(),
        }))
    }

    /// Asks the process, which is started where none runs. One question at a time.
    ///
    /// # Errors
    /// When it refuses or fails.
    pub async fn ask(&self, question: BenchQuestion) -> Result<BenchAnswer, BenchError> {
        let bench = self.clone();
        // A task of its own: a caller that stops waiting leaves no unread answer behind.
        let answer = tokio::spawn(async move { bench.ask_in_turn(&question).await });
        answer
            .await
            .unwrap_or_else(|error| Err(BenchError::Failed(error.to_string())))
    }

    async fn ask_in_turn(&self, question: &BenchQuestion) -> Result<BenchAnswer, BenchError> {
        let mut running = self.0.running.lock().await;
        let mut process = match running.take() {
            Some(process) => process,
            None => self.start()?,
        };
        let answer = timeout(PATIENCE, process.ask(question)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(BenchError::Failed(format!(
                "no answer within {} s",
                PATIENCE.as_secs()
            )))
        });
        if !matches!(answer, Err(BenchError::Failed(_))) {
            process.last_asked = Instant::now();
            *running = Some(process);
        }
        answer
    }

    fn start(&self) -> Result<Running, BenchError> {
        let failed = |reason: std::io::Error| BenchError::Failed(reason.to_string());
        let mut child = Command::new(&self.0.executable)
            .arg("perturb")
            .arg("--datasets")
            .arg(&self.0.datasets)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(questions), Some(answers)) = pipes else {
            return Err(BenchError::Failed("it has no pipes".into()));
        };
        let inner = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(IDLE / 10).await;
                let Some(inner) = inner.upgrade() else { return };
                let mut running = inner.running.lock().await;
                if running
                    .as_ref()
                    .is_none_or(|running| running.last_asked.elapsed() > IDLE)
                {
                    *running = None;
                    return;
                }
            }
        });
        Ok(Running {
            child,
            questions,
            answers: BufReader::new(answers).lines(),
            last_asked: Instant::now(),
        })
    }

    /// Keeps an uploaded image file under a name.
    pub async fn bring(&self, name: String, base64: String) {
        let mut files = self.0.files.lock().await;
        files.retain(|(known, _)| *known != name);
        if files.len() == FILES {
            files.remove(0);
        }
        files.push((name, base64));
    }

    /// The content of an uploaded file, in base64; `None` if it is no longer kept.
    pub async fn brought(&self, name: &str) -> Option<String> {
        let files = self.0.files.lock().await;
        let file = files.iter().find(|(known, _)| known == name);
        file.map(|(_, content)| content.clone())
    }
}

impl Running {
    async fn ask(&mut self, question: &BenchQuestion) -> Result<BenchAnswer, BenchError> {
        let failed = |reason: String| BenchError::Failed(reason);
        let mut line = serde_json::to_vec(question).map_err(|error| failed(error.to_string()))?;
        line.push(b'\n');
        let written = self.questions.write_all(&line).await;
        let answer = match written {
            Ok(()) => self.answers.next_line().await,
            Err(error) => Err(error),
        };
        match answer.map_err(|error| failed(error.to_string()))? {
            Some(line) => serde_json::from_str::<Result<BenchAnswer, String>>(&line)
                .map_err(|error| failed(error.to_string()))?
                .map_err(BenchError::Refused),
            None => Err(failed(match self.child.wait().await {
                Ok(status) => format!("its process ended with {status}"),
                Err(error) => error.to_string(),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use protocol::Dataset;

    use super::*;
    use engine::perturbation_bench::BenchPicture;

    /// Breaks when a process that ended is asked again and again, or one that refuses is thrown away.
    #[tokio::test]
    async fn a_process_that_ends_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bench");
        let starts = folder.path().join("starts");
        let script = format!(
            "#!/bin/sh\necho >> {}\nread -r line; echo '{{\"Err\":\"no\"}}'; read -r line\n",
            starts.display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let bench = PerturbationBench::new(program, folder.path().to_owned());
        let question = BenchQuestion {
            dataset: Dataset::Builtin,
            networks: Vec::new(),
            picture: BenchPicture::Test(0),
            change: "none".into(),
            layer: None,
            unit: None,
        };
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(bench.ask(question.clone()).await.unwrap_err());
        }
        let refused =
            |place: usize| matches!(&answers[place], BenchError::Refused(reason) if reason == "no");
        assert!(refused(0) && refused(2), "{answers:?}");
        assert!(matches!(answers[1], BenchError::Failed(_)), "{answers:?}");
        assert_eq!(std::fs::read_to_string(starts).unwrap().lines().count(), 2);
    }
}
