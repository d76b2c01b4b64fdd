//! `kvdag clone`.

use engine_api::Result;
use engine_api::version::bundle::{ApplyOptions, clone_repo};
use engine_api::version::compare_repos;

use super::bundle::{Brought, select};
use super::interrupt::Careful;
use super::output::Output;
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store with the repo.
    #[arg(long, value_name = "STORE")]
    from: String,
    /// The store to bring it to; made when it isn't there.
    #[arg(long, value_name = "STORE")]
    to: String,
    /// The repo, where there are several.
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// What to call it there.
    #[arg(long = "as", value_name = "NAME")]
    alias: Option<String>,
    /// With the collections that have no versions, as they are now.
    #[arg(long)]
    unversioned: bool,
    /// Don't compare what both stores answer at every version when it is done.
    #[arg(long)]
    no_verify: bool,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let source = store::open_to_read(&args.from)?;
    let selection = select(&source, args.repo.as_deref(), &[], &[], args.unversioned)?;
    let mut options = ApplyOptions::new();
    if let Some(alias) = &args.alias {
        options = options.alias(alias);
    }
    let careful = Careful::begin();
    let brought = store::with_target(&args.to, true, |target| {
        let bar = output.progress(0, "cloning");
        let applied = clone_repo((&source, &selection), (target, &options), &mut |done| {
            bar.set_position(done.entries);
            careful.check()
        })?;
        bar.finish_and_clear();
        let mut brought = Brought::new(&args.to, &applied);
        if !args.no_verify {
            let dag = source.dag()?;
            let repo = dag.repos().find(|repo| repo.uuid == applied.repo.uuid).map(|repo| repo.id);
            let versions: Vec<_> = dag
                .versions()
                .filter(|version| Some(version.repo) == repo && version.committed.is_some())
                .map(|version| version.id)
                .collect();
            let bar = output.progress(0, "comparing");
            brought.compared = Some(compare_repos(&source, target, &versions, &mut |keys| {
                bar.set_position(keys);
                careful.check()
            })?);
            bar.finish_and_clear();
        }
        Ok(brought)
    })?;
    output.print(&brought)
}
