//! What was handed over to a cluster: job arrays, and exactly what `sbatch` was given.

use leptos::prelude::*;
use protocol::executor::SubmissionInfo;

use crate::data::api;
use crate::format;
use crate::ui::Load;

/// The submissions of experiment `id`, newest first.
#[component]
pub fn Submissions(
    /// The experiment's number.
    id: i64,
) -> impl IntoView {
    let path = format!("/experiments/{id}/submissions");
    let submissions = Resource::new(
        || (),
        move |()| {
            let path = path.clone();
            async move { api::get::<Vec<SubmissionInfo>>(&path).await }
        },
    );
    view! {
        <section aria-labelledby="submissions-title">
            <h2 id="submissions-title">"Submitted to Slurm"</h2>
            <Load resource=submissions render=|submissions| view! { <List submissions /> } />
        </section>
    }
    .into_any()
}

#[component]
fn List(submissions: Vec<SubmissionInfo>) -> impl IntoView {
    let none = submissions
        .is_empty()
        .then(|| view! { <p class="hint">"Nothing has been submitted yet."</p> });
    let list = submissions
        .into_iter()
        .map(|submission| {
            let number = match submission.job {
                Some(job) => format!("Job array {job}"),
                None => "Being submitted".to_owned(),
            };
            let at = format::timestamp(submission.submitted_at);
            view! {
                <details class="submission" data-key=submission.key>
                    <summary>{number}", "{at}</summary>
                    <pre class="batch-script" tabindex="0">{submission.script}</pre>
                </details>
            }
        })
        .collect_view();
    view! { {none}{list} }
}
